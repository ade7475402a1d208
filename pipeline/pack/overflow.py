"""What becomes of rows that are too long, badly tokenised, or would train nothing; every token accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Bound
from pipeline.errors import InputError
from pipeline.pack.account import Account
from pipeline.pack.cut import keep
from pipeline.pack.tokens import Survey, TokenRows

__all__ = ["Dropped", "Fate", "decide"]

Integers = NDArray[np.int64]


class Dropped(NamedTuple):
    """Rows that one rule dropped; each of shape (dropped,)."""

    rows: Integers
    values: NDArray[np.float64]
    """Tokens, or characters a token."""
    thresholds: NDArray[np.float64]


class _Ranges(NamedTuple):
    """Stretches of rows' tokens, those of an example one after another."""

    example: Integers
    """Shape (ranges,), the number of the example that it is part of; ascending."""
    first: Integers
    length: Integers


@dataclass(frozen=True, kw_only=True)
class Fate:
    """Which rows of a split go into bins, and how much of each."""

    rows: Integers
    """Shape (examples,), row numbers in order; a row that was split comes more than once."""
    lengths: Integers
    """Shape (examples,), tokens of each that go into a bin: 1 … seq_length."""
    ranges: _Ranges
    """Where in their rows the tokens of examples stand that are not the front of their row."""
    dropped: dict[str, Dropped]
    """By rule."""
    account: Account

    def gather(self, tokens: TokenRows, examples: Integers) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """The tokens of examples one after another, and their masks; the first token of each is no target.

        Args:
            tokens: the split's.
            examples: shape (n,), numbers in any order.

        Returns:
            Two arrays of shape (sum of lengths,).
        """
        begin = np.searchsorted(self.ranges.example, examples, side="left")
        count = np.searchsorted(self.ranges.example, examples, side="right") - begin
        own = np.maximum(count, 1)
        offset = np.arange(int(own.sum())) - np.repeat(np.cumsum(own) - own, own)
        whole = np.repeat(count == 0, own)
        first, length = np.zeros(len(whole), np.int64), np.repeat(self.lengths[examples], own)
        number = np.repeat(begin, own)[~whole] + offset[~whole]
        first[~whole], length[~whole] = self.ranges.first[number], self.ranges.length[number]
        found, loss = tokens.gather(np.repeat(self.rows[examples], own), length, first)
        lengths = self.lengths[examples]
        loss[(np.cumsum(lengths) - lengths)[lengths > 0]] = False
        return found, loss

    def only(self, keep: NDArray[np.bool_]) -> Fate:
        """Some of the examples; the account stays that of all."""
        number = np.cumsum(keep) - 1
        mine = keep[self.ranges.example]
        example, first, length = self.ranges
        return Fate(
            rows=self.rows[keep],
            lengths=self.lengths[keep],
            ranges=_Ranges(number[example[mine]], first[mine], length[mine]),
            dropped=self.dropped,
            account=self.account,
        )


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
        raise InputError(
            f"{int(long.sum())} rows are longer than a bin of {capacity} tokens; the first has {int(lengths[first])}",
            where=f"{split}: row {rows.ids(np.array([first]))[0].as_py()}",
            mend="raise `pack.seq_length`, or choose `pack.overflow: truncate`, `split` or `drop`",
        )
    overflow = long if policy == "drop" else np.zeros_like(long)
    low, high = (fertility.min, fertility.max) if fertility else (None, None)
    below = ~overflow & (survey.fertility < (low if low is not None else -np.inf))
    above = ~overflow & (survey.fertility > (high if high is not None else np.inf))
    taken = ~overflow & ~below & ~above
    fate = _examples(np.flatnonzero(taken), lengths, capacity, policy, rows, method, bos_id)
    targets = _targets(fate, survey, rows)
    learnt = targets > 0
    kept = np.zeros_like(long)
    kept[fate.rows[learnt]] = True
    no_target = taken & ~kept
    bound = np.where(below, low or 0.0, high or 0.0)
    dropped = {
        "overflow": _dropped(overflow, lengths, np.full(len(lengths), capacity)),
        "fertility": _dropped(below | above, survey.fertility, bound),
        "no_target": _dropped(no_target, np.zeros(len(lengths)), np.ones(len(lengths))),
    }
    tokens = {rule: int(lengths[one.rows].sum()) for rule, one in dropped.items()}
    # A piece of a split row that has nothing to learn goes alone; the row's other pieces stay.
    tokens["no_target"] += int(fate.lengths[~learnt & kept[fate.rows]].sum())
    cut = kept & long & (policy == "truncate")
    found = fate.only(learnt)
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
        ends_lost=int(kept.sum()) - _ends(found, lengths),
        dropped={rule: {"rows": len(one.rows), "tokens": tokens[rule]} for rule, one in dropped.items()},
    )
    account.check(split)
    return Fate(rows=found.rows, lengths=found.lengths, ranges=found.ranges, dropped=dropped, account=account)


def _examples(
    taken: Integers,
    lengths: Integers,
    capacity: int,
    policy: str,
    rows: TokenRows,
    method: Literal["right", "left"],
    bos_id: int | None,
) -> Fate:
    """An example for each row, or for each piece of it; nothing is dropped yet."""
    pieces = -(-lengths[taken] // capacity) if policy == "split" else np.ones(len(taken), np.int64)
    pieces = np.maximum(pieces, 1)
    row = np.repeat(taken, pieces)
    first = capacity * (np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces))
    length = np.minimum(lengths[row] - first, capacity)
    example = np.flatnonzero(first)
    ranges = _Ranges(example, first[example], length[example])
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
        ranges = _Ranges(*np.array(parts, np.int64).reshape(-1, 3).T)
    return Fate(rows=row, lengths=length, ranges=ranges, dropped={}, account=Account.empty())


def _targets(fate: Fate, survey: Survey, rows: TokenRows) -> Integers:
    """Targets of each example; the masks of those are read that are not whole rows."""
    found = survey.targets[fate.rows].copy()
    part = np.flatnonzero(fate.lengths != survey.lengths[fate.rows])
    if len(part):
        _, loss = fate.gather(rows, part)
        ends = np.cumsum(fate.lengths[part])
        before = np.concatenate([[0], np.cumsum(loss, dtype=np.int64)])
        found[part] = before[ends] - before[ends - fate.lengths[part]]
    return found


def _ends(fate: Fate, lengths: Integers) -> int:
    """How many rows have their last token in a bin."""
    last = fate.lengths.copy()
    example, first, length = fate.ranges
    last[example] = 0  # an example with ranges ends where the last of them does
    np.maximum.at(last, example, first + length)
    return int((last == lengths[fate.rows]).sum())


def _dropped(where: NDArray[np.bool_], values: NDArray[Any], thresholds: NDArray[Any]) -> Dropped:
    return Dropped(np.flatnonzero(where), values[where].astype(np.float64), thresholds[where].astype(np.float64))
