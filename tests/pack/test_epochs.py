"""Epochs: every example once, bins as full as they were, other companions, and always the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.pack.bins import Bins
from pipeline.pack.epochs import EpochBins, permuted
from pipeline.schema import BINS


def write(folder: Path, lengths: list[list[int]], *, files: int = 2) -> Bins:
    """A bin a list; example n has tokens n, n + 1, … and the id `s/n`."""
    bins, example = [], 0
    for own in lengths:
        one: dict[str, list[object]] = {"tokens": [], "loss": [], "starts": [], "rows": []}
        for length in own:
            one["starts"].append(len(one["tokens"]))
            one["tokens"] += range(example, example + length)
            one["loss"] += [(example + number) % 3 == 0 for number in range(length)]
            one["rows"].append(f"s/{example}")
            example += 1
        bins.append(one)
    for number in range(files):
        mine = bins[len(bins) * number // files : len(bins) * (number + 1) // files]
        with pa.ipc.new_file(folder / f"bins-{number:05d}.arrow", BINS) as writer:
            for first in range(0, len(mine), 3):
                writer.write_batch(pa.RecordBatch.from_pylist(mine[first : first + 3], schema=BINS))
    return Bins.open(folder)


@pytest.fixture
def bins(tmp_path: Path) -> Bins:
    draw = np.random.default_rng(0)
    return write(tmp_path, [draw.integers(1, 9, draw.integers(1, 6)).tolist() for _ in range(40)])


def test_every_epoch_has_every_example_once_and_the_lengths_where_they_were(bins: Bins) -> None:
    epochs = EpochBins(bins, seed=3)
    first = {row: one for one in map(bins.get, range(len(bins))) for row in one.rows}
    companions = set()
    for epoch in range(4):
        seen: Counter[str] = Counter()
        for number in range(len(bins)):
            own, now = bins.get(number), epochs.get(number, epoch)
            assert now.starts.tolist() == own.starts.tolist()
            assert len(now.tokens) == len(own.tokens) == len(now.loss) == bins.length(number)
            seen.update(now.rows)
            ends = [*now.starts[1:].tolist(), len(now.tokens)]
            for row, begin, end in zip(now.rows, now.starts.tolist(), ends, strict=True):
                example = int(row[2:])
                assert now.tokens[begin:end].tolist() == list(range(example, example + end - begin))
                assert now.loss[begin:end].tolist() == [(example + n) % 3 == 0 for n in range(end - begin)]
            companions.add((number, tuple(now.rows)))
        assert seen == Counter(dict.fromkeys((row for one in first.values() for row in one.rows), 1))
    assert len(companions) > 3 * len(bins)  # almost every bin is another in each of four epochs


def test_epoch_0_is_what_the_files_hold_and_the_rest_follows_from_the_seed(bins: Bins) -> None:
    assert all(EpochBins(bins, seed=3).get(n, 0).rows == bins.get(n).rows for n in range(len(bins)))

    def epoch(number: int, seed: int) -> list[list[str]]:
        return [EpochBins(bins, seed=seed).get(n, number).rows for n in range(len(bins))]

    assert epoch(1, 3) == epoch(1, 3)
    assert epoch(1, 3) != epoch(2, 3) != epoch(2, 4)


def test_a_length_that_occurs_once_stays(tmp_path: Path) -> None:
    bins = write(tmp_path, [[5, 3], [4, 4]], files=1)
    for epoch in range(5):
        assert EpochBins(bins, seed=0).get(0, epoch).rows == ["s/0", "s/1"]


def test_where_examples_lie(bins: Bins) -> None:
    first, lengths = bins.places()
    for number in range(len(bins)):
        own = bins.get(number)
        expected = np.diff([*own.starts.tolist(), len(own.tokens)]).tolist()
        assert lengths[first[number] : first[number + 1]].tolist() == expected
        assert [bins.example(number, n).rows for n in range(len(expected))] == [[row] for row in own.rows]
    with pytest.raises(IndexError, match="example 9"):
        bins.example(0, 9)


@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=5), seed=st.integers(0, 2**63), epoch=st.integers(0, 2**31)
)
@settings(deadline=None)
def test_permuted_is_a_permutation_of_each_domain(sizes: list[int], seed: int, epoch: int) -> None:
    rank = np.concatenate([np.arange(size) for size in sizes])
    size = np.repeat(sizes, sizes)
    tweak = np.repeat(np.arange(len(sizes)), sizes)
    found = permuted(rank, size, tweak, seed=seed, epoch=epoch)
    for number, one in enumerate(sizes):
        assert sorted(found[tweak == number].tolist()) == list(range(one))


@pytest.mark.parametrize("size", [2, 3, 5, 16, 100])
def test_every_rank_comes_everywhere_about_as_often(size: int) -> None:
    epochs = 2000
    rank, epoch = np.tile(np.arange(size), epochs), np.repeat(np.arange(epochs), size)
    found = permuted(rank, np.full(len(rank), size), epoch, seed=7, epoch=1)
    counts = np.bincount(rank * size + found, minlength=size * size).reshape(size, size)
    expected = epochs / size
    # χ² of each rank's places: mean size - 1, deviation √(2 (size - 1)); 6 of them.
    chi = ((counts - expected) ** 2 / expected).sum(axis=1)
    assert (chi < size - 1 + 6 * np.sqrt(2 * (size - 1)) + 6).all()
