"""NeMo's packed sequences: `.npy` (NeMo 2) and Parquet (Megatron-Bridge), of the same content.

A row is a bin: `input_ids`, all tokens of its examples; `loss_mask`, shifted left within each example, so that it says
of a token whether the *next* one is learnt; `seq_start_id`, where examples begin. Both trainers drop the last token of
each example when they make labels. With `pack.pad_to_multiple_of: m` examples are padded to a multiple of m and one
more, as NeMo's `pad_seq_to_mult` does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.atomic import write_json
from pipeline.export.object_array import save_objects
from pipeline.export.stream import Examples, examples, narrowed
from pipeline.pack.bins import Bins
from pipeline.pack.tokens import list_array

__all__ = ["write_nemo"]

_NAMES = {"train": "training", "validation": "validation", "test": "test"}
_ROW_GROUP = 500
"""Of Megatron-Bridge: small groups keep shuffled reading fast."""
_SCHEMA = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.int32())),
        pa.field("loss_mask", pa.list_(pa.int8())),
        pa.field("seq_start_id", pa.list_(pa.int32())),
    ]
)


def write_nemo(
    folder: Path, splits: Mapping[str, Bins], *, seq_length: int, multiple: int, pad: int
) -> dict[str, dict[str, Any]]:
    """Write `training_{seq_length}.npy`, `training_{seq_length}.idx.parquet`, …, and `{seq_length}_metadata.jsonl`.

    Args:
        folder: exists.
        splits: the bins; an empty split has no files.
        seq_length: slots in a bin.
        multiple: `pack.pad_to_multiple_of`.
        pad: the token put where examples are padded.

    Returns:
        What was written, by split.

    Raises:
        InputError: a token id does not fit int32.
    """
    counts: dict[str, dict[str, Any]] = {}
    for split, bins in splits.items():
        if not len(bins):
            continue
        name = f"{_NAMES[split]}_{seq_length}"
        with pq.ParquetWriter(folder / f"{name}.idx.parquet", _SCHEMA, compression="zstd") as writer:
            for table in _row_groups(bins, multiple, pad):
                writer.write_table(table, row_group_size=_ROW_GROUP)
        save_objects(folder / f"{name}.npy", _dictionaries(bins, multiple, pad), len(bins))
        counts[split] = _about(bins, seq_length)
    if counts:
        # A JSON list, whatever the name says: that is how NeMo reads it.
        keys = ("dataset_max_seqlen", "max_samples_per_bin", "packing_factor", "packing_efficiency", "pack_size")
        about = [{key: one[key] for key in (*keys, "min_packed_seqlen")} for one in counts.values()]
        write_json(folder / f"{seq_length}_metadata.jsonl", about)
    return counts


def _row_groups(bins: Bins, multiple: int, pad: int) -> Iterator[pa.Table]:
    """Tables of `_ROW_GROUP` bins, the last of fewer."""
    waiting: list[pa.RecordBatch] = []
    for batch in _batches(bins, multiple, pad):
        waiting.append(batch)
        table = pa.Table.from_batches(waiting)
        whole = table.num_rows - table.num_rows % _ROW_GROUP
        if whole:
            yield table.slice(0, whole)
            waiting = table.slice(whole).to_batches()
    if waiting:
        yield pa.Table.from_batches(waiting)


def _dictionaries(bins: Bins, multiple: int, pad: int) -> Iterator[dict[str, list[Any]]]:
    for batch in _batches(bins, multiple, pad):
        for row in batch.to_pylist():
            yield {**row, "loss_mask": [bool(target) for target in row["loss_mask"]]}


def _batches(bins: Bins, multiple: int, pad: int) -> Iterator[pa.RecordBatch]:
    for batch in examples(bins):
        # No example's first token is a target, so what is shifted over a border is false.
        shifted = np.append(batch.loss[1:], False)
        tokens, mask, lengths = _padded(batch, shifted, multiple, pad)
        starts = np.cumsum(lengths) - lengths
        heads = np.cumsum(batch.sizes) - batch.sizes
        filled = np.add.reduceat(lengths, heads) if len(heads) else lengths
        ids = narrowed(tokens, np.int32)
        inside = (starts - np.repeat(starts[heads], batch.sizes)).astype(np.int32)
        yield pa.RecordBatch.from_arrays(
            [
                list_array(pa.array(ids), filled),
                list_array(pa.array(mask.astype(np.int8)), filled),
                list_array(pa.array(inside), batch.sizes),
            ],
            schema=_SCHEMA,
        )


def _padded(batch: Examples, mask: Any, multiple: int, pad: int) -> tuple[Any, Any, Any]:
    """Tokens, shifted mask and lengths with each example padded to a multiple and one more token."""
    if multiple == 1:
        return batch.tokens, mask, batch.lengths
    lengths = -(-(batch.lengths - 1) // multiple) * multiple + 1
    place = np.arange(len(batch.tokens)) + np.repeat(np.cumsum(lengths) - lengths - batch.starts, batch.lengths)
    tokens = np.full(int(lengths.sum()), pad, np.uint32)
    shifted = np.zeros(len(tokens), np.bool_)
    tokens[place], shifted[place] = batch.tokens, mask
    return tokens, shifted, lengths


def _about(bins: Bins, seq_length: int) -> dict[str, Any]:
    first, lengths = bins.places()
    filled = np.add.reduceat(lengths, first[:-1])
    return {
        "bins": len(bins),
        "examples": len(lengths),
        "tokens": int(lengths.sum()),
        "dataset_max_seqlen": int(lengths.max()),
        "max_samples_per_bin": int(np.diff(first).max()),
        "packing_factor": round(len(lengths) / len(bins), 2),
        "packing_efficiency": round(100 * int(lengths.sum()) / (len(bins) * seq_length), 2),
        "pack_size": seq_length,
        "min_packed_seqlen": int(filled.min()),
    }
