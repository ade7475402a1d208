"""The peers' own readers on our files: Megatron-core's `IndexedDataset`, `datasets.load_dataset` (extra `bench`)."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.export import export
from pipeline.run import RunDirectory

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


def test_datasets_loads_our_folder_and_our_lines(
    packed: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra `bench`")
    export(packed, "hf", tmp_path / "rows")
    export(packed, "jsonl", tmp_path / "lines")
    found = datasets.load_dataset(str(tmp_path / "rows"), cache_dir=str(tmp_path / "cache"))
    assert set(found) == {"train", "validation"}
    for split in found:
        parts = sorted(packed.path(f"curated/{split}").glob("*.parquet"))
        own = [row for part in parts for row in pq.read_table(part, columns=["id", "messages"]).to_pylist()]
        assert [{key: row[key] for key in ("id", "messages")} for row in found[split]] == own
    lines = datasets.load_dataset(
        "json", data_files=str(tmp_path / "lines/validation.jsonl"), cache_dir=str(tmp_path / "cache")
    )
    assert len(lines["train"]) == len(found["validation"])
