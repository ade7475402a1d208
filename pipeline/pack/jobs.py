"""The jobs of a stage of packing, and what is said where they have nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pipeline.cluster import dask_client, run_parts
from pipeline.config import Cluster
from pipeline.errors import InputError
from pipeline.run import PartRecord

__all__ = ["nothing_to_train", "run_jobs"]

_Job = TypeVar("_Job")


def run_jobs(
    make: Callable[[_Job], PartRecord],
    jobs: Sequence[_Job],
    cluster: Cluster,
    *,
    here: bool,
    stage: str,
    on_done: Callable[[PartRecord], None],
) -> list[PartRecord]:
    """Make every part: in this process, or on Dask workers."""
    if not jobs:
        return []
    if here:
        records = []
        for job in jobs:
            records.append(make(job))
            on_done(records[-1])
        return records
    with dask_client(cluster) as client:
        return run_parts(client, make, jobs, stage=stage, on_done=on_done)


def nothing_to_train(what: str, where: Path) -> InputError:
    """Say that no row is left to train on, and why that may be."""
    return InputError(
        what,
        where=str(where),
        mend="give more data, loosen `curate.rules`, raise `curate.split.train`, or see why rows went with "
        "`curate-and-train inspect RUN --dropped`",
    )
