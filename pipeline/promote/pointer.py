"""Moving the champion's pointer: one lock, one atomic replacement, and a model that nobody can overwrite."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.atomic import atomic_folder, remove_temporaries, write_json
from pipeline.config import Recipe
from pipeline.evaluate.champion import Candidate, Champion, Standing
from pipeline.promote.registry import code_fingerprint, formers
from pipeline.run import Manifest, RunDirectory

__all__ = ["as_champion", "crown", "models_folder", "pointer_lock"]


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


def models_folder(pointer: Path) -> Path:
    """Where the models of champions are kept: `<pointer's name>-models`, a folder each by fingerprint."""
    return pointer.with_name(f"{pointer.stem}-models")


def as_champion(
    run: RunDirectory, recipe: Recipe, candidate: Candidate, pointer: Path, metrics: dict[str, float | None]
) -> Champion:
    """The candidate as it stands in the pointer and in the registry."""
    curated, packed = Manifest.read(run.path("curated")), Manifest.read(run.path("packed"))
    return Champion(
        run=_from(pointer.parent, run.root),
        checkpoint=f"{models_folder(pointer).name}/{candidate.model}",
        model=candidate.model,
        recipe=recipe.fingerprint(),
        data=curated.content_of("curated") if curated else "",
        tokenizer=candidate.tokenizer,
        metrics=metrics,
        template=str(packed.summary.get("template", "")) if packed else "",
        code=code_fingerprint(),
    )


def crown(
    candidate: Candidate,
    champion: Champion,
    pointer: Path,
    standing: Standing | None,
    *,
    over: Champion | None,
    decision: dict[str, Any],
    keep: int,
) -> Standing:
    """Keep the candidate's model beside the pointer, then point at it; the caller holds the lock.

    The model is kept as hard links where the file system allows: it costs no space and no time, and training again in
    the same run directory cannot take the champion away. Of the models there, the champion's, the one it was promoted
    over and `keep` former champions' stay; older ones are removed.

    Raises:
        MachineError: the disk is full.
    """
    models = models_folder(pointer)
    remove_temporaries(models)
    with atomic_folder(models / candidate.model) as folder:
        _link_tree(candidate.folder, folder)
    history = [*(standing.history if standing else []), decision]
    crowned = Standing(champion=champion, promoted_over=over, history=history)
    write_json(pointer, crowned.to_json())
    kept = {champion.model, over.model if over else "", *formers(history, champion.model)[:keep]}
    for other in models.iterdir():
        if other.is_dir() and other.name not in kept:
            shutil.rmtree(other)
    return crowned


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
