"""Whether too many rows are malformed: judged as soon as it is certain, while parts are still being read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import inf

import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.config import Recipe
from pipeline.errors import InputError
from pipeline.ingest import Block
from pipeline.ingest.formats import SEVERAL
from pipeline.run import PartRecord, Rows, RunDirectory

__all__ = ["Rejections", "check_rejected"]

_MARGIN = 10
"""An unread file whose lines nobody has counted may hold this many times the rows that its size suggests."""

_EXAMPLES = 5
"""Rows that the message names, of the sources that have malformed rows, each its share."""


class Rejections:
    """Counts malformed rows over the parts that are done, in whatever order they come.

    A run is stopped before its end only when the rows that are still unread cannot bring the share down to what the
    recipe allows, so that which part comes first does not decide. The survey has counted the lines of plain files; of
    a packed file, a format whose records hold several rows, or a target that says how much it yields, `_MARGIN` times
    the rows that its size suggests are allowed for; while a target is unread that does not say so, nothing is judged.

    Args:
        run: whose finished parts the message quotes.
        recipe: with the share, over all sources.
        parts: the blocks of every part.
    """

    def __init__(self, run: RunDirectory, recipe: Recipe, parts: Sequence[Sequence[Block]]) -> None:
        self._run = run
        self._recipe = recipe
        self._unread = {f"part-{number:05d}": blocks for number, blocks in enumerate(parts)}
        self._rows = self._rejected = self._bytes = 0

    def add(self, records: Iterable[PartRecord]) -> None:
        """Count finished parts.

        Raises:
            InputError: more rows are malformed than the recipe allows, whatever the other parts hold.
        """
        for record in records:
            self._rows += record.counts["rows"]["in"]
            self._rejected += record.counts["rows"]["rejected"]
            self._bytes += record.counts["bytes_in"]
            del self._unread[record.part]
        if self._rejected == 0:
            return
        unread = sum(self._most_rows(block) for blocks in self._unread.values() for block in blocks)
        if self._rejected > self._recipe.ingest.max_rejected * (self._rows + unread):
            raise _too_many(self._run, self._recipe, self._rejected, self._rows)

    def _most_rows(self, block: Block) -> float:
        """The most rows that an unread block can hold; infinite where nobody knows."""
        if block.lines is not None and block.source.format not in SEVERAL:
            return block.lines
        if block.bytes == 0 and block.source.target is not None:
            return inf
        return _MARGIN * block.bytes * self._rows / max(1, self._bytes)


def check_rejected(run: RunDirectory, recipe: Recipe, rows: Rows) -> None:
    """Judge a finished pass.

    Raises:
        InputError: more rows are malformed than the recipe allows.
    """
    if rows.rejected > recipe.ingest.max_rejected * rows.in_:
        raise _too_many(run, recipe, rows.rejected, rows.in_)


def _too_many(run: RunDirectory, recipe: Recipe, rejected: int, read: int) -> InputError:
    counts: Counter[str] = Counter()
    examples: dict[str, list[str]] = defaultdict(list)
    rules: set[str] = set()
    for path in sorted(run.path("documents").glob("dropped-*.parquet")):
        lines = pq.read_table(path, filters=[("stage", "=", "ingest")], columns=["source", "rule", "evidence"])
        for source in lines["source"].unique().to_pylist():
            own = lines.filter(pc.equal(lines["source"], source))
            counts[source] += len(own)
            first = own.slice(0, _EXAMPLES)
            examples[source] += map(
                ": ".join, zip(first["rule"].to_pylist(), first["evidence"].to_pylist(), strict=True)
            )
        rules.update(lines["rule"].unique().to_pylist())
    sources = counts.most_common()
    each = max(1, _EXAMPLES // max(1, len(sources)))
    shown = [example for source, _ in sources for example in examples[source][:each]][:_EXAMPLES]
    columns = (
        "where the file has other names for a format's keys, give them under `columns`; where a .json file holds its "
        "rows under a key, name that as `field`; else "
    )
    return InputError(
        f"{rejected} of {read} rows ({rejected / read:.1%}) are malformed, more than "
        f"ingest.max_rejected allows ({recipe.ingest.max_rejected:.1%}):\n"
        + "\n".join(f"  - {example}" for example in shown),
        where=", ".join(f"{source} ({rows:,})" for source, rows in sources),
        mend=f"{columns if 'missing_key' in rules else ''}mend those rows, or raise ingest.max_rejected to let the run "
        "go on without them; finished parts are kept for then",
    )
