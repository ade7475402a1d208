"""Clusters are the connected components, in one process and as tasks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.curate.dedup.components import alternating_stars, components, union_find
from pipeline.curate.dedup.hooking import hooked
from tests.curate.planted import DEDUP, decided, families, keys_table, serial


def _save(folder: Path, edges: np.ndarray, files: int) -> list[Path]:
    worse, better = edges.max(axis=1), edges.min(axis=1)
    edges = np.stack([worse, better, np.full(len(edges), 9)])[:, worse != better]
    paths = []
    for number in range(files):
        part = edges[:, number::files]
        paths.append(folder / f"edges-{number}.npy")
        np.save(paths[-1], part[:, np.lexsort((part[1], part[0]))])
    return paths


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 120), share=st.floats(0, 1.5), shares=st.integers(1, 5))
def test_alternating_stars_are_union_find(seed: int, count: int, share: float, shares: int) -> None:
    edges = np.random.default_rng(seed).integers(0, count, (int(share * count), 2))
    with tempfile.TemporaryDirectory() as folder:
        files = _save(Path(folder), edges, 3)
        expected = union_find(files, count)
        assert (alternating_stars(files, count, Path(folder), serial, shares=shares) == expected).all()
    for a, b in edges:
        assert expected[a] == expected[b] <= min(a, b)
    assert (expected[expected] == expected).all()


@pytest.mark.parametrize("order", ["ends", "middle"])
def test_a_long_path(tmp_path: Path, order: str) -> None:
    names = np.arange(300) if order == "ends" else np.random.default_rng(0).permutation(300)
    files = _save(tmp_path, np.column_stack([names[:-1], names[1:]]), 2)
    assert not alternating_stars(files, 300, tmp_path, serial, shares=3).any()
    assert not union_find(files, 300).any()
    assert not hooked(files, 300, tmp_path, serial, "pandas").any()


def test_the_larger_way_is_taken_where_ranks_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = keys_table(families(2, 200))
    one = decided(table, tmp_path / "one")
    ran: list[str] = []

    def forced(edges: Any, count: int, folder: Path, run: Any) -> Any:
        ran.append(folder.name)
        return components(edges, count, folder, run, fits=0)

    monkeypatch.setattr("pipeline.curate.dedup.decide.components", forced)
    assert decided(table, tmp_path / "other") == one
    assert ran == ["components", "components"]  # in memory, and with files
    assert sorted((tmp_path / "other/work/components").glob("star-*"))


def test_a_chain_is_one_cluster_but_its_far_end_survives(tmp_path: Path) -> None:
    sketches = np.tile(np.arange(16, dtype=np.uint32), (3, 1))
    sketches[1:, 12:] = 100 + np.arange(4)  # 0.75 like the first
    sketches[2, 8:12] = 200 + np.arange(4)  # 0.75 like the second, 0.5 like the first
    table = keys_table(sketches)
    for name in ("priority", "length"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), table[name].combine_chunks().take([0, 0, 0]))
    fuzzy = {**DEDUP["fuzzy"], "bands": {"count": 4, "rows": 4}}
    found = decided(table, tmp_path, fuzzy=fuzzy)
    assert [row[0][-1] for row in found.values()] == ["0", "0", "2"]
    assert [row[3][-1] for row in found.values()] == ["0", "0", "0"]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 120), share=st.floats(0, 1.5))
def test_hooked_labels_are_union_find(seed: int, count: int, share: float) -> None:
    edges = np.random.default_rng(seed).integers(0, count, (int(share * count), 2))
    with tempfile.TemporaryDirectory() as folder:
        files = _save(Path(folder), edges, 3)
        assert (hooked(files, count, Path(folder), serial, "pandas") == union_find(files, count)).all()
