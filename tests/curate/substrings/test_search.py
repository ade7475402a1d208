"""Exactly the bytes of the definition are found, however rows are put into parts and whatever the texts are."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import atomic
from tests.curate.substrings.naive import Row, found, shared_bytes

PIECES = st.sampled_from(
    ["a", "b", "ab", "aaaaaaaaaaaa", "abcdefghij", "klmnopqrst", "the same old words ", "é", "日本", "🙂\n"]
)
CONTENTS = st.lists(PIECES, max_size=8).map("".join)
ROWS = st.lists(st.lists(CONTENTS, min_size=1, max_size=3), min_size=1, max_size=8)


@pytest.fixture(autouse=True, scope="module")
def unsynced() -> Iterator[None]:
    """These thousands of small files need not outlive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(atomic, "sync", lambda path: None)
        yield


@given(rows=ROWS, length=st.integers(2, 24), documents=st.integers(2, 4), data=st.data())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_exactly_what_the_definition_says(rows: list[Row], length: int, documents: int, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(rows)), max_size=3))
    entries = data.draw(st.sampled_from([40, 1 << 20]))
    with tempfile.TemporaryDirectory() as folder:
        ours = found(rows, Path(folder), length, documents, cuts=cuts, entries=entries)
    assert ours == shared_bytes(rows, length, documents)


@given(rows=ROWS, data=st.data())
@settings(max_examples=15, deadline=None)
def test_rows_that_are_gone_count_for_nothing(rows: list[Row], data: st.DataObject) -> None:
    gone = data.draw(st.sets(st.integers(0, len(rows) - 1)))
    with tempfile.TemporaryDirectory() as folder:
        ours = found(rows, Path(folder), 6, 2, gone=sorted(gone))
    left = [row for number, row in enumerate(rows) if number not in gone]
    assert [row for number, row in enumerate(ours) if number not in gone] == shared_bytes(left, 6, 2)
    assert not any(spans for number in gone for spans in ours[number])


def varied(seed: int, rows: int = 40) -> list[Row]:
    """Long rows that share long pieces, whole, in part, with single bytes changed, and more than once."""
    draw = random.Random(seed)

    def noise(size: int) -> str:
        return "".join(draw.choice("abcdefgh \né") for _ in range(size))

    pieces = [noise(draw.randrange(50, 500)) for _ in range(6)]
    made = []
    for _ in range(rows):
        text = []
        for _ in range(draw.randrange(1, 5)):
            piece = draw.choice(pieces)
            a, b = sorted(draw.sample(range(len(piece) + 1), 2)) if draw.random() < 0.4 else (0, len(piece))
            piece = piece[a:b]
            if piece and draw.random() < 0.3:
                at = draw.randrange(len(piece))
                piece = piece[:at] + "X" + piece[at + 1 :]
            text += [noise(draw.randrange(0, 300)), piece]
        made.append(["".join(text), noise(40)])
    return made


def test_long_texts(tmp_path: Path) -> None:
    for seed in range(2):
        rows = varied(seed)
        for length, documents in ((64, 10), (200, 5), (65, 2)):
            expected = shared_bytes(rows, length, documents)
            assert any(spans for row in expected for spans in row)
            ours = found(rows, tmp_path / f"{seed}-{length}", length, documents, cuts=[7, 7, 31], entries=500)
            assert ours == expected


def test_the_order_of_rows_changes_nothing(tmp_path: Path) -> None:
    rows = varied(9)
    order = random.Random(1).sample(range(len(rows)), len(rows))
    one = found(rows, tmp_path / "one", 64, 8)
    other = found([rows[row] for row in order], tmp_path / "other", 64, 8, cuts=[20])
    assert [one[row] for row in order] == other


def test_many_times_in_one_row_is_once(tmp_path: Path) -> None:
    rows = [["the very same words " * 200], ["the very same words " * 3, "the very same words " * 3], ["other"]]
    assert found(rows, tmp_path / "three", 20, 3) == [[[]], [[], []], [[]]]
    assert found(rows, tmp_path / "two", 20, 2) == [[[(0, 4000)]], [[(0, 60)], [(0, 60)]], [[]]]
