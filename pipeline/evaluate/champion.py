"""The pointer to the champion: one small JSON file, read by evaluation, replaced by promotion."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline import fingerprint
from pipeline.config import Recipe
from pipeline.errors import InputError
from pipeline.run import Manifest, RunDirectory

__all__ = [
    "Candidate",
    "Champion",
    "Standing",
    "champion_model",
    "find_candidate",
    "model_fingerprint",
    "pointer_path",
    "read_pointer",
    "rival_of",
    "series_pointer",
    "tokenizer_fingerprint",
]

_LONGEST_NAME = 100
"""Characters of source names in the pointer's name; more of them are hashed."""

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja")
"""What decides how a row becomes tokens; equal files give equal packed rows."""


@dataclass(frozen=True, kw_only=True)
class Champion:
    """A model that was promoted, and what it was made from.

    Args:
        run: its run directory, relative to the pointer's folder where it lies below it.
        checkpoint: the folder of its model, relative to the pointer's folder.
        model: fingerprint of that folder's files.
        recipe: fingerprint of its recipe.
        data: fingerprint of its curated rows.
        tokenizer: fingerprint of its tokenizer and chat template.
        template: fingerprint of its chat template alone.
        code: version and fingerprint of the code that trained and measured it.
        metrics: its values on its own test rows when it was promoted.
    """

    run: str
    checkpoint: str
    model: str
    recipe: str
    data: str
    tokenizer: str
    metrics: dict[str, float | None]
    template: str = ""
    code: str = ""

    def to_json(self) -> dict[str, Any]:
        """The form that the pointer holds."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the pointer says: who is the champion, over whom it was promoted, and what was decided before.

    `history` is the registry: one entry for each decision, the oldest first (`pipeline.promote.registry`).
    """

    champion: Champion
    promoted_over: Champion | None
    history: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The form of the file."""
        over = self.promoted_over.to_json() if self.promoted_over else None
        return {**self.champion.to_json(), "promoted_over": over, "history": self.history}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """The model that this run's training ended with."""

    folder: Path
    model: str
    tokenizer: str


def pointer_path(run: RunDirectory, recipe: Recipe) -> Path:
    """Where the pointer lies: `promote.champion`; that of the series; or beside the run, under the sources' names.

    So runs that lie side by side and were made from the same sources, in whatever order, compete, and others do not.
    """
    if recipe.promote.champion is not None:
        return Path(recipe.promote.champion)
    if (pointer := series_pointer(run.root)).exists():
        return pointer
    names = "+".join(sorted(source.name for source in recipe.sources))  # no name holds a +
    if len(names) > _LONGEST_NAME:
        names = fingerprint.of_value(names)
    return run.root.absolute().parent / f"champion-{names}.json"


def series_pointer(series: Path) -> Path:
    """The one pointer of all batches of a series, whichever sources each of them has."""
    return series.absolute() / "champion.json"


def read_pointer(path: Path) -> Standing | None:
    """Read the pointer, or return None where there is none yet.

    Raises:
        InputError: the file is not a pointer.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        over, history = value.pop("promoted_over"), value.pop("history", [])
        if not isinstance(history, list) or not all(isinstance(one, dict) and "event" in one for one in history):
            raise ValueError("history is not a list of decisions")
        former = _champion(over) if over is not None else None
        return Standing(champion=_champion(value), promoted_over=former, history=history)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"the pointer to the champion cannot be read: {type(error).__name__}: {error}",
            where=str(path),
            mend="restore the file, or delete it so that the next candidate becomes the champion; "
            "another file can be named in promote.champion",
        ) from None


def find_candidate(run: RunDirectory) -> Candidate | None:
    """The model that training ended with, from the manifest of `checkpoints`; None before training has finished."""
    manifest = Manifest.read(run.path("checkpoints"))
    if manifest is None:
        return None
    folder = f"checkpoints/{manifest.summary['checkpoint']}/model"
    files = {
        part["name"].removeprefix(f"{folder}/"): part["blake3"]
        for part in manifest.parts
        if part["name"].startswith(f"{folder}/")
    }
    return Candidate(
        folder=run.path(folder), model=_of_files(files), tokenizer=_of_files(_only(files, _TOKENIZER_FILES))
    )


def rival_of(candidate: Candidate, standing: Standing | None, pointer: Path) -> Champion | None:
    """Whom the candidate is measured against: the champion, or None where there is none.

    A candidate that is the champion already is measured against the one it was promoted over, so that running
    the same command again asks the same question and gets the same answer; where that model has been removed
    nothing is left to compare with.
    """
    if standing is None:
        return None
    if standing.champion.model != candidate.model:
        return standing.champion
    former = standing.promoted_over
    return former if former is not None and (pointer.parent / former.checkpoint).is_dir() else None


def champion_model(champion: Champion, pointer: Path) -> Path:
    """The folder of the champion's model, after a look at its content (about 1 GB/s).

    Raises:
        InputError: the folder is gone, or does not hold what was promoted.
    """
    folder = pointer.parent / champion.checkpoint
    mend = f"bring the folder back, or delete {pointer} so that the next candidate becomes the champion without a rival"
    if not folder.is_dir():
        raise InputError("the champion's model is gone", where=str(folder), mend=mend)
    if model_fingerprint(folder) != champion.model:
        raise InputError("the champion's model is not the one that was promoted", where=str(folder), mend=mend)
    return folder


def model_fingerprint(folder: Path) -> str:
    """Fingerprint of a model folder: the names and the content of its files."""
    return _of_files(_hashes(folder))


def tokenizer_fingerprint(folder: Path) -> str:
    """Fingerprint of the tokenizer and the chat template that lie in a model folder."""
    return _of_files(_only(_hashes(folder), _TOKENIZER_FILES))


def _champion(value: dict[str, Any]) -> Champion:
    champion = Champion(**value)
    for name in ("run", "checkpoint", "model", "recipe", "data", "tokenizer", "template", "code"):
        if not isinstance(getattr(champion, name), str):
            raise ValueError(f"{name} is not a string")
    if not isinstance(champion.metrics, dict):
        raise ValueError("metrics is not a mapping")
    return champion


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): fingerprint.of_file(path) for path in folder.rglob("*") if path.is_file()
    }


def _only(files: dict[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: files[name] for name in names if name in files}


def _of_files(files: dict[str, str]) -> str:
    return fingerprint.of_value(sorted(files.items()))
