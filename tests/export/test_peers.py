"""The peers' own readers on our files: Megatron-core's `IndexedDataset`, `datasets.load_dataset` (extra `bench`)."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.export import export
from pipeline.run import RunDirectory
from pipeline.schema import ROWS

from .conftest import examples_of


def test_megatron_core_reads_our_files_and_writes_the_same_bytes(packed: RunDirectory, tmp_path: Path) -> None:
    pytest.importorskip("megatron.core.datasets.indexed_dataset", reason="needs the extra `bench`")
    import numpy as np
    import torch
    from megatron.core.datasets.indexed_dataset import IndexedDataset, IndexedDatasetBuilder

    export(packed, "megatron", tmp_path / "out")
    expected = [tokens for tokens, _ in examples_of(packed, "train")]
    for mmap in (True, False):
        theirs = IndexedDataset(str(tmp_path / "out/train"), mmap=mmap)
        assert [theirs[number].tolist() for number in range(len(theirs))] == expected
        assert theirs.document_indices.tolist() == list(range(len(expected) + 1))
    builder = IndexedDatasetBuilder(str(tmp_path / "theirs.bin"), dtype=np.uint16)
    for tokens in expected:
        builder.add_document(torch.tensor(tokens), [len(tokens)])
    builder.finalize(str(tmp_path / "theirs.idx"))
    for suffix in ("bin", "idx"):
        assert (tmp_path / f"theirs.{suffix}").read_bytes() == (tmp_path / f"out/train.{suffix}").read_bytes()


def test_datasets_loads_our_folder_and_our_lines(curated: RunDirectory, tmp_path: Path) -> None:
    """Every column of every row, tools and other keys byte for byte; and again through its own `save_to_disk`."""
    datasets = pytest.importorskip("datasets", reason="needs the extra `bench`")
    export(curated, "hf", tmp_path / "rows")
    export(curated, "jsonl", tmp_path / "lines")
    found = datasets.load_dataset(str(tmp_path / "rows"), cache_dir=str(tmp_path / "cache"))
    assert set(found) == {"train", "validation"}
    found.save_to_disk(str(tmp_path / "saved"))
    saved = datasets.load_from_disk(str(tmp_path / "saved"))
    for split in found:
        parts = sorted(curated.path(f"curated/{split}").glob("*.parquet"))
        own = [row for part in parts for row in pq.read_table(part, columns=ROWS.names).to_pylist()]
        assert found[split].to_list() == saved[split].to_list() == own
    (called,) = [row for row in found["train"] if row["tools"]]
    assert json.loads(called["tools"])[0]["function"]["parameters"] == {"b": 100.0, "a": {}}
    assert json.loads(called["messages"][1]["extra"])["tool_calls"][0]["function"]["arguments"] == '{"x": 1.0}'
    lines = datasets.load_dataset(
        "json", data_files=str(tmp_path / "lines/validation.jsonl"), cache_dir=str(tmp_path / "cache")
    )
    assert len(lines["train"]) == len(found["validation"])
