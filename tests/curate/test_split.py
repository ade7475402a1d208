import numpy as np
import pytest

from pipeline.config import Split
from pipeline.curate.split import draw_splits

CLUSTERS = np.random.default_rng(1).integers(0, 2**64, 200_000, dtype=np.uint64)


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_shares_come_out(seed: int) -> None:
    split = Split(train=0.8, validation=0.15, test=0.05)
    counts = np.bincount(draw_splits(CLUSTERS, split, seed), minlength=3) / len(CLUSTERS)
    assert np.abs(counts - [0.8, 0.15, 0.05]).max() < 0.005


def test_small_numbers_are_mixed_as_well_as_hashes() -> None:
    drawn = draw_splits(np.arange(100_000, dtype=np.uint64), Split(), 0)
    assert abs((drawn == 2).mean() - 0.05) < 0.005


def test_a_draw_depends_on_the_cluster_alone() -> None:
    whole = draw_splits(CLUSTERS, Split(), 3)
    order = np.random.default_rng(2).permutation(len(CLUSTERS))
    assert (draw_splits(CLUSTERS[order], Split(), 3) == whole[order]).all()
    assert (draw_splits(CLUSTERS[:10], Split(), 3) == whole[:10]).all()


def test_another_seed_draws_otherwise() -> None:
    same = draw_splits(CLUSTERS, Split(), 0) == draw_splits(CLUSTERS, Split(), 1)
    assert 0.6 < same.mean() < 0.75  # 0.8² + 0.15² + 0.05² = 0.665


def test_an_empty_split_gets_nothing() -> None:
    drawn = draw_splits(CLUSTERS, Split(train=1.0, validation=0.0, test=0.0), 0)
    assert (drawn == 0).all()
