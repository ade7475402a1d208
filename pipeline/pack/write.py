"""Write the bins of a split: cut into files, each written by whatever worker is free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.atomic import atomic_file
from pipeline.errors import StageError
from pipeline.pack.bounds import Bound
from pipeline.pack.certificate import Certificate
from pipeline.pack.layout import BinLayout
from pipeline.pack.overflow import Fate
from pipeline.pack.solve import pack_lengths
from pipeline.pack.tokens import TokenRows, list_array
from pipeline.run import PartRecord, Stage
from pipeline.schema import BINS, LEDGER

__all__ = ["COUNTS", "BinsFile", "Job", "SplitBins", "write_bins", "write_dropped", "write_part"]

_UNITS = {
    "overflow": "tokens",
    "fertility": "characters a token",
    "no_target": "targets",
    "blend": "the row's place in its source",
}
"""Of a dropped row's value, by rule."""

COUNTS = ("bins", "examples", "tokens", "targets", "padded")
"""What is counted while bins are written; `padded` are slots without a token."""

_FILE_BINS, _FILE_TOKENS = 1 << 16, 1 << 27
"""A file holds as many bins, or as many slots, whichever is less."""
_BATCH_TOKENS = 1 << 21
"""Slots in a record batch: what is in memory at once."""


@dataclass(frozen=True, kw_only=True)
class BinsFile:
    """One file of bins, a part of the stage."""

    part: str
    """`train-00000`."""
    name: str
    """`packed/train/bins-00000.arrow`, below the run directory."""
    begin: int
    end: int
    """It holds bins `begin … end - 1` of the layout."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A file of bins to write, for any worker."""

    stage: Stage
    tokens: Path
    """The folder of the split's token rows."""
    layout: Path
    """The folder of the split's `BinLayout`."""
    file: BinsFile
    seq_length: int


@dataclass(frozen=True, kw_only=True)
class SplitBins:
    """The bins of one split: which examples lie in which, and what became of the others."""

    split: str
    rows: TokenRows
    fate: Fate
    layout: BinLayout
    seq_length: int
    bound: Bound

    @classmethod
    def of(cls, split: str, rows: TokenRows, fate: Fate, *, seq_length: int, seed: int, multiple: int = 1) -> SplitBins:
        """Pack the examples that `fate` keeps.

        Args:
            split: its name.
            rows: of the split.
            fate: what goes into bins.
            seq_length: slots in a bin; a multiple of `multiple`.
            seed: of the order of the bins.
            multiple: an example takes slots in multiples of this (`pack.pad_to_multiple_of`).
        """
        packing, bound = pack_lengths(-(-fate.lengths // multiple), seq_length // multiple)
        layout = BinLayout.shuffled(packing, fate.slices, seed=seed)
        return cls(split=split, rows=rows, fate=fate, layout=layout, seq_length=seq_length, bound=bound)

    def files(self) -> Iterator[BinsFile]:
        """The files that the bins lie in; a split without bins has one empty file."""
        size = max(1, min(_FILE_BINS, _FILE_TOKENS // self.seq_length))
        for number, begin in enumerate(range(0, max(1, self.layout.bins), size)):
            yield BinsFile(
                part=f"{self.split}-{number:05d}",
                name=f"packed/{self.split}/bins-{number:05d}.arrow",
                begin=begin,
                end=min(begin + size, self.layout.bins),
            )

    def summary(self) -> dict[str, Any]:
        """What the manifest says of the split: where rows and tokens went, and the bins' certificate."""
        account = self.fate.account
        certificate = Certificate.of(
            lengths=self.layout.lengths,
            first=self.layout.first,
            seq_length=self.seq_length,
            bound=self.bound,
            targets=account.targets,
        )
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
            "repeated": {"rows": account.repeated_rows, "tokens": account.repeated_tokens},
            "dropped": account.dropped,
            "padded": certificate.slots - account.tokens,
            **certificate.to_json(),
        }

    def check(self, written: dict[str, int]) -> None:
        """Raise unless what was written, over all files, is what was to be written."""
        account = self.fate.account
        expected = {
            "bins": self.layout.bins,
            "examples": account.examples,
            "tokens": account.tokens,
            "targets": account.targets,
            "padded": self.layout.bins * self.seq_length - account.tokens,
        }
        if written != expected:
            raise StageError(
                f"pack: the bins hold {written}, not {expected}",
                where=f"packed/{self.split}",
                mend="this is a defect of the project: please report it with the run's manifests",
            )


def write_part(job: Job) -> PartRecord:
    """Write one file of bins and commit it."""
    layout = BinLayout.load(job.layout).part(job.file.begin, job.file.end)
    counts = write_bins(job.stage.run.path(job.file.name), TokenRows.open(job.tokens), layout, job.seq_length)
    return job.stage.commit(job.file.part, {job.file.name: counts["bins"]}, counts)


def write_bins(path: Path, rows: TokenRows, layout: BinLayout, seq_length: int) -> dict[str, int]:
    """Write the bins of `layout` into one file; return what was counted while writing."""
    counts = dict.fromkeys(COUNTS, 0)
    about = {"seq_length": str(seq_length), "shift": "none"}
    step = max(1, _BATCH_TOKENS // seq_length)
    with atomic_file(path) as beside, pa.ipc.new_file(beside, BINS.with_metadata(about)) as writer:
        for begin in range(0, layout.bins, step):
            part = layout.part(begin, min(begin + step, layout.bins))
            writer.write_batch(_batch(rows, part, seq_length, counts))
    return counts


def _batch(rows: TokenRows, layout: BinLayout, seq_length: int, counts: dict[str, int]) -> pa.RecordBatch:
    lengths = np.asarray(layout.lengths)
    tokens, loss = layout.slices.gather(rows)
    sizes = np.diff(layout.first)
    heads = layout.first[:-1]
    # Where each example begins in its bin: tokens before it, less the tokens before the bin's first example.
    before = np.cumsum(lengths) - lengths
    starts = (before - np.repeat(before[heads], sizes)).astype(np.uint32)
    filled = np.add.reduceat(lengths, heads) if len(heads) else np.empty(0, np.int64)
    counts["bins"] += layout.bins
    counts["examples"] += len(lengths)
    counts["tokens"] += len(tokens)
    counts["targets"] += int(loss.sum())
    counts["padded"] += int((seq_length - filled).sum())
    return pa.RecordBatch.from_arrays(
        [
            list_array(pa.array(tokens), filled),
            list_array(pa.array(loss), filled),
            list_array(pa.array(starts), sizes),
            list_array(rows.ids(layout.rows), sizes),
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
