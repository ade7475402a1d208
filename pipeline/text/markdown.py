"""The cleaner `markdown`: emphasis, headings and links as plain text."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.kernel import declare, int64
from pipeline.text.put import put_byte, put_bytes

__all__ = ["SCRATCH", "plain_markdown"]

LONGEST_LINK = 1000
"""Bytes that the text and the target of a link may have together."""

SCRATCH = 14
"""Integers of scratch: for each of six markers where its pair ends, and how far there is none; and two for links."""
LINK_TEXT, LINK_TARGET = 12, 13


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64, int64[::1])")
def plain_markdown(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int, scratch: np.ndarray) -> int:
    r"""Write the row without Markdown's marks, and return its new length in bytes.

    - Emphasis: a pair of one to three `*` or `_` around text goes. The first stands after whitespace or an opening
      bracket or quote and before a letter, a digit, or what may open a word; the last the other way round, in the same
      paragraph; no other `_` stands between two of them. So snake_case, `2 * 3`, runs of four and more, and masks of
      redaction stay; and so does one word between two or three `_`, as in `__init__`.
    - Headings: `#` to `######` at the start of a line go, with the space after them.
    - Links: `[text](target)` becomes `text (target)`, and so does an image; a link without text becomes its target. A
      target holds one of `./:#`, so `[x](int)` is none.
    - Code stays byte for byte, with its marks: fenced blocks, spans in backticks, lines indented by four columns.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        output: Where to write.
        at: Where in `output`; below 0, nothing is written and only the length is measured.
        scratch: `SCRATCH` integers.
    """
    for k in range(SCRATCH):
        scratch[k] = start
    length = 0
    i = start
    while i < end:
        if i == start or buffer[i - 1] == 10:
            stop = code_block_end(buffer, i, end)
            if stop > i:
                length = put_bytes(buffer, i, stop, output, at, length)
                i = stop
                continue
            i = heading_end(buffer, i, end)
            if i >= end:
                break
        byte = int64(buffer[i])
        if byte == 92 and i + 1 < end:  # an escaped mark is none
            length = put_bytes(buffer, i, i + 2, output, at, length)
            i += 2
        elif byte == 96:
            stop = code_span_end(buffer, i, end)
            length = put_bytes(buffer, i, stop, output, at, length)
            i = stop
        elif byte == 42 or byte == 95:
            stop = run_end(buffer, i, end)
            if not removes_run(buffer, start, i, stop, end, scratch):
                length = put_bytes(buffer, i, stop, output, at, length)
            i = stop
        elif (byte == 91 or byte == 33) and link_end(buffer, start, i, end, scratch):
            stop = link_end(buffer, start, i, end, scratch)
            first = i + 2 if byte == 33 else i + 1
            text = scratch[LINK_TEXT]
            length = put_bytes(buffer, first, text, output, at, length)
            if text > first:
                length = put_byte(32, output, at, length)
                length = put_byte(40, output, at, length)
            length = put_bytes(buffer, text + 2, scratch[LINK_TARGET], output, at, length)
            if text > first:
                length = put_byte(41, output, at, length)
            i = stop
        else:
            length = put_byte(byte, output, at, length)
            i += 1
    return length


@declare("int64(uint8[::1], int64, int64)")
def code_block_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the code that begins with the line at `at`, or `at` if none does.

    A fence (three or more backticks or tildes, indented by up to three columns) lasts to a line that begins with as
    many, or to the end. A line indented by four columns or a tab is code by itself.
    """
    i = at
    while i < end and i < at + 4 and buffer[i] == 32:
        i += 1
    if i == at + 4 or (i < end and buffer[i] == 9):
        return line_end(buffer, i, end)
    if i >= end or (buffer[i] != 96 and buffer[i] != 126):
        return at
    fence = buffer[i]
    width = 0
    while i < end and buffer[i] == fence:
        width += 1
        i += 1
    if width < 3:
        return at
    i = line_end(buffer, i, end)
    while i < end:
        first = i
        while i < end and buffer[i] == 32:
            i += 1
        closing = 0
        while i < end and buffer[i] == fence:
            closing += 1
            i += 1
        i = line_end(buffer, i, end)
        if closing >= width and i > first:
            return i
    return end


@declare("int64(uint8[::1], int64, int64)")
def line_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the next line break, or `end`."""
    i = at
    while i < end:
        i += 1
        if buffer[i - 1] == 10:
            break
    return i


@declare("int64(uint8[::1], int64, int64)")
def heading_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the text of the heading at `at` begins, `at` itself if there is none."""
    found = at
    while True:
        i = found
        while i < end and buffer[i] == 35:
            i += 1
        if i == found or i - found > 6 or i >= end or buffer[i] != 32:
            return found
        while i < end and buffer[i] == 32:
            i += 1
        found = i


@declare("int64(uint8[::1], int64, int64)")
def run_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the run of the byte at `at` ends."""
    i = at
    while i < end and buffer[i] == buffer[at]:
        i += 1
    return i


@declare("int64(uint8[::1], int64, int64)")
def code_span_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the code span at `at`, of the same paragraph; or past its backticks if it does not end."""
    first = run_end(buffer, at, end)
    i = first
    while i < end and i - first < LONGEST_LINK:
        if buffer[i] == 96:
            stop = run_end(buffer, i, end)
            if stop - i == first - at:
                return stop
            i = stop
            continue
        if buffer[i] == 10 and i + 1 < end and buffer[i + 1] == 10:
            break
        i += 1
    return first


@declare("int64(uint8[::1], int64, int64, int64, int64, int64[::1])")
def removes_run(buffer: np.ndarray, start: int, at: int, stop: int, end: int, scratch: np.ndarray) -> int:
    """Return 1 if the marks `[at, stop)` are half of a pair.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        at: The first mark.
        stop: One past the last one.
        end: One past the row's last byte.
        scratch: For each marker where the pair in hand ends, and up to where there is no second half.
    """
    width = stop - at
    if width > 3:
        return 0
    slot = width - 1 + (3 if buffer[at] == 95 else 0)
    if scratch[slot] > at:
        return 0  # inside a pair of its own kind
    if scratch[slot] == at and at > start:
        return 1
    if not opens(buffer, start, at, stop, end):
        return 0
    closing = 0
    i = max(stop, scratch[6 + slot])
    while i < end:
        byte = buffer[i]
        if byte == 92:
            i += 2
        elif byte == 96:
            i = code_span_end(buffer, i, end)
        elif byte == 10 and (i + 1 == end or buffer[i + 1] == 10 or code_block_end(buffer, i + 1, end) > i + 1):
            break
        elif byte == buffer[at]:
            last = run_end(buffer, i, end)
            if last - i == width and closes(buffer, i, last, end):
                closing = i
                break
            if byte == 95 and width == 1:
                break  # of the names around it, `_one` and `two_`, the one has nothing to do with the other
            i = last
        else:
            i += 1
    scratch[6 + slot] = i
    if closing == 0 or (width > 1 and buffer[at] == 95 and is_name(buffer, stop, closing)):
        return 0
    scratch[slot] = closing
    return 1


@declare("int64(uint8[::1], int64, int64)")
def is_name(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if there are only letters, digits and `_`."""
    for i in range(start, end):
        if not (is_letter(buffer[i]) or is_digit(buffer[i]) or buffer[i] == 95):
            return 0
    return 1


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def opens(buffer: np.ndarray, start: int, at: int, stop: int, end: int) -> int:
    """Return 1 if the marks `[at, stop)` may begin emphasis."""
    if stop >= end:
        return 0
    if at > start:
        before = buffer[at - 1]
        mark = before == 42 or before == 95  # `**_both_**`
        if not (before <= 32 or before == 34 or before == 39 or before == 40 or before == 91 or mark):
            return 0
    after = buffer[stop]
    if is_letter(after) or is_digit(after) or after >= 0x80:
        return 1
    return 1 if after == 34 or after == 39 or after == 40 or after == 91 or after == 42 or after == 95 else 0


@declare("int64(uint8[::1], int64, int64, int64)")
def closes(buffer: np.ndarray, at: int, stop: int, end: int) -> int:
    """Return 1 if the marks `[at, stop)`, which something stands before, may end emphasis."""
    if buffer[at - 1] <= 32:
        return 0
    if stop >= end:
        return 1
    after = buffer[stop]
    if is_letter(after) or is_digit(after) or after >= 0x80:
        return 0
    return 0 if buffer[at] == 95 and (after == 40 or after == 91 or after == 61) else 1  # a name, called


@declare("int64(uint8[::1], int64, int64, int64, int64[::1])")
def link_end(buffer: np.ndarray, start: int, at: int, end: int, scratch: np.ndarray) -> int:
    """Return one past the link or image that begins at `at`, or 0; note where its text and its target end.

    The text is of one line and holds no bracket, the target no space and no bracket.
    """
    if at > start and (is_letter(buffer[at - 1]) or is_digit(buffer[at - 1]) or buffer[at - 1] == 93):
        return 0  # an index: `f[0](a.b)`
    i = at + 1
    if buffer[at] == 33:
        if i >= end or buffer[i] != 91:
            return 0
        i += 1
    limit = min(end, at + LONGEST_LINK)
    while i < limit and buffer[i] != 93 and buffer[i] != 91 and buffer[i] != 10:
        i += 1
    if i + 1 >= limit or buffer[i] != 93 or buffer[i + 1] != 40:
        return 0
    scratch[LINK_TEXT] = i
    target = 0
    i += 2
    while i < limit and buffer[i] > 32 and buffer[i] != 41 and buffer[i] != 40 and buffer[i] != 60:
        if buffer[i] == 35 or buffer[i] == 46 or buffer[i] == 47 or buffer[i] == 58:
            target = 1
        i += 1
    if target == 0 or i >= limit or buffer[i] != 41:
        return 0
    scratch[LINK_TARGET] = i
    return i + 1
