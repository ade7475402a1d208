"""Rows kept and dropped under other bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Bound
from pipeline.curate.rules import Values, failing
from pipeline.errors import InputError
from pipeline.run import RunDirectory
from pipeline.sweep.measured import MeasuredRows
from pipeline.sweep.settings import Setting, parse_settings, signal_of, with_setting

__all__ = ["Outcome", "sweep"]

_MOST = 1000
"""Combinations of values; more is a slip of the keyboard."""

Settings = tuple[Setting, ...]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What becomes of the rows of one source, or of all, under some settings.

    Attributes:
        settings: none for the run as it is.
        source: its name; None for all rows that were looked at.
        rows: that reached the rules.
        kept: that pass every rule.
        change: of `kept` against the run as it is.
        alone: rule that is swept → rows that fail it and no other rule.
    """

    settings: Settings
    source: str | None
    rows: int
    kept: int
    change: int
    alone: Mapping[str, int]

    @property
    def dropped(self) -> int:
        """Rows that fail some rule."""
        return self.rows - self.kept


def sweep(
    run: RunDirectory, expressions: Sequence[str], *, kind: str | None = None, source: str | None = None
) -> list[Outcome]:
    """Count rows for every combination of values.

    A setting replaces one side of the rule's bound, for every kind that is looked at, and leaves its other side; where
    a kind has no such rule, it gets one of that side alone.

    Args:
        run: whose pass one has finished.
        expressions: `rule.min=20,50,100`; `rule.in=en,en+de` for a signal that is text; `null` is no bound.
        kind: only rows of this kind.
        source: only rows of this source.

    Returns:
        The run as it is, then every combination; of each the outcome for all rows, and where there are several sources
        also for each of them.

    Raises:
        InputError: an expression is wrong, the run has no such rule, kind or source, or no row has the signal.
        RunDirectoryError: the run has no signals.
    """
    rows = MeasuredRows(run, kind=kind, source=source)
    swept = parse_settings(expressions, rows)
    if (count := prod(map(len, swept))) > _MOST:
        raise InputError(f"{count:,} combinations of values are more than {_MOST:,}", mend="sweep fewer rules at once")
    rules = {name: _Swept(name, rows) for name in dict.fromkeys(settings[0].rule for settings in swept)}
    # Failures of the rules that stay as they are.
    others = rows.failures - sum(rule.as_run.astype(np.int64) for rule in rules.values())
    as_run = rows.failures == 0
    outcomes = list(_count(rows, (), rows.failures, as_run, {name: rule.as_run for name, rule in rules.items()}))
    for settings in product(*swept):
        fails = {name: rule.failing(settings) for name, rule in rules.items()}
        failures = others + sum(failed.astype(np.int64) for failed in fails.values())
        outcomes += _count(rows, settings, failures, as_run, fails)
    return outcomes


class _Swept:
    """A rule whose bound is tried; its signal is read once."""

    def __init__(self, name: str, rows: MeasuredRows) -> None:
        self._name = name
        self._rows = rows
        self._signal = str(signal_of(name, rows))
        if len(rows) and not rows.has(self._signal):
            raise InputError(
                f"no row that is looked at has a {self._signal}", mend="docs/signals.md says when it is measured"
            )
        self._values: Values = rows.signal(self._signal) if len(rows) else np.zeros(0)
        self._done: dict[Settings, NDArray[np.bool_]] = {}
        self.as_run = rows.failed_in_run(name)

    def failing(self, settings: Settings) -> NDArray[np.bool_]:
        """Which rows fail the rule, given the settings that are its own."""
        own = tuple(setting for setting in settings if setting.rule == self._name)
        if own not in self._done:
            failed = np.zeros(len(self._rows), np.bool_)
            for kind in self._rows.kinds:
                bound = self._rows.rules[kind].get(self._name) or Bound.model_construct(signal=self._signal)
                for setting in own:
                    bound = with_setting(bound, setting)
                failed |= failing(bound, self._values) & self._rows.of_kind(kind)
            self._done[own] = failed
        return self._done[own]


def _count(
    rows: MeasuredRows,
    settings: Settings,
    failures: NDArray[np.int64],
    as_run: NDArray[np.bool_],
    fails: Mapping[str, NDArray[np.bool_]],
) -> Iterator[Outcome]:
    """The outcome for all rows, and where there are several sources for each of them."""
    sources: list[str | None] = [None, *rows.sources] if len(rows.sources) > 1 else [None]
    for source in sources:
        here = np.ones(len(rows), np.bool_) if source is None else rows.of_source(source)
        kept = int(((failures == 0) & here).sum())
        yield Outcome(
            settings=settings,
            source=source,
            rows=int(here.sum()),
            kept=kept,
            change=kept - int((as_run & here).sum()),
            alone={name: int((failed & (failures == 1) & here).sum()) for name, failed in fails.items()},
        )
