"""The registry: what was decided of which model, oldest first, in the pointer's own file.

One file, so that no kill can leave a pointer and a registry that disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pipeline
from pipeline import fingerprint
from pipeline.evaluate.champion import Champion

__all__ = ["code_fingerprint", "entry", "formers", "is_promoted", "is_rolled_back", "known"]


_CROWNED = ("promoted", "rolled_back", "restored")
"""Events after which the model is the champion."""


def entry(
    event: str, champion: Champion, *, reason: str, against: Champion | None, base: str | None = None
) -> dict[str, Any]:
    """A decision.

    Args:
        event: `promoted`; `kept`: the champion that there was; `rolled_back`: to this model, from `against`;
            `restored`: to this model, which had been taken back.
        champion: the model that was decided about, as it would stand in the pointer.
        reason: the gate's sentence.
        against: the champion of that moment.
        base: what the model was trained from.
    """
    return {
        "event": event,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **champion.to_json(),
        "base": base,
        "reason": reason,
        "against": against.model if against else None,
    }


def known(history: Sequence[Mapping[str, Any]], new: Mapping[str, Any]) -> bool:
    """Whether the last decision of a model says the same: a command that is repeated decides nothing new."""
    last = next((one for one in reversed(history) if one.get("model") == new["model"]), None)
    return last is not None and all(last.get(key) == new[key] for key in ("event", "against", "reason"))


def is_rolled_back(history: Sequence[Mapping[str, Any]], model: str) -> str | None:
    """When a model was taken back, if that is the last that was decided of its place; else None."""
    for one in reversed(history):
        if one["event"] == "rolled_back" and one.get("against") == model:
            return str(one.get("time"))
        if one["event"] in _CROWNED and one.get("model") == model:
            return None
    return None


def is_promoted(history: Sequence[Mapping[str, Any]], model: str, reason: str) -> bool:
    """Whether the last that was decided of a model is its promotion for this reason."""
    last = next((one for one in reversed(history) if one.get("model") == model), None)
    return last is not None and (last["event"], last["reason"]) == ("promoted", reason)


def formers(history: Sequence[Mapping[str, Any]], champion: str) -> list[str]:
    """Models that were champions before `champion` was, the latest first, each once; taken back ones are left out."""
    found: list[str] = []
    for one in reversed(history):
        model = str(one.get("model"))
        if one["event"] in _CROWNED and model != champion and model not in found:
            found.append(model)
    return [model for model in found if is_rolled_back(history, model) is None]


@cache
def code_fingerprint() -> str:
    """The project's version, and a fingerprint of its source files: two models of one recipe may differ by it."""
    root = Path(pipeline.__file__).parent
    files = [[path.relative_to(root).as_posix(), fingerprint.of_file(path)] for path in sorted(root.rglob("*.py"))]
    return f"{pipeline.__version__} {fingerprint.of_value(files)}"
