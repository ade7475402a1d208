"""A rule is a bound on a signal. Every rule is evaluated for every row, not only the first that fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import Bound, Rules
from pipeline.curate.presets import PRESETS
from pipeline.schema import LEDGER, VERDICTS

__all__ = ["Verdicts", "failing", "judge", "rules_for"]

Values: TypeAlias = "NDArray[np.int64] | NDArray[np.float64] | pa.Array"
"""A signal: numbers (NaN: it does not apply), or an Arrow array of texts (null likewise)."""


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """What the rules say about rows.

    Attributes:
        failed: rule → bool [rows], true where the row fails it; every rule, in the order of names.
        lines: one ledger line for each rule that a row failed.
        rows: how many were judged.
    """

    failed: dict[str, NDArray[np.bool_]]
    lines: pa.Table
    rows: int

    @cached_property
    def failures(self) -> NDArray[np.int64]:
        """How many rules each row fails: int64 [rows]."""
        total = np.zeros(self.rows, np.int64)
        for failed in self.failed.values():
            total += failed
        return total

    @property
    def passed(self) -> NDArray[np.bool_]:
        """True where every rule holds: bool [rows]."""
        passed: NDArray[np.bool_] = self.failures == 0
        return passed

    def counts(self) -> dict[str, dict[str, int]]:
        """Rule → rows that fail it, and rows that fail it alone, which would stay without it."""
        return {
            name: {"failed": int(failed.sum()), "alone": int((failed & (self.failures == 1)).sum())}
            for name, failed in self.failed.items()
        }

    def names(self) -> pa.ListArray:
        """The rules that each row fails, in the order of names: list<string> [rows]."""
        offsets = np.zeros(self.rows + 1, np.int32)
        np.cumsum(self.failures, out=offsets[1:])
        rules = np.zeros(int(offsets[-1]), np.int32)
        following = offsets[:-1].copy()
        for number, failed in enumerate(self.failed.values()):
            rules[following[failed]] = number
            following += failed
        names = pa.array(list(self.failed), pa.string()).take(pa.array(rules))
        return pa.ListArray.from_arrays(pa.array(offsets), names, type=VERDICTS.field("failed").type)


def rules_for(rules: Rules, kind: str) -> dict[str, Bound]:
    """The rules for rows of `kind` in the order of their names, each bound with its signal.

    The preset's come first, then `rules.all`, then the kind's own: a later rule takes the place of an earlier one of
    its name, and null drops it. No preset has rules for retrieval rows.
    """
    bounds: dict[str, Bound | None] = {**PRESETS[rules.preset].get(kind, {}), **rules.all, **getattr(rules, kind)}
    return {
        name: bound.model_copy(update={"signal": bound.signal or name})
        for name, bound in sorted(bounds.items())
        if bound is not None
    }


def judge(rules: Mapping[str, Bound], signals: Mapping[str, Values], ids: pa.Array, sources: pa.Array) -> Verdicts:
    """Evaluate every rule on every row.

    Args:
        rules: rule name → bound, as `rules_for` gives them.
        signals: signal name → values [rows], of every signal that a rule bounds.
        ids: string [rows].
        sources: string [rows].
    """
    failed = {}
    lines = []
    for name, bound in rules.items():
        signal = bound.signal or name
        failed[name] = failing(bound, signals[signal])
        if failed[name].any():
            lines.append(_lines(name, bound, signals[signal], np.flatnonzero(failed[name]), ids, sources))
    return Verdicts(failed=failed, lines=pa.concat_tables([LEDGER.empty_table(), *lines]), rows=len(ids))


def failing(bound: Bound, values: Values) -> NDArray[np.bool_]:
    """Which values lie outside a bound: bool [rows]; one that is NaN or null never does."""
    if bound.within is not None:
        outside = pc.invert(pc.is_in(values, pa.array(bound.within, pa.string())))
        found: NDArray[np.bool_] = pc.and_(outside, pc.is_valid(values)).to_numpy(zero_copy_only=False)
        return found
    failed = np.zeros(len(values), np.bool_)
    if bound.min is not None:
        failed |= values < bound.min
    if bound.max is not None:
        failed |= values > bound.max
    return failed


def _lines(
    name: str, bound: Bound, values: Values, where: NDArray[np.int64], ids: pa.Array, sources: pa.Array
) -> pa.Table:
    """The ledger's lines for the rows that failed a rule; of a text that is not `in` the text is the evidence."""
    rows = pa.array(where)
    value = threshold = pa.nulls(len(where), pa.float64())
    evidence = pa.nulls(len(where), pa.string())
    if bound.within is not None:
        evidence = values.take(rows).cast(pa.string())
    else:
        numbers = np.asarray(values)[where].astype(np.float64)
        low = -np.inf if bound.min is None else bound.min
        high = np.inf if bound.max is None else bound.max
        value, threshold = pa.array(numbers), pa.array(np.where(numbers < low, low, high))
    return pa.table(
        {
            "id": ids.take(rows),
            "source": sources.take(rows),
            "stage": pa.repeat("filter", len(where)),
            "rule": pa.repeat(name, len(where)),
            "value": value,
            "threshold": threshold,
            "evidence": evidence,
        },
        schema=LEDGER,
    )
