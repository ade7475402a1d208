"""Long rows cut into segments: whatever the cuts, what comes of them is what comes of whole rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.engines.launch import Host, launched_by
from pipeline.engines.operations.clean import flags_of
from pipeline.engines.segments import WHOLE, Segments, cut_rows
from tests.engines.operations import column, flat

CHARACTERS = ["a", "b", " ", " ", "\n", "\t", "é", "ß", "ΐ", "Ã", "œ", "\u00a0", "\u3000", "漢", "🙂", "ﬁ", "<", "‘"]


class Cut(Host):
    """The processor, as a GPU would be asked: rows are cut, and written where they have room."""

    parallel = True

    def __init__(self, size: int) -> None:
        self.size = size

    def cut(self, work: np.ndarray) -> Segments:
        return cut_rows(work, self.size)


def of_segments(texts: list[str], unit: Any, shingle: int) -> Any:
    """All that is computed by segments: of normal forms, and of texts as they came."""
    rows = column(texts)
    found = [flags_of(rows), cpu.normalise(rows)]
    for some in (found[1], rows):
        found.append(cpu.shingles(some, shingle=shingle, unit=unit))
        found.append(cpu.sketch(some, values=16, shingle=shingle, unit=unit))
    return found


TEXT = st.lists(st.sampled_from(CHARACTERS), max_size=120).map("".join)


@settings(deadline=None)  # machine code is loaded by the first example
@given(
    st.lists(TEXT | st.tuples(st.text("a b", max_size=3), st.integers(0, 60)).map(lambda made: made[0] * made[1])),
    st.integers(1, 40),
    st.sampled_from(["characters", "words"]),
    st.integers(1, 5),
)
@example(["", "漢字" * 40, "a"], 1, "characters", 5)  # cuts within characters
@example(["a\u3000\u3000 \n b" * 9 + " " * 30], 4, "characters", 2)  # within whitespace, and within its characters
@example(["word " * 30 + "w" * 90, "w" * 50, " " * 50], 8, "words", 3)  # within words longer than segments
@example(["abab" * 40], 16, "characters", 3)  # few different shingles
@example(["naïve œ" * 20, "ÃƒÂ©\n" * 20], 5, "characters", 5)
def test_segments_come_to_what_whole_rows_come_to(texts: list[str], size: int, unit: Any, shingle: int) -> None:
    whole = list(flat(of_segments(texts, unit, shingle)))
    with launched_by(Cut(size)):
        assert list(flat(of_segments(texts, unit, shingle))) == whole


@given(st.lists(st.integers(0, 300)), st.integers(1, 50))
def test_segments_cover_every_row_and_are_of_about_one_length(sizes: list[int], size: int) -> None:
    work = np.array(sizes, np.int64)
    segments = cut_rows(work, size)
    if segments is WHOLE:
        assert work.max(initial=0) < 2 * size
        assert segments.work(work) is work
        return
    assert len(segments.firsts) == len(work) + 1
    for row, length in enumerate(sizes):
        here = slice(segments.firsts[row], segments.firsts[row + 1])
        lows, highs = segments.lows[here].tolist(), segments.highs[here].tolist()
        assert set(segments.rows[here].tolist()) == {row}
        assert [0, *highs] == [*lows, length]
        assert set((segments.highs - segments.lows)[here][:-1].tolist()) <= {size}
        assert highs[-1] - lows[-1] < 2 * size
    assert segments.cut.tolist() == [row for row, length in enumerate(sizes) if length >= 2 * size]


def test_a_book_among_tweets_is_the_work_of_many_threads_and_none_is_left_to_the_processor() -> None:
    pytest.importorskip("numba.cuda", reason="numba-cuda is not installed")
    from pipeline.engines.cuda.schedule import LONG, SEGMENT, cut, plan

    tweets, book = 20_000, 100 << 20
    work = np.full(tweets + 1, 200)
    work[7] = book
    assert plan(work, by_length=True).host.tolist() == [7]  # whole, it would hold up the others
    segments = cut(work)
    assert segments.cut.tolist() == [7]
    items = segments.work(work)
    assert len(items) == tweets + book // SEGMENT
    assert items.max() < 2 * SEGMENT < LONG
    (launch,), host = plan(items, by_length=False)
    assert not len(host)
    neighbours = launch[launch < 7 + book // SEGMENT][1:65]  # two warps of the book's
    assert np.diff(neighbours).tolist() == [1] * 63


def test_every_segment_of_a_sketch_is_launched_once() -> None:
    counted: list[tuple[str, int]] = []

    class Counting(Cut):
        def run(self, loop: Any, work: np.ndarray, *arguments: Any, segments: Segments = WHOLE) -> None:
            counted.append((loop.__name__, len(work)))
            super().run(loop, work, *arguments, segments=segments)

    with launched_by(Counting(100)):
        cpu.sketch(pa.array(["short", "x" * 1050, "", "y" * 199], pa.large_string()))
    assert counted == [("sketch_rows", 3 + 10)]
