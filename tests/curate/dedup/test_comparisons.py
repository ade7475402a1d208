"""Edges of a bucket: every pair that can decide, and of the others only what connects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.curate.dedup.comparisons import Agreement, compare
from pipeline.curate.dedup.components import union_find
from pipeline.curate.dedup.work import load, save
from tests.curate.planted import families, serial


def _edges(sketches: np.ndarray, folder: Path, told: int, centres: int) -> np.ndarray:
    count, values = sketches.shape
    random = np.random.default_rng(0)
    save(folder / "sketches-00000.npy", sketches)
    save(folder / "state.npy", np.stack([np.arange(count), random.permutation(count), np.full(count, 2)]))
    save(folder / "bands.npy", np.stack([np.sort(random.integers(0, 4, count)), np.arange(count)]))
    agreement = Agreement(values=values, needed=13, joined=9, told=told)
    jobs = ([folder / "bands.npy"], folder / "state.npy", (folder, (0, count)), agreement, 0, folder / f"told-{told}")
    return load(compare(*jobs, serial, centres=centres)[0])


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
