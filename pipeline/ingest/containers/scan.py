"""Where the records of JSON and CSV end, found byte by byte, so that a file of any size can be cut and streamed.

Both machines go on where they stood, whatever chunks the bytes come in. They say where a record lies, not whether it is
right: that is seen when it is read.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import compiled

__all__ = ["BETWEEN", "CLOSED", "LITERAL", "STATE", "scan_records", "scan_values"]

STATE = 3
"""Words of a machine's state: what it is in, the levels of objects and arrays there, where the record begins."""

BETWEEN = 0
"""Of JSON: no value has begun. Of CSV: a record or a cell is about to begin."""
LITERAL = 1
"""A number, `true`, `false` or `null`; it ends with the file too."""
CLOSED = 7
"""The array that holds the values has ended."""

# The other states of JSON: a string, a backslash in it, an object or array, a string in that, a backslash in that.
_STRING, _ESCAPE, _INSIDE, _INNER, _INNER_ESCAPE = 2, 3, 4, 5, 6
# The states of CSV (as Python's `csv` has them): a plain cell, a quoted one, after a quote in that.
_CELL, _QUOTED, _QUOTE = 1, 2, 3


@compiled
def scan_values(
    buffer: np.ndarray, base: int, state: np.ndarray, starts: np.ndarray, ends: np.ndarray, closed: np.ndarray
) -> int:
    """Find the JSON values that end in a chunk, of an array that has begun or of values one behind another.

    Args:
        buffer: uint8 (n), the chunk.
        base: where it begins in the file.
        state: int64 (STATE), from chunk to chunk; zeros at first.
        starts: int64 (n + 1), written: where each value begins in the file.
        ends: int64 (n + 1), written: where each ends.
        closed: int64 (1), written: where the array's `]` stands, if this chunk has it.

    Returns:
        How many values end here. After `CLOSED` nothing more is looked at.
    """
    mode, depth, begin = state[0], state[1], state[2]
    count = 0
    for index in range(len(buffer)):
        if mode == CLOSED:
            break
        byte = buffer[index]
        if mode == _INNER:
            if byte == 34:
                mode = _INSIDE
            elif byte == 92:
                mode = _INNER_ESCAPE
        elif mode == _INNER_ESCAPE:
            mode = _INNER
        elif mode == _INSIDE:
            if byte == 34:
                mode = _INNER
            elif byte == 123 or byte == 91:
                depth += 1
            elif byte == 125 or byte == 93:
                depth -= 1
                if depth == 0:
                    starts[count], ends[count] = begin, base + index + 1
                    count += 1
                    mode = BETWEEN
        elif mode == _STRING:
            if byte == 34:
                starts[count], ends[count] = begin, base + index + 1
                count += 1
                mode = BETWEEN
            elif byte == 92:
                mode = _ESCAPE
        elif mode == _ESCAPE:
            mode = _STRING
        else:
            space = byte == 32 or (byte >= 9 and byte <= 13) or byte == 44
            if mode == LITERAL and (space or byte == 93):
                starts[count], ends[count] = begin, base + index
                count += 1
                mode = BETWEEN
            if mode == BETWEEN and not space:
                begin = base + index
                if byte == 93:
                    mode = CLOSED
                    closed[0] = base + index
                elif byte == 123 or byte == 91:
                    mode, depth = _INSIDE, 1
                elif byte == 34:
                    mode = _STRING
                else:
                    mode = LITERAL
    state[0], state[1], state[2] = mode, depth, begin
    return count


@compiled
def scan_records(buffer: np.ndarray, base: int, delimiter: int, state: np.ndarray, ends: np.ndarray) -> int:
    """Find the CSV records (RFC 4180) that end in a chunk: a line feed in a quoted cell ends none.

    Args:
        buffer: uint8 (n), the chunk.
        base: where it begins in the file.
        delimiter: the byte between cells.
        state: int64 (STATE), from chunk to chunk; zeros at first.
        ends: int64 (n + 1), written: one past the line feed of each.

    Returns:
        How many records end here.
    """
    mode = state[0]
    count = 0
    for index in range(len(buffer)):
        byte = buffer[index]
        if mode == _QUOTED:
            if byte == 34:
                mode = _QUOTE
        elif byte == 10:
            ends[count] = base + index + 1
            count += 1
            mode = BETWEEN
        elif byte == delimiter:
            mode = BETWEEN
        elif byte == 34 and mode != _CELL:
            mode = _QUOTED  # a quoted cell begins, or two quotes stand for one
        else:
            mode = _CELL
    state[0] = mode
    return count
