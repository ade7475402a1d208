"""Charts as inline SVG: no script, no font, no request; colours come from the page, so they follow its theme."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

__all__ = ["bar_chart", "line_chart"]

_WIDTH, _HEIGHT = 720, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 36
_MAX_POINTS = 500


def line_chart(points: Sequence[tuple[float, float]], *, x: str, y: str) -> Markup:
    """Draw one line; more than 500 points are averaged in groups, values that are not finite are left out."""
    points = _thin([(a, b) for a, b in points if math.isfinite(a) and math.isfinite(b)])
    if not points:
        return Markup("")
    low_x, high_x = _range([a for a, _ in points])
    low_y, high_y = _range([b for _, b in points])
    path = " ".join(f"{_across(a, low_x, high_x):.1f},{_up(b, low_y, high_y):.1f}" for a, b in points)
    dots = Markup("").join(
        Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3"/>').format(_across(a, low_x, high_x), _up(b, low_y, high_y))
        for a, b in (points[0], points[-1])
    )
    line = Markup('<polyline class="line" points="{}"/>').format(path) + dots
    return _frame(line, x=x, y=y, x_range=(low_x, high_x), y_range=(low_y, high_y))


def bar_chart(counts: Sequence[int], *, low: float, high: float, x: str, y: str) -> Markup:
    """Draw a histogram of counts in buckets of equal width over [low, high]."""
    top = max(counts, default=0)
    if not top:
        return Markup("")
    width = (_WIDTH - _LEFT - _RIGHT) / len(counts)
    bars = Markup("").join(
        Markup(
            '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
        ).format(
            _LEFT + at * width,
            _up(count, 0, top),
            max(width - 1, 0.5),
            _HEIGHT - _BOTTOM - _up(count, 0, top),
            f"{low + (high - low) * at / len(counts):g}–{low + (high - low) * (at + 1) / len(counts):g}: {count:,}",
        )
        for at, count in enumerate(counts)
    )
    return _frame(bars, x=x, y=y, x_range=(low, high), y_range=(0, top))


def _frame(content: Markup, *, x: str, y: str, x_range: tuple[float, float], y_range: tuple[float, float]) -> Markup:
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    grid = Markup("")
    for value in _ticks(*y_range):
        at = _up(value, *y_range)
        grid += Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/><text x="{}" y="{:.1f}" class="end">{}</text>'
        ).format(_LEFT, right, at, at, _LEFT - 6, at + 4, _number(value))
    for value in _ticks(*x_range):
        at = _across(value, *x_range)
        grid += Markup('<text x="{:.1f}" y="{}" class="mid">{}</text>').format(at, bottom + 16, _number(value))
    return Markup(
        '<svg viewBox="0 0 {w} {h}" role="img" aria-label="{y} by {x}">{grid}'
        '<line class="axis" x1="{l}" x2="{r}" y1="{b}" y2="{b}"/>{content}'
        '<text x="{r}" y="{foot}" class="end label">{x}</text><text x="{l}" y="{foot}" class="label">{y}</text></svg>'
    ).format(
        w=_WIDTH, h=_HEIGHT, x=escape(x), y=escape(y), grid=grid, l=_LEFT, r=right, b=bottom, content=content,
        foot=_HEIGHT - 4,
    )  # fmt: skip


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _across(value: float, low: float, high: float) -> float:
    return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)


def _up(value: float, low: float, high: float) -> float:
    return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)


def _ticks(low: float, high: float) -> list[float]:
    """Round values inside [low, high], about five of them."""
    raw = (high - low) / 5
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    if len(points) <= _MAX_POINTS:
        return points
    size = math.ceil(len(points) / _MAX_POINTS)
    groups = [points[at : at + size] for at in range(0, len(points), size)]
    return [(sum(a for a, _ in group) / len(group), sum(b for _, b in group) / len(group)) for group in groups]
