"""What is rare in a text: phrases, URLs, ellipses. It is asked of many bytes at once whether there may be any."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.measures import (
    ELLIPSES,
    JAVASCRIPT_LINES,
    LOREM_IPSUMS,
    POLICY_LINES,
    POLICY_PARAGRAPHS,
    URL_CHARACTERS,
)
from pipeline.text.phrases import ANCHORS, C4, CURATOR, JAVASCRIPT, LOREM_IPSUM, find_phrase
from pipeline.text.urls import url_end, url_start

__all__ = ["count_rare"]

BLOCK = 64
"""Bytes that are asked at once; a row of fewer is looked at byte by byte."""

_SIGHTS = (*ANCHORS, "://", "...")
SIGHTS = np.array([int.from_bytes(sight.encode(), "big") for sight in _SIGHTS], np.int64)
"""What is looked for: three characters as digits to the base 256."""
URL = len(ANCHORS)
DOTS = URL + 1
BEGINS = np.zeros(256, np.uint8)
"""1 for a byte that a sight begins with, in either case."""
for _sight in _SIGHTS:
    BEGINS[[ord(_sight[0]), ord(_sight[0].upper())]] = 1
SMALL = np.uint8(32)
LINE = int64(0)  # Numba would compile `part_end` once for each constant
PARAGRAPH = int64(1)


@declare("int64(uint8[::1], int64, int64, int64[::1])")
def count_rare(buffer: np.ndarray, start: int, end: int, measures: np.ndarray) -> int:
    r"""Count phrases and the paragraphs and lines that hold them, the characters of URLs, and `...`.

    A paragraph is a part of `text.split("\n\n")`; no phrase holds a line feed.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        measures: What is counted.

    Returns:
        The number of phrases.
    """
    phrases = 0
    url_floor = start  # where the last URL ended
    counted_paragraph = counted_line = counted_script = int64(0)  # where the last one that was counted ends
    i = start
    while i + 2 < end:
        block = min(i, end - 2 - BLOCK)
        if block >= start and not may_hold(buffer, block):
            i = block + BLOCK
            continue
        stop = min(i + BLOCK, end - 2)
        while i < stop:
            if not BEGINS[buffer[i]]:
                i += 1
                continue
            sight = sight_at(buffer, i)
            if sight == DOTS:
                first = i
                while i < end and buffer[i] == 46:
                    i += 1
                measures[ELLIPSES] += (i - first) // 3
                continue
            if sight == URL:
                url = url_start(buffer, url_floor, i, end)
                if url >= 0:
                    url_floor = url_end(buffer, i, end)
                    measures[URL_CHARACTERS] += url_floor - url
            elif sight >= 0:
                meaning = find_phrase(buffer, start, i, end, sight)
                phrases += 1 if meaning else 0
                measures[LOREM_IPSUMS] += 1 if meaning & LOREM_IPSUM else 0
                if meaning & CURATOR and i >= counted_paragraph:
                    measures[POLICY_PARAGRAPHS] += 1
                    counted_paragraph = part_end(buffer, i, end, PARAGRAPH)
                if meaning & C4 and i >= counted_line:
                    measures[POLICY_LINES] += 1
                    counted_line = part_end(buffer, i, end, LINE)
                if meaning & JAVASCRIPT and i >= counted_script:
                    measures[JAVASCRIPT_LINES] += 1
                    counted_script = part_end(buffer, i, end, LINE)
            i += 1
    return phrases


@declare("int64(uint8[::1], int64)")
def may_hold(buffer: np.ndarray, at: int) -> int:
    """Return 1 if one of the `SIGHTS` may begin in the `BLOCK` from `at` on; two bytes more are read.

    The loop has no branch, so that a compiler makes vector instructions of it.
    """
    found = False
    for k in range(at, at + BLOCK):
        i = np.uint64(k)
        a = buffer[i] | SMALL
        b = buffer[i + np.uint64(1)] | SMALL
        c = buffer[i + np.uint64(2)] | SMALL
        found |= (a == 107) & (b == 105) & (c == 101)  # kie
        found |= (a == 109) & (b == 115) & (c == 32)  # ms_
        found |= (a == 112) & (b == 115) & (c == 117)  # psu
        found |= (a == 118) & (b == 97) & ((c == 99) | (c == 115))  # vac vas
        found |= (a == 58) & (b == 47) & (c == 47)  # ://
        found |= (a == 46) & (b == 46) & (c == 46)  # ...
    return 1 if found else 0


@declare("int64(uint8[::1], int64)")
def sight_at(buffer: np.ndarray, at: int) -> int:
    """Return which of the `SIGHTS` stands at `at`, in any case, or -1."""
    three = int64(0)
    for k in range(at, at + 3):
        byte = int64(buffer[k])
        three = three << 8 | (byte + 32 if 65 <= byte <= 90 else byte)
    for sight in range(len(SIGHTS)):
        if SIGHTS[sight] == three:
            return sight
    return -1


@declare("int64(uint8[::1], int64, int64, int64)")
def part_end(buffer: np.ndarray, at: int, end: int, paragraph: int) -> int:
    """Return where the line that holds `at` ends, or, if `paragraph` is 1, the paragraph."""
    i = at
    while i < end and not (buffer[i] == 10 and (not paragraph or (i + 1 < end and buffer[i + 1] == 10))):
        i += 1
    return i
