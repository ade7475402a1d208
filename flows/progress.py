"""How far a stage is, as a bar on Prefect's page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

from pipeline.progress import Progress, told

__all__ = ["progress_shown"]

_EVERY = 5.0
"""Seconds between two updates; each is a request to the server."""

_PATIENCE = 10.0
"""Seconds that the end of a stage waits for an update on its way."""


@contextmanager
def progress_shown(stage: str) -> Iterator[None]:
    """Keep the artifact `progress-<stage>` up to date while the stage runs; at 100 once it has ended well.

    A stage of several steps (curation) goes through the bar once a step; the line beside it names the step. The bar
    has a thread of its own and gives up quietly: neither a slow server nor one that is away holds a stage up.
    """
    artifact: UUID | None = None
    with suppress(Exception):
        made = create_progress_artifact(0.0, key=f"progress-{stage}", description=stage)
        artifact = cast(UUID, made)  # a coroutine only where an event loop runs, which flows of ours have none of
    if artifact is None:
        yield
        return
    with told(_Newest()) as newest, _repeated(lambda: _update(artifact, newest.progress)):
        yield
    with suppress(Exception):
        update_progress_artifact(artifact, 100.0, description=f"{stage}: done")


class _Newest:
    """Remembers which step advanced last."""

    progress: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self.progress = progress


def _update(artifact: UUID, progress: Progress | None) -> None:
    if progress is not None and progress.total:
        share = min(100.0, 100 * progress.done / progress.total)
        update_progress_artifact(artifact, share, description=progress.line())


@contextmanager
def _repeated(update: Callable[[], None]) -> Iterator[None]:
    """Call `update` again and again in a thread, whatever becomes of it, until the block ends."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(_EVERY):
            with suppress(Exception):
                update()

    # With this thread's context, in which Prefect keeps the settings; as a daemon, so that a hung request ends with us.
    thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True, name="progress")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_PATIENCE)
