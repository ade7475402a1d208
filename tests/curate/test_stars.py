"""No row is removed by a chain of resemblances, whatever the buckets."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.curate.stars import stars

VALUES = 16


def _random(seed: int, rows: int, bands: int, alphabet: int) -> tuple[np.ndarray, np.ndarray]:
    """Sketches with many chance agreements, and the buckets that their bands make."""
    random = np.random.default_rng(seed)
    sketches = random.integers(0, alphabet, (rows, VALUES), dtype=np.uint32)
    for row in range(1, rows):  # near copies of earlier rows, in chains
        if random.random() < 0.7:
            sketches[row] = sketches[random.integers(0, row)]
            changed = random.integers(0, VALUES, 2)
            sketches[row, changed] = random.integers(0, alphabet, len(changed))
    width = VALUES // bands
    buckets = np.full((rows, bands), -1, dtype=np.int64)
    offset = 0
    for band in range(bands):
        keys = sketches[:, band * width : (band + 1) * width]
        _, number, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        number = number.reshape(-1)
        shared = count[number] > 1
        buckets[shared, band] = number[shared] + offset
        offset += len(count)
    return buckets, sketches


def _similarity(sketches: np.ndarray, a: int, b: int) -> float:
    return float((sketches[a] == sketches[b]).mean())


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 60), bands=st.sampled_from([2, 4, 8]))
def test_every_removed_row_is_similar_to_its_survivor(seed: int, rows: int, bands: int) -> None:
    buckets, sketches = _random(seed, rows, bands, alphabet=50)
    survivor, similarity, root = stars(buckets, sketches, 0.75)
    for row in range(rows):
        kept = survivor[row]
        assert survivor[kept] == kept, "a survivor survives"
        assert kept <= row, "the survivor is ranked better"
        assert similarity[row] == _similarity(sketches, row, kept)
        assert root[row] == root[kept], "a star lies in one cluster"
        assert root[row] <= row
        if kept != row:
            assert similarity[row] >= 0.75
    for row in range(rows):
        for other in range(row):
            together = ((buckets[row] == buckets[other]) & (buckets[row] >= 0)).any()
            if together and survivor[row] == row and survivor[other] == other:
                assert _similarity(sketches, row, other) < 0.75, "two survivors that met are unlike"


def test_a_chain_is_one_cluster_but_its_far_end_survives() -> None:
    a = np.arange(VALUES, dtype=np.uint32)
    b, c = a.copy(), a.copy()
    b[12:] = 100 + np.arange(4)  # 0.75 like a
    c[12:] = 100 + np.arange(4)
    c[8:12] = 200 + np.arange(4)  # 0.75 like b, 0.5 like a
    sketches = np.stack([a, b, c])
    buckets = np.array([[0], [0], [0]], dtype=np.int64)
    survivor, _, root = stars(buckets, sketches, 0.75)
    assert survivor.tolist() == [0, 0, 2]
    assert root.tolist() == [0, 0, 0]


def test_nothing_in() -> None:
    survivor, similarity, root = stars(np.zeros((0, 4), np.int64), np.zeros((0, VALUES), np.uint32), 0.8)
    assert len(survivor) == len(similarity) == len(root) == 0


def test_rows_without_a_bucket_survive() -> None:
    sketches = np.ones((3, VALUES), dtype=np.uint32)
    survivor, _, root = stars(np.full((3, 2), -1, np.int64), sketches, 0.8)
    assert survivor.tolist() == root.tolist() == [0, 1, 2]
