"""What becomes of rows that are too long, badly tokenised, or would train nothing; every token accounted for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Bound
from pipeline.errors import InputError
from pipeline.pack.account import Account
from pipeline.pack.cut import keep
from pipeline.pack.slices import Slices
from pipeline.pack.tokens import Survey, TokenRows

__all__ = ["Dropped", "Fate", "decide"]

Integers = NDArray[np.int64]


class Dropped(NamedTuple):
    """Rows that one rule dropped; each of shape (dropped,)."""

    rows: Integers
    values: NDArray[np.float64]
    """Tokens, or characters a token."""
    thresholds: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Fate:
    """Which rows of a split go into bins, and how much of each."""

    slices: Slices
    """The examples; in the order of their rows, unless they are blended. A row that was split is several."""
    targets: Integers
    """Shape (examples,), of each: at least one."""
    dropped: dict[str, Dropped]
    """By rule."""
    account: Account

    @property
    def rows(self) -> Integers:
        """Shape (examples,), row numbers."""
        return self.slices.rows

    @property
    def lengths(self) -> Integers:
        """Shape (examples,), tokens of each that go into a bin: 1 … seq_length."""
        return self.slices.lengths

    def gather(self, tokens: TokenRows, examples: Integers) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """The tokens of examples one after another, and their masks: `Slices.gather` of some, in any order."""
        return self.slices.take(examples).gather(tokens)

    def only(self, keep: NDArray[np.bool_]) -> Fate:
        """Some of the examples; the account stays that of all."""
        return replace(self, slices=self.slices.take(np.flatnonzero(keep)), targets=self.targets[keep])


def decide(
    survey: Survey,
    capacity: int,
    policy: Literal["truncate", "drop", "raise", "split"],
    fertility: Bound | None = None,
    *,
    split: str,
    rows: TokenRows,
    method: Literal["right", "left"] = "right",
    bos_id: int | None = None,
) -> Fate:
    """Apply `pack.overflow` and `pack.fertility`, and drop what has no target.

    Args:
        survey: of the split's rows.
        capacity: `pack.seq_length`.
        policy: `truncate` cuts what the row's `cuts` and `method` say; `split` makes an example of every `capacity`
            tokens.
        fertility: characters a token that a row may have.
        split: named in errors.
        rows: the rows themselves: of long ones the masks are read, and the id of one that an error names.
        method: `pack.truncation_method`.
        bos_id: the begin-of-sequence token, which `left` leaves at a row's front.

    Raises:
        InputError: `raise`, and a row is too long.
    """
    lengths = survey.lengths
    long = lengths > capacity
    if policy == "raise" and long.any():
        first = int(np.argmax(long))
        rows_are = "1 row is" if long.sum() == 1 else f"{int(long.sum())} rows are"
        raise InputError(
            f"{rows_are} longer than a bin of {capacity} tokens; the first has {int(lengths[first])}",
            where=f"{split}: row {rows.ids(np.array([first]))[0].as_py()}",
            mend="raise `pack.seq_length`, or choose `pack.overflow: truncate`, `split` or `drop`",
        )
    overflow = long if policy == "drop" else np.zeros_like(long)
    low, high = (fertility.min, fertility.max) if fertility else (None, None)
    below = ~overflow & (survey.fertility < (low if low is not None else -np.inf))
    above = ~overflow & (survey.fertility > (high if high is not None else np.inf))
    taken = ~overflow & ~below & ~above
    made = _examples(np.flatnonzero(taken), lengths, capacity, policy, rows, method, bos_id)
    targets = _targets(made, survey, rows)
    learnt = targets > 0
    found = made.take(np.flatnonzero(learnt))
    kept = np.zeros_like(long)
    kept[found.rows] = True
    no_target = taken & ~kept
    bound = np.where(below, low or 0.0, high or 0.0)
    dropped = {
        "overflow": _dropped(overflow, lengths, np.full(len(lengths), capacity)),
        "fertility": _dropped(below | above, survey.fertility, bound),
        "no_target": _dropped(no_target, np.zeros(len(lengths)), np.ones(len(lengths))),
    }
    tokens = {rule: int(lengths[one.rows].sum()) for rule, one in dropped.items()}
    # A piece of a split row that has nothing to learn goes alone; the row's other pieces stay.
    tokens["no_target"] += int(made.lengths[~learnt & kept[made.rows]].sum())
    cut = kept & long & (policy == "truncate")
    account = Account(
        rows_in=len(lengths),
        tokens_in=int(lengths.sum()),
        rows=int(kept.sum()),
        examples=len(found.rows),
        targets=int(targets[learnt].sum()),
        masked=int(found.lengths.sum() - targets[learnt].sum()),
        truncated_rows=int(cut.sum()),
        truncated_tokens=int((lengths[cut] - capacity).sum()),
        split_rows=int((kept & long).sum()) if policy == "split" else 0,
        ends_lost=int(kept.sum()) - int((found.ends() == lengths[found.rows]).sum()),
        dropped={rule: {"rows": len(one.rows), "tokens": tokens[rule]} for rule, one in dropped.items()},
    )
    account.check(split)
    return Fate(slices=found, targets=targets[learnt], dropped=dropped, account=account)


def _examples(
    taken: Integers,
    lengths: Integers,
    capacity: int,
    policy: str,
    rows: TokenRows,
    method: Literal["right", "left"],
    bos_id: int | None,
) -> Slices:
    """An example for each row, or for each piece of it; nothing is dropped yet."""
    pieces = -(-lengths[taken] // capacity) if policy == "split" else np.ones(len(taken), np.int64)
    pieces = np.maximum(pieces, 1)
    row = np.repeat(taken, pieces)
    first = capacity * (np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces))
    length = np.minimum(lengths[row] - first, capacity)
    later = np.flatnonzero(first)
    stretches = later, first[later], length[later]
    if policy == "truncate":
        long = np.flatnonzero(lengths[row] > capacity)
        cuts = rows.cuts(row[long])
        begins = rows.first_tokens(row[long])
        parts = [
            (int(number), *part)
            for number, fields, begin in zip(long, cuts, begins.tolist(), strict=True)
            for part in keep(
                int(lengths[row[number]]), capacity, fields, method, front=int(bos_id is not None and begin == bos_id)
            )
        ]
        number, begin, size = np.array(parts, np.int64).reshape(-1, 3).T
        stretches = number, begin, size
    return Slices(row, length, *stretches)


def _targets(made: Slices, survey: Survey, rows: TokenRows) -> Integers:
    """Targets of each example; the masks of those are read that are not whole rows."""
    found = survey.targets[made.rows].copy()
    part = np.flatnonzero(made.lengths != survey.lengths[made.rows])
    if len(part):
        _, loss = made.take(part).gather(rows)
        ends = np.cumsum(made.lengths[part])
        before = np.concatenate([[0], np.cumsum(loss, dtype=np.int64)])
        found[part] = before[ends] - before[ends - made.lengths[part]]
    return found


def _dropped(where: NDArray[np.bool_], values: NDArray[Any], thresholds: NDArray[Any]) -> Dropped:
    return Dropped(np.flatnonzero(where), values[where].astype(np.float64), thresholds[where].astype(np.float64))
