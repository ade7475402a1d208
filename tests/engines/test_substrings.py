"""Equal windows have equal anchors; a cut lies within what may go, and at places where text can be parted."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines.columns import from_arrow
from pipeline.engines.cpu import cut_spans, digest, digest_spans, stretches
from pipeline.text.cutting import REACH
from tests.text.columns import HOSTILE, column

TEXTS = st.lists(st.text(st.sampled_from("ab é\n"), max_size=40), max_size=5)


@given(texts=TEXTS, length=st.integers(2, 12))
@settings(deadline=None)
def test_equal_windows_have_equal_anchors(texts: list[str], length: int) -> None:
    texts = ["before", *texts]
    array = column(texts).slice(1)
    buffer, bounds = from_arrow(array)
    found = stretches(array, length)
    edges = enumerate(itertools.pairwise(bounds.tolist()))
    windows = [(text, first) for text, (a, b) in edges for first in range(a, b - length + 1)]
    # Every window is in one stretch, in order.
    starts = np.repeat(found.firsts, found.counts) + np.arange(found.counts.sum())
    starts -= np.repeat(np.cumsum(found.counts) - found.counts, found.counts)
    assert list(zip(np.repeat(found.texts, found.counts).tolist(), starts.tolist(), strict=True)) == windows
    keys: dict[bytes, int] = {}
    for (_, first), key in zip(windows, np.repeat(found.keys, found.counts).tolist(), strict=True):
        assert keys.setdefault(buffer[first : first + length].tobytes(), key) == key


@given(texts=TEXTS)
@settings(deadline=None)
def test_the_digest_of_a_span_is_that_of_its_bytes(texts: list[str]) -> None:
    array = column(texts)
    bounds = from_arrow(array).bounds
    ours = digest_spans(array, bounds[:-1], bounds[1:])
    assert ours.tobytes() == digest(array, normalised=True).tobytes()


@given(text=HOSTILE, data=st.data(), lines=st.booleans())
@settings(max_examples=300, deadline=None)
def test_a_cut_leaves_text(text: str, data: st.DataObject, lines: bool) -> None:
    bits = text.encode()
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, len(bits))] * 2)))
    start, end = _cut(bits, first, last, lines)
    assert first <= start <= end <= max(last, start)
    if start == end:
        # Nothing can be cut within a part of it either.
        inner = sorted(data.draw(st.tuples(*[st.integers(first, last)] * 2)))
        a, b = _cut(bits, *inner, lines)
        assert a == b
    elif lines:
        assert start == 0 or bits[start - 1] == 10
        assert end == len(bits) or bits[end - 1] == 10
    elif start > 0 and bits[start - 1] > 32 and end < len(bits):
        assert bits[end - 1] > 32 or bits[end] > 32
    (bits[:start] + bits[end:]).decode()  # characters stay whole


def test_words_stay_whole_and_apart() -> None:
    text = "Here it is: these words are shared by all. More."
    shared = "it is: these words are shared by all."

    def cut(first: int, last: int) -> str:
        start, end = _cut(text.encode(), first, last, False)
        return text[:start] + text[end:]

    at = text.index(shared)
    assert cut(at, at + len(shared)) == "Here  More."
    assert cut(at, at + len(shared) + 1) == "Here More."
    assert cut(at - 1, at + len(shared)) == "Here  More."
    assert cut(at - 3, at + len(shared) - 2) == "Here all. More."
    assert cut(0, len(text)) == ""


def test_text_without_spaces_is_cut_between_characters() -> None:
    text = "日本語のテキスト" * 20
    start, end = _cut(text.encode(), 10, 310, False)
    assert (start, end) == (12, 309)
    assert len(text.encode()) - 10 > REACH


def test_only_whole_lines_of_code() -> None:
    text = "# one\n# two\nx = 1\n"
    assert _cut(text.encode(), 2, 15, True) == (6, 12)
    assert _cut(text.encode(), 0, 18, True) == (0, 18)
    assert _cut(text.encode(), 7, 11, True)[1] == _cut(text.encode(), 7, 11, True)[0]


def _cut(text: bytes, first: int, last: int, lines: bool) -> tuple[int, int]:
    array = column(["before", text.decode()]).slice(1)
    base = int(from_arrow(array).bounds[0])
    spans = np.array([base + first]), np.array([base + last])
    starts, ends = cut_spans(array, np.zeros(1, np.int64), *spans, np.array([lines]))
    return int(starts[0]) - base, int(ends[0]) - base
