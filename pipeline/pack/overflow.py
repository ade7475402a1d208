"""What becomes of rows that are longer than a bin, or that would train nothing; every token accounted for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError, StageError
from pipeline.pack.tokens import Survey, TokenRows

__all__ = ["Account", "Dropped", "Fate", "decide"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where rows and tokens of a split went: `tokens_in = targets + masked + truncated + dropped`."""

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
    """Rule → rows and tokens: `overflow` (longer than a bin) and `no_target` (nothing to learn from)."""

    @property
    def tokens(self) -> int:
        """In bins."""
        return self.targets + self.masked

    def check(self, split: str) -> None:
        """Raise if rows or tokens were lost or made."""
        rows = self.rows + sum(one["rows"] for one in self.dropped.values())
        tokens = self.tokens + self.truncated_tokens + sum(one["tokens"] for one in self.dropped.values())
        if (rows, tokens) != (self.rows_in, self.tokens_in):
            raise StageError(
                f"pack: {self.rows_in} rows and {self.tokens_in} tokens came in, {rows} and {tokens} are accounted for",
                where=split,
                mend="this is a defect of the project: please report it with the run's manifests",
            )


class Dropped(NamedTuple):
    """Rows that one rule dropped; each of shape (dropped,)."""

    rows: NDArray[np.int64]
    lengths: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Fate:
    """Which rows of a split go into bins, and how much of each."""

    rows: NDArray[np.int64]
    """Shape (kept,), row numbers in order."""
    lengths: NDArray[np.int64]
    """Shape (kept,), tokens of each that go into a bin: 1 … seq_length."""
    dropped: dict[str, Dropped]
    """By rule."""
    account: Account


def decide(
    survey: Survey, capacity: int, policy: Literal["truncate", "drop", "raise"], *, split: str, rows: TokenRows
) -> Fate:
    """Apply `pack.overflow` and drop what has no target.

    Args:
        survey: of the split's rows.
        capacity: `pack.seq_length`.
        policy: `truncate` keeps the front of a long row.
        split: named in errors.
        rows: asked for the id of the row that an error names.

    Raises:
        InputError: `raise`, and a row is too long.
    """
    lengths, targets = survey
    long = lengths > capacity
    if policy == "raise" and long.any():
        first = int(np.argmax(long))
        raise InputError(
            f"{int(long.sum())} rows are longer than a bin of {capacity} tokens; the first has {int(lengths[first])}",
            where=f"{split}: row {rows.ids(np.array([first]))[0].as_py()}",
            mend="raise `pack.seq_length`, or choose `pack.overflow: truncate` or `drop`",
        )
    overflow = long if policy == "drop" else np.zeros_like(long)
    no_target = ~overflow & (targets == 0)
    kept = ~overflow & ~no_target
    cut = kept & long
    dropped = {
        "overflow": Dropped(np.flatnonzero(overflow), lengths[overflow]),
        "no_target": Dropped(np.flatnonzero(no_target), lengths[no_target]),
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
        dropped={rule: {"rows": len(one.rows), "tokens": int(one.lengths.sum())} for rule, one in dropped.items()},
    )
    account.check(split)
    return Fate(rows=np.flatnonzero(kept), lengths=in_bins, dropped=dropped, account=account)
