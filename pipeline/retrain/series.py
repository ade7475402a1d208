"""The next batch of a series: which shards are new, and the recipe that trains on them and on what was before."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.atomic import write_json
from pipeline.config import Recipe
from pipeline.curate.batches import BATCHES, FORMAT, Shards, batch_files, batch_shards, read_batch
from pipeline.curate.documents import survey_sources
from pipeline.errors import InputError, MachineError, RecipeError, cannot_write
from pipeline.evaluate.champion import champion_model, read_pointer, series_pointer
from pipeline.recipe import load_recipe
from pipeline.run import Manifest

__all__ = ["Batch", "next_batch"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A retraining.

    Args:
        name: `0001`, `0002`, …: of its run directory within the series.
        recipe: its own: an ordinary recipe, whose run directory `curate-and-train plan`, `inspect` and the others take.
        shards: new ones, source → shard → fingerprint.
        resumed: whether it was begun before and had not come to its end.
    """

    name: str
    recipe: Recipe
    shards: Shards
    resumed: bool


def next_batch(recipe: Recipe) -> Batch | None:
    """Begin the next batch of the series in `run:`, or go on with one that is unfinished; None where nothing is new.

    Args:
        recipe: of the series; `run` is the folder of its batches.

    Raises:
        RecipeError: the recipe would give earlier rows another split, or nothing would keep duplicates apart.
        InputError: a shard that was read before has another content now, a source cannot be read, or the ledger or the
            pointer is damaged.
        MachineError: the folder cannot be written.
    """
    _check(recipe)
    series = Path(recipe.run)
    with _lock(series):
        files = batch_files(series)
        if files:
            _check_same(recipe, series / files[-1].stem)
            if not _is_done(recipe, series / files[-1].stem):
                return _batch(recipe, files, resumed=True)
        surveys = survey_sources(recipe)
        found = {source.name: survey.shards for source, survey in zip(recipe.sources, surveys, strict=True)}
        new = _new(found, [batch_shards(file) for file in files])
        if not any(new.values()):
            return None
        file = series / BATCHES / f"{len(files) + 1:04d}.json"
        write_json(file, {"format": FORMAT, "shards": new, "champion": _champion(recipe)})
        return _batch(recipe, [*files, file], resumed=False)


def _batch(recipe: Recipe, files: list[Path], *, resumed: bool) -> Batch:
    """The batch of the last file, with its recipe."""
    series, file = Path(recipe.run), files[-1]
    begun = read_batch(file)
    document = recipe.model_dump(mode="json")
    document["run"] = str(series / file.stem)
    document["retrain"] |= {"shards": str(file), "earlier": [str(series / other.stem) for other in files[:-1]]}
    dedup = document["curate"]["dedup"]
    dedup["index"] = dedup["index"] or str(series / "index")
    document["promote"]["champion"] = str(_pointer(recipe))
    if begun["champion"] is not None and recipe.train is not None:
        document["train"]["model"] |= {"path": begun["champion"], "config": None}
        document["pack"]["tokenizer"] = begun["champion"]
    return Batch(name=file.stem, recipe=Recipe.model_validate(document), shards=begun["shards"], resumed=resumed)


def _champion(recipe: Recipe) -> str | None:
    """The folder of the model to start from; decided when a batch begins, for its own model may become the champion."""
    if recipe.retrain.start == "base" or recipe.train is None:
        return None
    pointer = _pointer(recipe)
    standing = read_pointer(pointer)
    return str(champion_model(standing.champion, pointer)) if standing is not None else None


def _pointer(recipe: Recipe) -> Path:
    """One for the whole series: another list of sources does not make a champion without a rival."""
    return Path(recipe.promote.champion or series_pointer(Path(recipe.run)))


def _new(found: Mapping[str, Mapping[str, str]], batches: list[Shards]) -> Shards:
    """The shards whose content no batch has read; one of another name with the same content is not new.

    Raises:
        InputError: a shard that was read has another content now.
    """
    new: Shards = {}
    for source, shards in found.items():
        read = {name: content for batch in batches for name, content in batch.get(source, {}).items()}
        for name, content in shards.items():
            if name in read and read[name] != content:
                raise InputError(
                    "a shard that an earlier batch has read has another content now",
                    where=f"source {source}, {name}",
                    mend="put new rows into new files and restore this one: its rows' ids stand for what was read; "
                    "or begin a new series (`run:`)",
                )
        contents = set(read.values())
        new[source] = {name: content for name, content in sorted(shards.items()) if content not in contents}
    return new


def _check(recipe: Recipe) -> None:
    dedup = recipe.curate.dedup
    if not dedup.exact and dedup.fuzzy is None:
        raise RecipeError(
            "retraining needs deduplication: without it a test row may be one that a champion was trained on",
            where="curate.dedup",
            mend="set exact: true, and better fuzzy too",
        )
    if recipe.pack.pretokenised:
        raise RecipeError(
            "files of tokens cannot be retrained on by shards",
            where=recipe.pack.pretokenised[0].key("format"),
            mend="give them to a recipe that is run, not retrained",
        )
    if recipe.retrain.shards is not None or recipe.retrain.earlier:
        raise RecipeError(
            "this is the recipe of one batch",
            where="retrain.shards, retrain.earlier",
            mend="give `retrain` the recipe of the series; to go on with this batch alone, `run` it",
        )


def _check_same(recipe: Recipe, last: Path) -> None:
    """What decides a row's split must be as it was: rows that come later are drawn by it, near duplicates together."""
    if not (last / "recipe.yaml").exists():
        return
    was = load_recipe(last / "recipe.yaml")
    index = recipe.curate.dedup.index or str(Path(recipe.run) / "index")
    changed = [
        name
        for name, before, now in (
            ("seed", was.seed, recipe.seed),
            ("curate.split", _shares(was), _shares(recipe)),
            ("curate.dedup.index", was.curate.dedup.index, index),
        )
        if before != now
    ]
    if changed:
        raise RecipeError(
            f"{', '.join(changed)} changed since the last batch: a new test row might be like an earlier training row",
            where=str(last / "recipe.yaml"),
            mend="set it as it was, or begin a new series (`run:`)",
        )


def _shares(recipe: Recipe) -> dict[str, float]:
    return recipe.curate.split.model_dump(mode="json", exclude={"max_leakage"})


def _is_done(recipe: Recipe, run: Path) -> bool:
    return Manifest.read(run / ("packed" if recipe.train is None else "promotion")) is not None


@contextmanager
def _lock(series: Path) -> Iterator[None]:
    """Hold the ledger while a batch is begun, waiting for whoever holds it; the batch itself is held by its run."""
    if (series / "recipe.yaml").exists():
        raise RecipeError(
            "this is the directory of a run, not of a series of retrainings",
            where=str(series),
            mend="give `run:` a folder of its own: each batch makes a run directory in it",
        )
    try:
        series.mkdir(parents=True, exist_ok=True)
        handle = os.open(series / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise cannot_write(error, str(series)) or MachineError(
            f"the folder of the series cannot be made: {error.strerror}",
            where=str(series),
            mend="point `run:` at a folder that you may write to",
        ) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
