"""Moving the champion's pointer: one lock, one atomic replacement, and a model that nobody can overwrite."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.atomic import atomic_folder, remove_temporaries, write_json
from pipeline.config import Recipe
from pipeline.evaluate.champion import Candidate, Champion, Standing
from pipeline.run import Manifest, RunDirectory

__all__ = ["crown", "pointer_lock"]


@contextmanager
def pointer_lock(pointer: Path) -> Iterator[None]:
    """Hold the pointer for this process, waiting for whoever holds it; the kernel lets go when the process ends."""
    pointer.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(pointer.with_name(f".{pointer.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def crown(
    run: RunDirectory,
    recipe: Recipe,
    candidate: Candidate,
    pointer: Path,
    *,
    over: Champion | None,
    metrics: dict[str, float | None],
) -> Standing:
    """Keep the candidate's model beside the pointer, then point at it; the caller holds the lock.

    The model is kept in `<pointer's name>-models/<fingerprint>`, as hard links where the file system allows: it
    costs no space and no time, and training again in the same run directory cannot take the champion away. Of
    the models there, the champion's and the one it was promoted over stay; older ones are removed.

    Raises:
        MachineError: the disk is full.
    """
    models = pointer.with_name(f"{pointer.stem}-models")
    kept = models / candidate.model
    remove_temporaries(models)
    with atomic_folder(kept) as folder:
        _link_tree(candidate.folder, folder)
    curated = Manifest.read(run.path("curated"))
    champion = Champion(
        run=_from(pointer.parent, run.root),
        checkpoint=f"{models.name}/{candidate.model}",
        model=candidate.model,
        recipe=recipe.fingerprint(),
        data=curated.content_of("curated") if curated else "",
        tokenizer=candidate.tokenizer,
        metrics=metrics,
    )
    write_json(pointer, {**champion.to_json(), "promoted_over": over.to_json() if over else None})
    for other in models.iterdir():
        if other.is_dir() and other.name not in (candidate.model, over.model if over else ""):
            shutil.rmtree(other)
    return Standing(champion=champion, promoted_over=over)


def _link_tree(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        copy = target / path.relative_to(source)
        if path.is_dir():
            copy.mkdir()
            continue
        try:
            os.link(path, copy)
        except OSError:  # another file system, or one without hard links
            shutil.copyfile(path, copy)


def _from(folder: Path, path: Path) -> str:
    """The path below `folder` where it lies there, so that both may be moved together; else the absolute path."""
    folder, path = folder.resolve(), path.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
