"""Where rows and tokens of a split went."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import StageError

__all__ = ["Account"]


@dataclass(frozen=True, kw_only=True)
class Account:
    """Every row and token of a split: `check` holds both equations.

    `rows_in = rows - repeated + dropped` and `tokens_in = targets + masked - repeated + truncated + dropped`; the bins
    add `slots = targets + masked + padded`, counted when they are written.
    """

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

    repeated_rows: int = 0
    """Of `rows`, those that are in bins once more (`blend`)."""
    repeated_tokens: int = 0
    """Of `tokens`, those of repeated rows."""

    @property
    def tokens(self) -> int:
        """In bins."""
        return self.targets + self.masked

    def check(self, split: str) -> None:
        """Raise if rows or tokens were lost or made.

        Raises:
            StageError: the numbers do not add up.
        """
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
