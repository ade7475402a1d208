"""Where rows and tokens of a split went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pipeline.errors import StageError

__all__ = ["Account"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """`tokens_in = targets + masked + truncated + dropped`; in the bins, `slots = targets + masked + padded`."""

    rows_in: int
    tokens_in: int
    rows: int
    """In bins."""
    examples: int
    """In bins; more than rows where rows were split."""
    targets: int
    """Tokens that are trained to be predicted."""
    masked: int
    """Tokens in bins that are context only."""
    truncated_rows: int
    truncated_tokens: int
    split_rows: int
    ends_lost: int
    """Rows that lost their last token, and with it the one that says so: the model does not learn to stop from them."""
    dropped: dict[str, dict[str, int]]
    """Rule → rows and tokens: `overflow` (longer than a bin), `fertility` (outside `pack.fertility`) and `no_target`
    (nothing to learn from). A row is counted under the first that it fails."""

    @classmethod
    def empty(cls) -> Self:
        """Of no rows."""
        return cls(
            rows_in=0,
            tokens_in=0,
            rows=0,
            examples=0,
            targets=0,
            masked=0,
            truncated_rows=0,
            truncated_tokens=0,
            split_rows=0,
            ends_lost=0,
            dropped={},
        )

    @property
    def tokens(self) -> int:
        """In bins."""
        return self.targets + self.masked

    def check(self, split: str) -> None:
        """Raise if rows or tokens were lost or made.

        Raises:
            StageError: the numbers do not add up.
        """
        rows = self.rows + sum(one["rows"] for one in self.dropped.values())
        tokens = self.tokens + self.truncated_tokens + sum(one["tokens"] for one in self.dropped.values())
        if (rows, tokens) != (self.rows_in, self.tokens_in):
            raise StageError(
                f"pack: {self.rows_in} rows and {self.tokens_in} tokens came in, {rows} and {tokens} are accounted for",
                where=split,
                mend="this is a defect of the project: please report it with the run's manifests",
            )
