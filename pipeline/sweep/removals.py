"""What each rule of a run removes, alone and in all, and how its signal is spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Bound
from pipeline.curate.rules import Values
from pipeline.run import RunDirectory
from pipeline.sweep.measured import MeasuredRows

__all__ = ["QUANTILES", "Removal", "removals"]

QUANTILES = (0.01, 0.1, 0.5, 0.9, 0.99)
"""Shown of a rule's signal."""


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What a rule removes from the rows of one kind.

    Attributes:
        rule: its name.
        kind: of the rows.
        bound: with its signal.
        rows: of that kind that reached the rules.
        failed: of them, that fail the rule.
        alone: of them, that fail no other one.
        quantiles: of the signal, at `QUANTILES`, each a value that some row has; None where no row has one, or the
            signal is text.
    """

    rule: str
    kind: str
    bound: Bound
    rows: int
    failed: int
    alone: int
    quantiles: tuple[float | None, ...]


def removals(run: RunDirectory, *, kind: str | None = None, source: str | None = None) -> list[Removal]:
    """What each rule of the run removes, the one that removes most alone first.

    Raises:
        InputError: the run has no such kind or source.
        RunDirectoryError: the run has no signals.
    """
    rows = MeasuredRows(run, kind=kind, source=source)
    found = []
    for name in rows.names:
        failed = rows.failed_in_run(name)
        alone = failed & (rows.failures == 1)
        for which in rows.kinds:
            bound = rows.rules[which].get(name)
            if bound is None:
                continue
            here = rows.of_kind(which)
            found.append(
                Removal(
                    rule=name,
                    kind=which,
                    bound=bound,
                    rows=int(here.sum()),
                    failed=int((failed & here).sum()),
                    alone=int((alone & here).sum()),
                    quantiles=_quantiles(rows, str(bound.signal), here),
                )
            )
    return sorted(found, key=lambda one: (-one.alone, -one.failed, one.rule, one.kind))


def _quantiles(rows: MeasuredRows, signal: str, here: NDArray[np.bool_]) -> tuple[float | None, ...]:
    values: Values | None = rows.signal(signal) if rows.has(signal) else None
    if not isinstance(values, np.ndarray):
        return (None,) * len(QUANTILES)
    there = values[here & ~np.isnan(values)]
    if not len(there):
        return (None,) * len(QUANTILES)
    return tuple(np.quantile(there, QUANTILES, method="inverted_cdf").tolist())
