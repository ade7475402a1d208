"""Edges of a bucket: every pair that can decide, and of the others only what connects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.curate.dedup import comparisons
from pipeline.curate.dedup.candidates import Sketches
from pipeline.curate.dedup.comparisons import Agreement, compare
from pipeline.curate.dedup.components import union_find
from pipeline.curate.dedup.work import load, save
from pipeline.engines import cpu
from tests.curate.planted import VALUES, families, serial


@pytest.mark.parametrize("batch", [5, 60, 1 << 20])
@pytest.mark.parametrize("centres", [1, 7, 1000])
def test_whole_buckets_have_the_edges_of_rows_one_by_one(
    centres: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a GPU's engine is asked, of the CPU's; batches end within buckets, and buckets are larger than batches."""
    monkeypatch.setattr(comparisons, "_BYTES", 4 * VALUES * batch)
    random = np.random.default_rng(batch)
    values = families(3, 300, alphabet=8)
    rank = random.permutation(len(values))
    candidate = random.integers(0, len(values), 700)
    bucket = np.sort(random.integers(0, 90, len(candidate)) // random.integers(1, 90, len(candidate)))
    order = np.lexsort((rank[candidate], bucket))
    sketches = _Sketches(values)
    agreement = Agreement(values=VALUES, needed=13, joined=9, told=11, fixed=20)
    arguments = bucket[order], candidate[order], rank, sketches, agreement, centres
    edges, over = comparisons._search(*arguments)
    assert edges.shape[1] > 100
    assert over.any() == (centres < 1000)
    for one, other in zip(comparisons._search(*arguments, cpu), (edges, over), strict=True):
        assert np.array_equal(one, other)


def test_workers_with_gpus_compare_by_their_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(comparisons, "engine_for", lambda device: asked.append(device) or cpu)
    sketches = families(6, 400, alphabet=8)
    here = _edges(sketches, tmp_path / "here", 11, 3)
    assert not asked
    there = _edges(sketches, tmp_path / "there", 11, 3, device="cuda")
    assert asked == ["cuda"]
    assert np.array_equal(here, there)


class _Sketches(Sketches):
    """Of an array, not of files."""

    def __init__(self, values: np.ndarray) -> None:
        self._values = values

    def __getitem__(self, candidates: np.ndarray) -> np.ndarray:
        return self._values[candidates]


def _edges(sketches: np.ndarray, folder: Path, told: int, centres: int, **device: Any) -> np.ndarray:
    count, values = sketches.shape
    random = np.random.default_rng(0)
    save(folder / "sketches-00000.npy", sketches)
    save(folder / "state.npy", np.stack([np.arange(count), random.permutation(count), np.full(count, 2)]))
    save(folder / "bands.npy", np.stack([np.sort(random.integers(0, 4, count)), np.arange(count)]))
    agreement = Agreement(values=values, needed=13, joined=9, told=told)
    jobs = ([folder / "bands.npy"], folder / "state.npy", (folder, (0, count)), agreement, 0, folder / f"told-{told}")
    return load(compare(*jobs, serial, centres=centres, **device)[0])


@pytest.mark.parametrize("centres", [3, 16, 1000])
@pytest.mark.parametrize("batch", [50, 1 << 20])
def test_edges_that_are_not_written_would_connect_nothing(
    centres: int, batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.curate.dedup.comparisons._BYTES", 4 * 16 * batch)
    sketches = families(5, 400, alphabet=8)
    every, few = (_edges(sketches, tmp_path, told, centres) for told in (9, 13))
    assert few.shape[1] < every.shape[1], "or nothing is left out"
    assert {*map(tuple, few.T.tolist())} <= {*map(tuple, every.T.tolist())}
    decisive = [edges[:, edges[2] >= 13].tolist() for edges in (every, few)]
    assert decisive[0] == decisive[1]
    roots = []
    for number, edges in enumerate((every, few)):
        save(tmp_path / f"all-{number}.npy", edges)
        roots.append(union_find([tmp_path / f"all-{number}.npy"], len(sketches)).tolist())
    assert roots[0] == roots[1]
