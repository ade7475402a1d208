"""What evaluation measured, with intervals, in all and by source and kind."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.config import Recipe
from pipeline.report.funnel import read_metrics
from pipeline.run import Manifest, RunDirectory

__all__ = ["CONTENDERS", "Measured", "read_measures"]

CONTENDERS = ("before", "after", "champion")

_BETTER = {True: "higher", False: "lower"}

_MAX_EXPONENT = 700.0
"""exp of more is not a finite float64."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A measure on the rows of a split, or on those of one source or kind.

    Args:
        split: of the rows.
        metric: its name.
        part: the source or kind, or None for all rows.
        of: `source`, `kind` or `source and kind` (of one name); None for all rows.
        rows: how many rows have this measure; 0 where none has.
        better: `higher` or `lower`.
        columns: contender → `value`, `low`, `high` (95 %; None where there is no such number).
        copies: what exact copies of the references score, or None where no text is compared.
        shuffled: what the references of other rows score.
    """

    split: str
    metric: str
    part: str | None
    of: str | None
    rows: int
    better: str
    columns: Mapping[str, Mapping[str, float | None]]
    copies: float | None = None
    shuffled: float | None = None


def read_measures(run: RunDirectory, recipe: Recipe) -> list[Measured] | None:
    """Every measure on all rows of its split, then those on parts of them; None before evaluation has finished.

    Where all rows are of one source and one kind, parts would say the same again and are left out.
    """
    metrics, manifest = read_metrics(run), Manifest.read(run.path("evaluation"))
    if metrics is None or manifest is None:
        return None
    details = json.loads(run.path("evaluation/details.json").read_text(encoding="utf-8"))
    controls = manifest.summary.get("controls", {})
    return [*_whole(metrics, details, controls, recipe), *_parts(details, recipe)]


def _whole(
    metrics: Mapping[str, Any], details: Mapping[str, Any], controls: Mapping[str, Any], recipe: Recipe
) -> Iterator[Measured]:
    better = recipe.evaluate.measures()
    for split, values in metrics.items():
        for metric, value in values.items():
            known = _of(details[split], metric)
            compared = controls if split == "test" else {}
            yield Measured(
                split=split,
                metric=metric,
                part=None,
                of=None,
                rows=_rows(known),
                better=_BETTER[better.get(metric, False)],
                columns={name: {**_bounds(known, name), "value": value.get(name)} for name in CONTENDERS},
                copies=compared.get("copies", {}).get(metric),
                shuffled=compared.get("shuffled", {}).get(metric),
            )


def _parts(details: Mapping[str, Any], recipe: Recipe) -> Iterator[Measured]:
    sources, kinds = {one.name for one in recipe.sources}, {one.kind for one in recipe.sources}
    better = recipe.evaluate.measures()
    for split, values in details.items():
        for name, known in values.items():
            metric, _, part = name.partition("@")
            if not part or _rows(known) == _rows(values[metric]):
                continue
            whose = [what for what, names in (("source", sources), ("kind", kinds)) if part in names]
            yield Measured(
                split=split,
                metric=metric,
                part=part,
                of=" and ".join(whose) or "source",
                rows=_rows(known),
                better=_BETTER[better.get(metric, False)],
                columns={name: _bounds(known, name) for name in CONTENDERS},
            )


def _of(details: Mapping[str, Any], metric: str) -> Mapping[str, Any]:
    """A measure's details; of the perplexity, which is a function of the loss, the bounds are that function's too."""
    if metric != "perplexity":
        return dict(details.get(metric, {}))
    return {
        name: {key: _exp(value) if key != "rows" else value for key, value in one.items()}
        for name, one in details.get("loss", {}).items()
    }


def _exp(value: float | None) -> float | None:
    return math.exp(value) if value is not None and value < _MAX_EXPONENT else None


def _bounds(known: Mapping[str, Any], contender: str) -> dict[str, float | None]:
    one = known.get(contender, {})
    return {key: one.get(key) for key in ("value", "low", "high")}


def _rows(known: Mapping[str, Any]) -> int:
    return max((one["rows"] for one in known.values()), default=0)
