"""Properties: every chart is well-formed, inside its frame, and shows what it was given."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.report.charts import bar_chart, line_chart

numbers = st.floats(min_value=-1e6, max_value=1e6)
points = st.lists(st.tuples(st.floats(min_value=0, max_value=1e6), numbers), min_size=1, max_size=40)


def drawn(svg: str) -> list[tuple[float, float]]:
    """The points of the line."""
    line = re.search(r'points="([^"]*)"', svg)
    assert line
    return [(float(a), float(b)) for a, b in (pair.split(",") for pair in line[1].split())]


@settings(max_examples=60, deadline=None)
@given(points)
def test_a_line_lies_inside_its_frame(values: list[tuple[float, float]]) -> None:
    svg = line_chart(values, x="step", y="loss")
    ElementTree.fromstring(svg)
    line = drawn(svg)
    assert len(line) == len(values)
    assert all(64 <= a <= 708 and 12 <= b <= 204 for a, b in line)


def test_higher_is_higher_and_later_is_further_right() -> None:
    (x1, y1), (x2, y2), (x3, y3) = drawn(line_chart([(1, 5.0), (2, 3.0), (3, 4.0)], x="step", y="loss"))
    assert x1 < x2 < x3
    assert y1 < y3 < y2  # SVG counts downwards


def test_many_points_are_averaged_not_dropped() -> None:
    line = drawn(line_chart([(float(n), float(n % 2)) for n in range(10_000)], x="step", y="loss"))
    assert 400 <= len(line) <= 500
    heights = {height for _, height in line}
    assert len(heights) == 1  # each group has as many zeros as ones


def test_values_that_are_not_finite_are_left_out() -> None:
    svg = line_chart([(1, 1.0), (2, math.nan), (3, math.inf), (4, 2.0)], x="step", y="loss")
    assert len(drawn(svg)) == 2
    assert line_chart([(1, math.nan)], x="step", y="loss") == ""


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(min_value=0, max_value=10**7), min_size=1, max_size=40))
def test_bars_are_as_high_as_their_counts(counts: list[int]) -> None:
    svg = bar_chart(counts, low=0, high=512, x="tokens", y="examples")
    if not any(counts):
        assert svg == ""
        return
    tree = ElementTree.fromstring(svg)
    heights = [float(bar.attrib["height"]) for bar in tree.iter("rect")]
    for count, height in zip(counts, heights, strict=True):
        assert abs(height - count / max(counts) * 192) < 0.2


def test_labels_are_escaped() -> None:
    assert "<b>" not in line_chart([(0, 1), (1, 2)], x="<b>", y='"><b>')
    ElementTree.fromstring(line_chart([(0, 1), (1, 2)], x="<b>", y='"><b>'))
