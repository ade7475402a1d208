"""No row is removed by a chain of resemblances, whatever the edges and however they are cut into files."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.curate.dedup import starring
from pipeline.curate.dedup.starring import starred
from pipeline.curate.dedup.stars import edge_ranges, stars
from tests.curate.planted import serial


def _files(folder: Path, edges: list[tuple[int, int, int]], cuts: int = 1) -> list[Path]:
    """The edges (worse, better, equal values) dealt out to files as tasks write them."""
    paths = []
    for number in range(cuts):
        part = np.array(sorted(edges[number::cuts]), dtype=np.int64).reshape(-1, 3).T
        paths.append(folder / f"edges-{cuts}-{number}.npy")
        np.save(paths[-1], part)
    return paths


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 120),
    share=st.floats(0, 4),
    fixed=st.integers(0, 40),
    chain=st.integers(0, 100),
)
def test_frames_choose_what_edges_one_by_one_choose(
    seed: int, count: int, share: float, fixed: int, chain: int
) -> None:
    """Chains too, longer than there are rounds for, and edges that several files hold."""
    random = np.random.default_rng(seed)
    pairs = random.integers(0, count, (int(share * count), 2)).tolist()
    pairs += [(row, row + 1) for row in range(min(chain, count - 1))]
    edges = [(max(pair), min(pair), 8 + 7 * sum(pair) % 9) for pair in {tuple(sorted(pair)) for pair in pairs}]
    edges = [edge for edge in edges if edge[0] != edge[1]]
    with tempfile.TemporaryDirectory() as folder:
        files = _files(Path(folder), [*edges, *edges[:20]], 3)
        expected = stars(files, count, 11, fixed=fixed)
        found = starred(files, count, 11, Path(folder) / "stars.npy", serial, "pandas", fixed=fixed)
    for name in ("survivor", "equal", "orphan"):
        one, other = getattr(found, name), getattr(expected, name)
        assert one.dtype == other.dtype
        assert one.tolist() == other.tolist()
    assert found.found == expected.found


@pytest.mark.parametrize(("links", "here"), [(20, False), (3 * starring.ROUNDS, True)])
def test_of_a_chain_longer_than_the_rounds_the_processor_decides(
    links: int, here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _files(tmp_path, [(row + 1, row, 13) for row in range(links)])
    asked: list[int] = []
    monkeypatch.setattr(starring, "stars", lambda *these, **named: asked.append(1) or stars(*these, **named))
    found = starred(files, links + 1, 12, tmp_path / "stars.npy", serial, "pandas")
    assert bool(asked) == here
    assert found.survivor.tolist() == [row - row % 2 for row in range(links + 1)]


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
