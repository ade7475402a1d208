"""No row is removed by a chain of resemblances, whatever the edges and however they are cut into files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.curate.dedup.stars import edge_ranges, stars


def _files(folder: Path, edges: list[tuple[int, int, int]], cuts: int = 1) -> list[Path]:
    """The edges (worse, better, equal values) dealt out to files as tasks write them."""
    paths = []
    for number in range(cuts):
        part = np.array(sorted(edges[number::cuts]), dtype=np.int64).reshape(-1, 3).T
        paths.append(folder / f"edges-{cuts}-{number}.npy")
        np.save(paths[-1], part)
    return paths


def test_a_chain_is_broken(tmp_path: Path) -> None:
    found = stars(_files(tmp_path, [(1, 0, 13), (2, 1, 13), (3, 2, 13)]), 4, 12)
    assert found.survivor.tolist() == [0, 0, 2, 2]
    assert found.equal.tolist() == [-1, 13, -1, 13]
    assert found.orphan.tolist() == [False, False, True, False]


def test_the_most_similar_survivor_is_named_and_of_equals_the_better(tmp_path: Path) -> None:
    found = stars(_files(tmp_path, [(3, 0, 12), (3, 1, 14), (3, 2, 14)]), 4, 12)
    assert found.survivor.tolist() == [0, 1, 2, 1]


def test_unlike_pairs_remove_nothing(tmp_path: Path) -> None:
    assert stars(_files(tmp_path, [(1, 0, 11)]), 2, 12).survivor.tolist() == [0, 1]


def test_what_was_kept_before_stays(tmp_path: Path) -> None:
    found = stars(_files(tmp_path, [(1, 0, 16), (2, 1, 13)]), 3, 12, fixed=2)
    assert found.survivor.tolist() == [0, 1, 1]


def test_no_edges() -> None:
    found = stars([], 3, 12)
    assert found.survivor.tolist() == [0, 1, 2]
    assert found.found == 0


@pytest.mark.parametrize(("cuts", "batch"), [(1, 10**6), (3, 10**6), (7, 40)])
def test_files_and_batches_change_nothing(tmp_path: Path, cuts: int, batch: int) -> None:
    random = np.random.default_rng(1)
    pairs = {tuple(sorted(pair, reverse=True)) for pair in random.integers(0, 200, (600, 2)).tolist()}
    edges = [(a, b, 8 + (a * b) % 9) for a, b in sorted(pairs) if a != b]
    files = _files(tmp_path, [*edges, *edges[:50]], cuts)
    ranges = list(edge_ranges(files, 200, batch))
    assert len(ranges) > (1 if batch < 100 else 0)
    assert [tuple(edge) for part in ranges for edge in part.T.tolist()] == sorted(edges)
    found = stars(files, 200, 12, batch=batch)
    alive = found.survivor == np.arange(200)
    for row in range(200):
        near = [b for a, b, equal in edges if a == row and equal >= 12]
        assert alive[row] == (not any(alive[b] for b in near))
        assert found.orphan[row] == bool(alive[row] and near)
