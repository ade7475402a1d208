"""Deal the rows of a split into bins, shuffle the bins, and write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import atomic_file
from pipeline.errors import StageError
from pipeline.pack.binpack import Packing, best_fit_decreasing, lower_bound
from pipeline.pack.overflow import Fate
from pipeline.pack.tokens import TokenRows, list_array
from pipeline.schema import BINS, LEDGER

__all__ = ["SplitBins", "write_dropped"]

_UNITS = {"overflow": "tokens", "fertility": "characters a token", "no_target": "targets"}
"""Of a dropped row's value, by rule."""

_FILE_BINS, _FILE_TOKENS = 1 << 16, 1 << 27
"""A file holds as many bins, or as many slots, whichever is less."""
_BATCH_TOKENS = 1 << 21
"""Slots in a record batch: what is in memory at once."""


@dataclass(frozen=True, kw_only=True)
class SplitBins:
    """The bins of one split: which rows lie in which, and in what order the bins come."""

    split: str
    rows: TokenRows
    fate: Fate
    seq_length: int
    packing: Packing
    order: NDArray[np.int64]
    """Shape (bins,): decreasing lengths have put like with like, a shuffle by the recipe's seed parts them again."""

    @classmethod
    def of(cls, split: str, rows: TokenRows, fate: Fate, *, seq_length: int, seed: int) -> SplitBins:
        """Pack the rows that `fate` keeps."""
        packing = best_fit_decreasing(fate.lengths, seq_length)
        return cls(
            split=split,
            rows=rows,
            fate=fate,
            seq_length=seq_length,
            packing=packing,
            order=np.argsort(_hash(np.arange(packing.bins, dtype=np.uint64), seed), kind="stable"),
        )

    def files(self) -> Iterator[tuple[str, str, NDArray[np.int64]]]:
        """Part, file below the run directory, and bins of each file; a split without bins has one empty file."""
        size = max(1, min(_FILE_BINS, _FILE_TOKENS // self.seq_length))
        for number, first in enumerate(range(0, max(1, self.packing.bins), size)):
            name = f"{number:05d}"
            yield f"{self.split}-{name}", f"packed/{self.split}/bins-{name}.arrow", self.order[first : first + size]

    def write(self, path: Path, bins: NDArray[np.int64]) -> dict[str, int]:
        """Write one file of bins; return what was counted while writing."""
        counts = {"bins": 0, "rows": 0, "tokens": 0, "targets": 0}
        about = {"seq_length": str(self.seq_length), "shift": "none"}
        with atomic_file(path) as beside, pa.ipc.new_file(beside, BINS.with_metadata(about)) as writer:
            step = max(1, _BATCH_TOKENS // self.seq_length)
            for first in range(0, len(bins), step):
                batch = self._batch(bins[first : first + step], counts)
                writer.write_batch(batch)
        return counts

    def summary(self) -> dict[str, Any]:
        """What the manifest says of the split; `gap` is bins above a bound that no packing can beat."""
        account, bins = self.fate.account, self.packing.bins
        bound = lower_bound(self.fate.lengths, self.seq_length)
        return {
            "rows_in": account.rows_in,
            "tokens_in": account.tokens_in,
            "rows": account.rows,
            "tokens": account.tokens,
            "targets": account.targets,
            "masked": account.masked,
            "examples": account.examples,
            "truncated": {"rows": account.truncated_rows, "tokens": account.truncated_tokens},
            "split_rows": account.split_rows,
            "ends_lost": account.ends_lost,
            "dropped": account.dropped,
            "bins": bins,
            "slots": bins * self.seq_length,
            "padded": bins * self.seq_length - account.tokens,
            "efficiency": account.tokens / (bins * self.seq_length) if bins else 0.0,
            "lower_bound": bound,
            "gap": bins - bound,
        }

    def check(self, written: dict[str, int]) -> None:
        """Raise unless what was written, over all files, is what was to be written."""
        account = self.fate.account
        expected = {
            "bins": self.packing.bins,
            "rows": account.examples,
            "tokens": account.tokens,
            "targets": account.targets,
        }
        if written != expected:
            raise StageError(
                f"pack: the bins hold {written}, not {expected}",
                where=f"packed/{self.split}",
                mend="this is a defect of the project: please report it with the run's manifests",
            )

    def _batch(self, bins: NDArray[np.int64], counts: dict[str, int]) -> pa.RecordBatch:
        first = self.packing.first
        sizes = first[bins + 1] - first[bins]
        items = self.packing.items[_ranges(first[bins], sizes)]
        lengths = self.fate.lengths[items]
        rows = self.fate.rows[items]
        tokens, loss = self.fate.gather(self.rows, items)
        # Where each example begins in its bin: tokens before it, less the tokens before the bin's first example.
        before = np.cumsum(lengths) - lengths
        heads = np.cumsum(sizes) - sizes
        starts = (before - np.repeat(before[heads], sizes)).astype(np.uint32)
        filled = np.add.reduceat(lengths, heads) if len(heads) else np.empty(0, np.int64)
        counts["bins"] += len(bins)
        counts["rows"] += len(rows)
        counts["tokens"] += len(tokens)
        counts["targets"] += int(loss.sum())
        return pa.RecordBatch.from_arrays(
            [
                list_array(pa.array(tokens), filled),
                list_array(pa.array(loss), filled),
                list_array(pa.array(starts), sizes),
                list_array(self.rows.ids(rows), sizes),
            ],
            schema=BINS,
        )


def write_dropped(path: Path, splits: list[SplitBins]) -> int:
    """Write a ledger line for each dropped row; return how many."""
    tables = []
    for split in splits:
        for rule, dropped in split.fate.dropped.items():
            ids = split.rows.ids(dropped.rows).to_pylist()
            tables.append(
                pa.table(
                    {
                        "id": pa.array(ids, pa.string()),
                        "source": pa.array([row.split("/", 1)[0] for row in ids], pa.string()),
                        "stage": pa.array(["pack"] * len(ids), pa.string()),
                        "rule": pa.array([rule] * len(ids), pa.string()),
                        "value": pa.array(dropped.values),
                        "threshold": pa.array(dropped.thresholds),
                        "evidence": pa.array([f"{_UNITS[rule]}, of the {split.split} split"] * len(ids), pa.string()),
                    },
                    schema=LEDGER,
                )
            )
    table = pa.concat_tables(tables)
    with atomic_file(path) as beside:
        pq.write_table(table, beside, compression="zstd")
    return int(table.num_rows)


def _ranges(first: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """`first[0], first[0] + 1, …` for `sizes[0]` numbers, then the same from `first[1]`, and so on."""
    ends = np.cumsum(sizes)
    steps: NDArray[np.int64] = np.arange(int(sizes.sum()), dtype=np.int64)
    steps += np.repeat(first - (ends - sizes), sizes)
    return steps


def _hash(numbers: NDArray[np.uint64], seed: int) -> NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea & Flood 2014) of each number under a seed: an order that no library's version changes."""
    state = (numbers + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + _mix(np.array([seed % 2**64], np.uint64))
    return _mix(state)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
