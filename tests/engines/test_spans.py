"""Spans: other texts in their place, their values, and two lists of them as one."""

from __future__ import annotations

import string

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.engines.columns import from_arrow
from pipeline.engines.spans import Spans, merge, uncovered, values_of
from tests.text.columns import column

Place = tuple[int, int]


@st.composite
def places(draw: st.DrawFn, size: int) -> list[Place]:
    """Places in a text of so many bytes, sorted and apart."""
    cuts = sorted(draw(st.sets(st.integers(0, size), max_size=6)))
    return [(start, end) for start, end in zip(cuts[::2], cuts[1::2], strict=False)]


@st.composite
def columns_with_spans(draw: st.DrawFn) -> tuple[list[str], list[list[Place]]]:
    texts = draw(st.lists(st.text("ab \"'.-", max_size=12), max_size=4))
    return texts, [draw(places(len(text))) for text in texts]


def spans_of(texts: list[str], found: list[list[Place]], entity: int = 0, before: int = 0) -> Spans:
    rows, starts, ends = [], [], []
    for row, (text, here) in enumerate(zip(texts, found, strict=True)):
        rows += [row] * len(here)
        starts += [before + start for start, _ in here]
        ends += [before + end for _, end in here]
        before += len(text)
    return Spans(*(np.array(array, np.int64) for array in (rows, starts, ends)), np.full(len(rows), entity, np.int8))


@settings(max_examples=200, deadline=None)
@given(columns_with_spans(), st.text("xy", max_size=3))
def test_other_texts_stand_in_the_place_of_spans(case: tuple[list[str], list[list[Place]]], head: str) -> None:
    texts, found = case
    whole = column([head, *texts])[1:]  # a slice: its buffer begins elsewhere
    spans = spans_of(texts, found, before=len(head))
    values = [text[start:end] for text, here in zip(texts, found, strict=True) for start, end in here]
    assert values_of(whole, spans).to_pylist() == values
    assert cpu.replace(whole, spans, column(values)).to_pylist() == texts
    new = [f"<{number}é>"[: number + 1] for number in range(len(values))]
    expected, number = [], 0
    for text, here in zip(texts, found, strict=True):
        after, floor = "", 0
        for start, end in here:
            after += text[floor:start] + new[number]
            floor, number = end, number + 1
        expected.append(after + text[floor:])
    replaced = cpu.replace(whole, spans, column(new))
    replaced.validate(full=True)
    assert replaced.to_pylist() == expected


def test_a_column_without_spans_is_not_even_copied() -> None:
    texts = column(["a", "b"])
    assert cpu.replace(texts, spans_of(["a", "b"], [[], []]), column([])) is texts


@settings(max_examples=200, deadline=None)
@given(st.data(), st.lists(st.text("ab .-", max_size=12), max_size=4))
def test_the_first_wins_and_the_rest_of_the_second_is_left(data: st.DataObject, texts: list[str]) -> None:
    first, second = (spans_of(texts, [data.draw(places(len(text))) for text in texts], entity) for entity in (0, 1))
    merged = merge(column(texts), first, second)
    buffer = from_arrow(column(texts)).buffer.tobytes().decode()
    assert (merged.starts[1:] >= merged.ends[:-1]).all()
    assert [span for span in zip(*merged, strict=True) if span[3] == 0] == list(zip(*first, strict=True))
    ours, theirs, left = (
        {place for start, end in zip(spans.starts, spans.ends, strict=True) for place in range(start, end)}
        for spans in (first, second, merged.only(merged.entities == 1))
    )
    assert left <= theirs - ours
    assert not {place for place in theirs - ours - left if buffer[place].isalnum()}
    for row, start, end, _ in zip(*merged, strict=True):
        assert sum(map(len, texts[:row])) <= start < end <= sum(map(len, texts[: row + 1]))


def test_a_piece_loses_what_is_no_part_of_a_name() -> None:
    text = b"Jane Doe (jane@corp.org), Oslo"
    assert [text[start:end] for start, end in uncovered(text, [(10, 23)])] == [b"Jane Doe", b"Oslo"]
    assert uncovered(text, [(-5, 50)]) == uncovered(string.punctuation.encode(), []) == []
