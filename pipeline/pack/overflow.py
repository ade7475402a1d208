"""What becomes of rows that are too long, badly tokenised, or would train nothing; every token accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Bound
from pipeline.errors import InputError, StageError
from pipeline.pack.tokens import Survey, TokenRows

__all__ = ["Account", "Dropped", "Fate", "decide"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where rows and tokens of a split went: `tokens_in = targets + masked - repeated + truncated + dropped`."""

    rows_in: int
    tokens_in: int
    rows: int
    """In bins."""
    targets: int
    """Tokens that are trained to be predicted."""
    masked: int
    """Tokens in bins that are context only."""
    truncated_rows: int
    """Rows that lost their end, and with it the token that says so: the model does not learn to stop from them."""
    truncated_tokens: int
    dropped: dict[str, dict[str, int]]
    """Rule → rows and tokens: `overflow` (longer than a bin), `fertility` (outside `pack.fertility`) and `no_target`
    (nothing to learn from). A row is counted under the first that it fails."""

    repeated_rows: int = 0
    """Of `rows`, those that are in bins once more (`blend`)."""
    repeated_tokens: int = 0
    """Of `tokens`, those of repeated rows."""

    @property
    def tokens(self) -> int:
        """In bins."""
        return self.targets + self.masked

    def check(self, split: str) -> None:
        """Raise if rows or tokens were lost or made."""
        rows = self.rows - self.repeated_rows + sum(one["rows"] for one in self.dropped.values())
        tokens = (
            self.tokens
            - self.repeated_tokens
            + self.truncated_tokens
            + sum(one["tokens"] for one in self.dropped.values())
        )
        if (rows, tokens) != (self.rows_in, self.tokens_in):
            raise StageError(
                f"pack: {self.rows_in} rows and {self.tokens_in} tokens came in, {rows} and {tokens} are accounted for",
                where=split,
                mend="this is a defect of the project: please report it with the run's manifests",
            )


class Dropped(NamedTuple):
    """Rows that one rule dropped; each of shape (dropped,)."""

    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    """Tokens, or characters a token."""
    thresholds: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Fate:
    """Which rows of a split go into bins, and how much of each."""

    rows: NDArray[np.int64]
    """Shape (kept,), row numbers; in order, unless they are blended."""
    lengths: NDArray[np.int64]
    """Shape (kept,), tokens of each that go into a bin: 1 … seq_length."""
    dropped: dict[str, Dropped]
    """By rule."""
    account: Account


def decide(
    survey: Survey,
    capacity: int,
    policy: Literal["truncate", "drop", "raise"],
    fertility: Bound | None = None,
    *,
    split: str,
    rows: TokenRows,
) -> Fate:
    """Apply `pack.overflow` and `pack.fertility`, and drop what has no target.

    Args:
        survey: of the split's rows.
        capacity: `pack.seq_length`.
        policy: `truncate` keeps the front of a long row.
        fertility: characters a token that a row may have.
        split: named in errors.
        rows: asked for the id of the row that an error names.

    Raises:
        InputError: `raise`, and a row is too long.
    """
    lengths, targets, _ = survey
    long = lengths > capacity
    if policy == "raise" and long.any():
        first = int(np.argmax(long))
        raise InputError(
            f"{int(long.sum())} rows are longer than a bin of {capacity} tokens; the first has {int(lengths[first])}",
            where=f"{split}: row {rows.ids(np.array([first]))[0].as_py()}",
            mend="raise `pack.seq_length`, or choose `pack.overflow: truncate` or `drop`",
        )
    overflow = long if policy == "drop" else np.zeros_like(long)
    low, high = (fertility.min, fertility.max) if fertility else (None, None)
    below = ~overflow & (survey.fertility < (low if low is not None else -np.inf))
    above = ~overflow & (survey.fertility > (high if high is not None else np.inf))
    strange = below | above
    no_target = ~overflow & ~strange & (targets == 0)
    kept = ~overflow & ~strange & ~no_target
    cut = kept & long
    bound = np.where(below, low or 0.0, high or 0.0)
    dropped = {
        "overflow": _dropped(overflow, lengths, np.full(len(lengths), capacity)),
        "fertility": _dropped(strange, survey.fertility, bound),
        "no_target": _dropped(no_target, targets, np.ones(len(lengths))),
    }
    in_bins = np.minimum(lengths, capacity)[kept]
    account = Account(
        rows_in=len(lengths),
        tokens_in=int(lengths.sum()),
        rows=int(kept.sum()),
        targets=int(targets[kept].sum()),
        masked=int((in_bins - targets[kept]).sum()),
        truncated_rows=int(cut.sum()),
        truncated_tokens=int((lengths[cut] - capacity).sum()),
        dropped={
            rule: {"rows": len(one.rows), "tokens": int(lengths[one.rows].sum())} for rule, one in dropped.items()
        },
    )
    account.check(split)
    return Fate(rows=np.flatnonzero(kept), lengths=in_bins, dropped=dropped, account=account)


def _dropped(where: NDArray[np.bool_], values: NDArray[Any], thresholds: NDArray[Any]) -> Dropped:
    return Dropped(np.flatnonzero(where), values[where].astype(np.float64), thresholds[where].astype(np.float64))
