"""Where a row that is longer than a bin is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

__all__ = ["keep", "shares"]


def keep(
    length: int,
    capacity: int,
    fields: Sequence[tuple[int, int]],
    method: Literal["right", "left"],
    *,
    front: int = 0,
) -> list[tuple[int, int]]:
    """What is left of a row, as (first token, tokens), in order and summing to `capacity`.

    The fields lose tokens first, as equal shares as they can give (`pack.truncation_field`); what is still too much
    comes off the row's end or, with `left`, its front.

    Args:
        length: tokens of the row, more than `capacity`.
        capacity: tokens of a bin.
        fields: token ranges, in order, that may be cut.
        method: which end is cut, of a field and of the row.
        front: tokens at the row's front that `left` leaves: the begin-of-sequence token.
    """
    excess = length - capacity
    gone = []
    for (first, last), share in zip(fields, shares(excess, [last - first for first, last in fields]), strict=True):
        gone.append((last - share, last) if method == "right" else (first, first + share))
        excess -= share
    kept = []
    at = 0
    for first, last in [*gone, (length, length)]:
        if first > at:
            kept.append((at, first - at))
        at = max(at, last)
    return _right(kept, capacity) if method == "right" else _left(kept, capacity, front)


def shares(excess: int, room: Sequence[int]) -> list[int]:
    """How many tokens each field loses: equal parts, the first fields one more (11 over 3 fields: 4, 4, 3).

    What a short field cannot give the others make up. (The order is NeMo's; there, a short field's rest is cut off the
    answer.)
    """
    lost = list(room)
    able = list(range(len(room)))
    while able:
        left = excess - sum(most for number, most in enumerate(room) if number not in able)
        each, over = divmod(left, len(able))
        wanted = {number: each + (place < over) for place, number in enumerate(able)}
        short = [number for number in able if room[number] < wanted[number]]
        if not short:
            for number in able:
                lost[number] = wanted[number]
            break
        able = [number for number in able if number not in short]
    return lost


def _right(kept: list[tuple[int, int]], capacity: int) -> list[tuple[int, int]]:
    """The first `capacity` tokens of the ranges."""
    found = []
    for first, size in kept:
        size = min(size, capacity)
        capacity -= size
        if size:
            found.append((first, size))
    return found


def _left(kept: list[tuple[int, int]], capacity: int, front: int) -> list[tuple[int, int]]:
    """The last tokens of the ranges, after the first `front` tokens; `capacity` in all."""
    if sum(size for _, size in kept) <= capacity:
        return kept
    front = min(front, capacity)
    found: list[tuple[int, int]] = []
    left = capacity - front
    for first, size in reversed(kept):
        take = min(size, left)
        left -= take
        if take:
            found.insert(0, (first + size - take, take))
    return ([(0, front)] if front else []) + found
