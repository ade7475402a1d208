"""Rows of several sources in the proportion that the recipe asks for, exactly, in a shuffle of everything.

With weights w and N rows of each source, reduced by their common divisor, w·k rows of every source are taken. `stop`
takes the largest k for which no source runs out; `repeat` the smallest for which every row is taken, so that rows of
scarcer sources come more than once, no two of a source differing by more than one. Which rows are left, or come once
more, is drawn by the seed; so is the order of all rows, in memory at once: 8 bytes a row, and no buffer. A row that was
split (`overflow: split`) is one row: it comes, comes again or goes with all its examples.
"""

from __future__ import annotations

from dataclasses import replace
from math import gcd
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.config import Blend
from pipeline.errors import InputError
from pipeline.mixing import shuffled
from pipeline.pack.overflow import Dropped, Fate
from pipeline.pack.slices import consecutive
from pipeline.pack.tokens import Survey, TokenRows

__all__ = ["Blended", "blended", "counts_of"]

_IDS = 1 << 20
"""Ids that are in memory at once."""


class Blended(NamedTuple):
    """A blend of rows, and what it is made of."""

    fate: Fate
    sources: dict[str, dict[str, int]]
    """Source → `weight`, `rows` that it has, `taken` (repeats count) and `dropped` rows."""


def blended(fate: Fate, survey: Survey, rows: TokenRows, blend: Blend, *, seed: int) -> Blended:
    """Choose among the rows that go into bins, and shuffle them.

    Args:
        fate: of the split's rows.
        survey: of the same.
        rows: asked for the sources, which begin the ids.
        blend: weights of sources.
        seed: of the recipe.

    Raises:
        InputError: a source of the blend has no rows, or fewer than its weight under `stop`.
    """
    held_rows = _Held.of(fate, survey)
    # Sorted, because the recipe's fingerprint does not know the order of keys, and a source's number seeds its shuffle.
    source_of, names = _sources(held_rows.rows, rows, sorted(blend.weights))
    held = {name: int((source_of == number).sum()) for number, name in enumerate(names)}
    wanted = counts_of(held, blend)
    chosen, gone, ranks, bounds = [], [], [], []
    for number, name in enumerate(names):
        mine = np.flatnonzero(source_of == number)
        mine = mine[shuffled(len(mine), seed + number)]
        count = wanted[name]
        chosen.append(np.resize(mine, count) if count else mine[:0])
        gone.append(mine[count:])
        ranks.append(np.arange(count, max(count, len(mine))))
        bounds.append(np.full(len(gone[-1]), count))
    taken = np.concatenate(chosen)
    taken = taken[shuffled(len(taken), seed)]
    left = np.concatenate(gone)
    dropped = Dropped(
        held_rows.rows[left], np.concatenate(ranks).astype(np.float64) + 1, np.concatenate(bounds).astype(np.float64)
    )
    about = {
        name: {
            "weight": blend.weights[name],
            "rows": held[name],
            "taken": wanted[name],
            "dropped": max(0, held[name] - wanted[name]),
        }
        for name in names
    }
    return Blended(_fate(fate, held_rows, taken, left, dropped), about)


def counts_of(held: dict[str, int], blend: Blend) -> dict[str, int]:
    """How many rows of each source are taken, of so many that it has.

    Raises:
        InputError: a source of the blend has no rows, or fewer than its weight under `stop`.
    """
    divisor = gcd(*blend.weights.values()) or 1
    weights = {name: weight // divisor for name, weight in blend.weights.items()}
    few = [
        name for name, weight in weights.items() if held[name] < (weight if blend.exhausted == "stop" else weight > 0)
    ]
    if few:
        raise InputError(
            f"source {few[0]} has {held[few[0]]} rows to train on, too few for its weight of {weights[few[0]]}",
            where="blend.weights",
            mend="lower the weights, give it more data, or choose `exhausted: repeat` where it has any",
        )
    weighed = [name for name, weight in weights.items() if weight]
    if blend.exhausted == "stop":
        times = min(held[name] // weights[name] for name in weighed)
    else:
        times = max(-(-held[name] // weights[name]) for name in weighed)
    return {name: weight * times for name, weight in weights.items()}


class _Held(NamedTuple):
    """The rows that go into bins before the blend, m of them: each comes or goes with all its examples."""

    rows: NDArray[np.int64]
    """Shape (m,), ascending row numbers."""
    first: NDArray[np.int64]
    """Shape (m,), the first example of each."""
    examples: NDArray[np.int64]
    """Shape (m,), how many each has."""
    tokens: NDArray[np.int64]
    """Shape (m,), of these examples."""
    cut: NDArray[np.int64]
    """Shape (m,), tokens that each has lost by `overflow: truncate`."""
    split: NDArray[np.bool_]
    """Shape (m,), whether `overflow: split` made it several examples, or left some of it out."""
    ended: NDArray[np.bool_]
    """Shape (m,), whether its last token is in a bin."""

    @classmethod
    def of(cls, fate: Fate, survey: Survey) -> _Held:
        rows, first, examples = np.unique(fate.rows, return_index=True, return_counts=True)
        full = survey.lengths[rows]
        before = np.concatenate([[0], np.cumsum(fate.lengths)])
        tokens = before[first + examples] - before[first]
        # What a split row lacks is in the account already, as pieces without a target.
        policy_splits = fate.account.split_rows > 0
        ended = np.isin(rows, fate.rows[fate.slices.ends() == survey.lengths[fate.rows]])
        return cls(
            rows=rows,
            first=first,
            examples=examples,
            tokens=tokens,
            cut=np.zeros_like(full) if policy_splits else full - tokens,
            split=(full > fate.lengths[first]) & policy_splits,
            ended=ended,
        )


def _sources(held: NDArray[np.int64], rows: TokenRows, names: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The number of each kept row's source among the names."""
    found = [np.empty(0, np.int64)]
    for first in range(0, len(held), _IDS):
        ids = rows.ids(held[first : first + _IDS])
        sources = pc.list_element(pc.split_pattern(ids, "/", max_splits=1), 0)
        found.append(
            pc.index_in(sources, value_set=pa.array(names, pa.string())).to_numpy(zero_copy_only=False).astype(np.int64)
        )
    return np.concatenate(found), names


def _fate(fate: Fate, held: _Held, taken: NDArray[np.int64], left: NDArray[np.int64], dropped: Dropped) -> Fate:
    """The fate of the rows after the blend; `taken` and `left` are places among the rows before it."""
    once = np.unique(taken)
    items = consecutive(held.first[taken], held.examples[taken])
    slices, targets = fate.slices.take(items), fate.targets[items]
    tokens = int(slices.lengths.sum())
    account = replace(
        fate.account,
        rows=len(taken),
        examples=len(items),
        targets=int(targets.sum()),
        masked=tokens - int(targets.sum()),
        truncated_rows=int((held.cut[once] > 0).sum()),
        truncated_tokens=int(held.cut[once].sum()),
        split_rows=int(held.split[once].sum()),
        ends_lost=len(once) - int(held.ended[once].sum()),
        repeated_rows=len(taken) - len(once),
        repeated_tokens=tokens - int(held.tokens[once].sum()),
        dropped={
            **fate.account.dropped,
            "blend": {"rows": len(left), "tokens": int((held.tokens + held.cut)[left].sum())},
        },
    )
    account.check("train")
    return Fate(slices=slices, targets=targets, dropped={**fate.dropped, "blend": dropped}, account=account)
