"""How full the bins are and how long the examples in them, read from the bins themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.run import Manifest, RunDirectory
from pipeline.schema import SPLITS

__all__ = ["SplitPacking", "read_packing"]

_BUCKETS = 32


@dataclass(frozen=True, kw_only=True)
class SplitPacking:
    """The bins of one split.

    Args:
        bins: how many.
        seq_length: tokens that fit into one.
        examples: in all bins.
        tokens: in all bins.
        targets: tokens that are trained on.
        rows: that became examples, each counted once; fewer than these where long rows were split or some repeated.
        repeated_rows: how often a row is there once more (`blend`).
        repeated_tokens: of these.
        masked: tokens that are context only.
        padded: slots without a token.
        truncated: rows that were longer than a bin and were cut.
        truncated_tokens: that they lost.
        ends_lost: rows whose end token was cut off.
        dropped_tokens: of the rows that did not become an example.
        dropped: rows that did not become an example, by rule.
        lengths: examples by length in tokens, in 32 buckets of equal width over (0, seq_length]; shape (32,).
        lower_bound: of the manifest: fewer bins are impossible.
        shuffled: attention cost of the slowest of 8 ranks over its step's mean, bins in any order.
        balanced: the same with bins of like cost in a step.
    """

    bins: int
    seq_length: int
    examples: int
    tokens: int
    targets: int
    rows: int
    repeated_rows: int
    repeated_tokens: int
    masked: int
    padded: int
    truncated: int
    truncated_tokens: int
    ends_lost: int
    dropped_tokens: int
    dropped: dict[str, int]
    lengths: NDArray[np.int64]
    lower_bound: int
    shuffled: float
    balanced: float

    @property
    def target_efficiency(self) -> float:
        """Targets over slots, in [0, 1]; 0 for no bins."""
        return self.targets / (self.bins * self.seq_length) if self.bins else 0.0

    @property
    def gap(self) -> float:
        """Bins above the bound over the bound; 0 for no bins."""
        return self.bins / self.lower_bound - 1 if self.lower_bound else 0.0

    @property
    def efficiency(self) -> float:
        """Tokens over slots, in [0, 1]; 0 for no bins."""
        return self.tokens / (self.bins * self.seq_length) if self.bins else 0.0


def read_packing(run: RunDirectory) -> dict[str, SplitPacking] | None:
    """Measure the bins of every split, or return None before packing has finished.

    Files are mapped and read batch by batch: of the tokens only the offsets are touched.
    """
    manifest = Manifest.read(run.path("packed"))
    if manifest is None:
        return None
    seq_length = int(manifest.config["seq_length"])
    return {split: _measure(run, split, manifest, seq_length) for split in SPLITS}


def _measure(run: RunDirectory, split: str, manifest: Manifest, seq_length: int) -> SplitPacking:
    bins = examples = tokens = targets = 0
    lengths = np.zeros(_BUCKETS, np.int64)
    for part in manifest.parts:
        if not part["name"].startswith(f"packed/{split}/"):
            continue
        with pa.memory_map(str(run.path(part["name"]))) as file, pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                each = _example_lengths(batch)
                bins += batch.num_rows
                examples += len(each)
                tokens += int(each.sum())
                targets += pc.sum(batch["loss"].flatten()).as_py() or 0
                bucket = np.clip((each - 1) * _BUCKETS // seq_length, 0, _BUCKETS - 1)
                lengths += np.bincount(bucket, minlength=_BUCKETS)
    about = manifest.summary["splits"][split]
    return SplitPacking(
        bins=bins,
        seq_length=seq_length,
        examples=examples,
        tokens=tokens,
        targets=targets,
        rows=about["rows"] - about["repeated"]["rows"],
        repeated_rows=about["repeated"]["rows"],
        repeated_tokens=about["repeated"]["tokens"],
        masked=about["masked"],
        padded=about["padded"],
        truncated=about["truncated"]["rows"],
        truncated_tokens=about["truncated"]["tokens"],
        ends_lost=about["ends_lost"],
        dropped_tokens=sum(one["tokens"] for one in about["dropped"].values()),
        dropped={rule: one["rows"] for rule, one in about["dropped"].items()},
        lengths=lengths,
        lower_bound=about["lower_bound"],
        shuffled=about["slowest"]["shuffled"],
        balanced=about["slowest"]["balanced"],
    )


def _example_lengths(batch: Any) -> NDArray[np.int64]:
    """Tokens of each example of a batch of bins, shape (examples,)."""
    ends = pc.list_value_length(batch["tokens"]).to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(ends)])
    owner = np.repeat(np.arange(batch.num_rows), pc.list_value_length(batch["starts"]).to_numpy())
    begins = offsets[owner] + batch["starts"].flatten().to_numpy().astype(np.int64)
    return np.diff(np.append(begins, offsets[-1]))
