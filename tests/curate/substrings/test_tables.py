"""Keys are counted by row, whatever the shares that they are counted in."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.curate.substrings import tables
from pipeline.curate.substrings.tables import EVERYWHERE, MANY, Table
from tests.curate.planted import serial

HASHES = np.random.default_rng(0).integers(0, 2**64, (12, 2), np.uint64)
HASHES[6:, 0] = HASHES[:6, 0]  # the first words are not enough to tell keys apart
ENTRY = st.tuples(st.integers(0, 11), st.integers(0, 4), st.booleans())
"""Which key, in which row, and whether it is known to be in enough rows."""


@given(parts=st.lists(st.lists(ENTRY, max_size=30), min_size=1, max_size=4), entries=st.sampled_from([1, 7, 1000]))
@settings(max_examples=30, deadline=None)
def test_counts_are_of_different_rows(parts: list[list[tuple[int, int, bool]]], entries: int) -> None:
    rows_of, marked, seen = defaultdict(set), set(), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = tuple(folder / f"part-{number}" for number in range(len(parts)))
        table = Table(parts=paths, starts=tuple(range(0, 5 * len(parts), 5)), folder=folder / "counts")
        for number, part in enumerate(parts):
            part.sort(key=lambda entry: entry[1])
            keys = np.array([key for key, _, _ in part], np.int64)
            rows = np.array([EVERYWHERE if every else row for _, row, every in part], np.uint32)
            assert not tables.is_there(paths[number])
            tables.put(paths[number], HASHES[keys], rows, np.stack([keys, np.arange(len(part))]))
            assert tables.is_there(paths[number])
            for key, row, every in part:
                rows_of[key].add((number, row))
                marked |= {key} if every else set()
        assert tables.count(table, serial, entries=entries) == len(rows_of)
        assert tables.count(table, serial, entries=entries) == len(rows_of)  # from the files
        for number, part in enumerate(parts):
            answers, (keys, places) = tables.answers(table, number), tables.places(paths[number])
            assert sorted(places.tolist()) == list(range(len(part)))
            expected = [int(MANY) if key in marked else len(rows_of[key]) for key in keys.tolist()]
            assert answers.counts.tolist() == expected
            assert tables.rows(paths[number])[np.argsort(places)].tolist() == [
                int(EVERYWHERE) if every else row for _, row, every in part
            ]
            seen += int(answers.firsts.sum())
    assert seen == len(rows_of)
