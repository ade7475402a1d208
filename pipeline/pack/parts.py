"""One part of the stage `tokens`, of curated rows or of a file of tokens; on any worker."""

from __future__ import annotations

from pipeline.pack.pretokenised import PretokenisedJob, write_documents
from pipeline.pack.tokenise import Job, tokenise_on_worker, tokenise_part
from pipeline.run import PartRecord

__all__ = ["make_part", "make_part_on_worker"]


def make_part(job: Job | PretokenisedJob) -> PartRecord:
    """Make a part in this process, and commit it."""
    return write_documents(job) if isinstance(job, PretokenisedJob) else tokenise_part(job)


def make_part_on_worker(job: Job | PretokenisedJob) -> PartRecord:
    """Make a part on one of many workers, each of which is one core's worth."""
    return write_documents(job) if isinstance(job, PretokenisedJob) else tokenise_on_worker(job)
