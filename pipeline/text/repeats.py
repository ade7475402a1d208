r"""Lines, paragraphs and blocks that came before: each is one 64-bit hash in a table.

A line's hash is made while it is read. A paragraph's (a part at `\n\n`, NeMo Curator's) and a block's (a part at
`\n{2,}` of the stripped text, datatrove's) is the hash of its lines' hashes, so that every byte is hashed once.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import FACTOR, mix, slots_for, table_size
from pipeline.text.kernel import declare, int64
from pipeline.text.lines import trim_end
from pipeline.text.measures import (
    AGAIN_BLOCK_CHARACTERS,
    AGAIN_BLOCKS,
    AGAIN_LINE_CHARACTERS,
    AGAIN_LINES,
    AGAIN_PARAGRAPH_CHARACTERS,
    AGAIN_PARAGRAPHS,
    AGAIN_STRETCH_CHARACTERS,
    AGAIN_STRETCHES,
    COMPARED_BLOCKS,
    COMPARED_BREAKS,
    COMPARED_CHARACTERS,
    COMPARED_LINE_CHARACTERS,
    COMPARED_LINES,
    COMPARED_PARAGRAPH_CHARACTERS,
    COMPARED_PARAGRAPHS,
    COMPARED_STRETCHES,
    FILLED_LINES,
    FILLED_PARAGRAPHS,
    PARAGRAPH_BREAKS,
)

__all__ = ["LINES_COMPARED", "STATE", "end_block", "part_slots", "part_table_size", "repeat_line", "start_lines"]

LINES_COMPARED = 1 << 21
"""How many line feeds are read for repeats: the rest of a longer text is not looked at."""

# Places in `state`; 0 and 1 are the vocabulary's.
CUT = 2  # where the text ends for repeats
LAST = 3  # where its last word ends
PART_SLOTS = 4
PARAGRAPH_LINES = 5
PARAGRAPH_CHARACTERS = 6
PARAGRAPH_FILLED = 7
PARAGRAPH_BREAK = 8  # the line before ended in a line feed that parts nothing yet
BLOCK_LINES = 9
BLOCK_CHARACTERS = 10
STATE = 11
"""How many there are."""

# Places in `folds`: the key of the row's hashes, and the hashes of what is open.
KEY = 0
PARAGRAPH = 1
BLOCK = 2

_PARAGRAPH_SALT = np.uint64(0x9E3779B97F4A7C15)
_BLOCK_SALT = np.uint64(0xC2B2AE3D27D4EB4F)


@declare("int64(int64)")
def part_slots(breaks: int) -> int:
    """Return how large the table of a text with `breaks` line feeds is.

    A line takes one line feed, a paragraph and a block two, so that there are at most three parts on two line feeds.
    """
    return slots_for(min(breaks, LINES_COMPARED) * 3 // 2 + 3)


def part_table_size(breaks: int) -> int:
    """What `part_slots` returns, to those who allocate."""
    return table_size(min(breaks, LINES_COMPARED) * 3 // 2 + 3)


@declare("int64(uint8[::1], int64, int64, int64, uint64[::1], int64[::1], uint64[::1], int64[::1])")
def start_lines(
    buffer: np.ndarray,
    start: int,
    end: int,
    breaks: int,
    parts: np.ndarray,
    state: np.ndarray,
    folds: np.ndarray,
    measures: np.ndarray,
) -> int:
    """Prepare the table and the state for a text, and return where it ends for repeats.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        breaks: Its line feeds.
        parts: The table, `part_slots` long; 0 is free.
        state: `STATE` numbers.
        folds: Three hashes, the row's key first.
        measures: What is counted.
    """
    cut = end
    if breaks >= LINES_COMPARED:
        left = int64(LINES_COMPARED)
        cut = start - 1
        while left:
            cut += 1
            if buffer[cut] == 10:
                left -= 1
    state[CUT] = cut
    state[LAST] = trim_end(buffer, start, cut)
    state[PART_SLOTS] = part_slots(breaks)
    for slot in range(state[PART_SLOTS]):
        parts[slot] = np.uint64(0)
    for k in range(PARAGRAPH_LINES, STATE):
        state[k] = 0
    folds[PARAGRAPH] = folds[KEY] ^ _PARAGRAPH_SALT
    folds[BLOCK] = folds[KEY] ^ _BLOCK_SALT
    if cut > start:  # the empty parts that a line feed at an end leaves for datatrove
        ends = (1 if buffer[start] == 10 else 0) + (1 if buffer[cut - 1] == 10 else 0)
        measures[COMPARED_STRETCHES] = ends
        measures[AGAIN_STRETCHES] = ends // 2
    return cut


@declare(
    "int64(int64, int64, int64, int64, int64, int64, uint64, uint64, uint64[::1], int64[::1], uint64[::1], int64[::1])",
    inline=True,
)
def repeat_line(
    line: int,
    stop: int,
    filled: int,
    final: int,
    characters: int,
    indent_characters: int,
    indent: np.uint64,
    body: np.uint64,
    parts: np.ndarray,
    state: np.ndarray,
    folds: np.ndarray,
    measures: np.ndarray,
) -> int:
    """Count a line, and the paragraph and block that end with it, if they came before.

    Args:
        line: Its first byte.
        stop: Its line feed, or the end of the text.
        filled: 1 if it holds more than whitespace.
        final: 1 if it ends at the end of the text.
        characters: How many it has.
        indent_characters: How many of them stand before its first word.
        indent: Their hash.
        body: The hash of the others.
        parts: The table.
        state: From `start_lines`.
        folds: From `start_lines`.
        measures: What is counted; `end_line` has counted the line.

    Returns:
        1 if repeats were looked for, 0 behind the cut.
    """
    pair = stop == line and state[PARAGRAPH_BREAK] != 0 and not final
    if pair or final:
        measures[FILLED_PARAGRAPHS] += 1 if state[PARAGRAPH_FILLED] or filled else 0
        state[PARAGRAPH_FILLED] = 0
    elif filled:
        state[PARAGRAPH_FILLED] = 1
    state[PARAGRAPH_BREAK] = 0 if pair else 1
    measures[PARAGRAPH_BREAKS] += 1 if pair else 0
    if line > state[CUT]:
        return 0

    key = line_key(indent, body)
    last = stop == state[CUT]
    measures[COMPARED_CHARACTERS] += characters if last else characters + 1
    measures[COMPARED_BREAKS] += 0 if last else 1
    if stop > line:
        again = came_before(key, parts, state)
        measures[COMPARED_STRETCHES] += 1
        measures[AGAIN_STRETCHES] += again
        measures[AGAIN_STRETCH_CHARACTERS] += again * characters
        if filled:
            measures[COMPARED_LINES] += 1
            measures[COMPARED_LINE_CHARACTERS] += characters
            measures[AGAIN_LINES] += again
            measures[AGAIN_LINE_CHARACTERS] += again * characters
    if last or not pair:
        folds[PARAGRAPH] = (folds[PARAGRAPH] ^ key) * FACTOR
        state[PARAGRAPH_CHARACTERS] += characters if state[PARAGRAPH_LINES] == 0 else characters + 1
        state[PARAGRAPH_LINES] += 1
    if last or pair:
        again = came_before(mix(folds[PARAGRAPH]), parts, state)
        measures[COMPARED_PARAGRAPHS] += 1
        measures[COMPARED_PARAGRAPH_CHARACTERS] += state[PARAGRAPH_CHARACTERS]
        measures[AGAIN_PARAGRAPHS] += again
        measures[AGAIN_PARAGRAPH_CHARACTERS] += again * state[PARAGRAPH_CHARACTERS]
        folds[PARAGRAPH] = folds[KEY] ^ _PARAGRAPH_SALT
        state[PARAGRAPH_LINES] = 0
        state[PARAGRAPH_CHARACTERS] = 0
    if stop < state[LAST] and measures[FILLED_LINES] > 0:
        if stop == line:
            if state[BLOCK_LINES] > 0:
                count_block(parts, state, folds, measures)
        elif filled and measures[FILLED_LINES] == 1:  # the text is stripped
            add_to_block(line_key(folds[KEY], body), characters - indent_characters, state, folds)
        else:
            add_to_block(key, characters, state, folds)
    return 1


@declare("int64(int64, int64, uint64, uint64, uint64[::1], int64[::1], uint64[::1], int64[::1])")
def end_block(
    characters: int,
    indent_characters: int,
    indent: np.uint64,
    body: np.uint64,
    parts: np.ndarray,
    state: np.ndarray,
    folds: np.ndarray,
    measures: np.ndarray,
) -> int:
    """Count the last block, at the end of the last word; the arguments are those of its line so far."""
    if measures[FILLED_LINES] == 0:
        add_to_block(line_key(folds[KEY], body), characters - indent_characters, state, folds)
    else:
        add_to_block(line_key(indent, body), characters, state, folds)
    return count_block(parts, state, folds, measures)


@declare("int64(uint64, int64, int64[::1], uint64[::1])")
def add_to_block(key: np.uint64, characters: int, state: np.ndarray, folds: np.ndarray) -> int:
    """Add a line to the open block; return its lines."""
    folds[BLOCK] = (folds[BLOCK] ^ key) * FACTOR
    state[BLOCK_CHARACTERS] += characters if state[BLOCK_LINES] == 0 else characters + 1
    state[BLOCK_LINES] += 1
    return int64(state[BLOCK_LINES])


@declare("int64(uint64[::1], int64[::1], uint64[::1], int64[::1])")
def count_block(parts: np.ndarray, state: np.ndarray, folds: np.ndarray, measures: np.ndarray) -> int:
    """Count the open block and begin another; return 1 if it came before."""
    again = came_before(mix(folds[BLOCK]), parts, state)
    measures[COMPARED_BLOCKS] += 1
    measures[AGAIN_BLOCKS] += again
    measures[AGAIN_BLOCK_CHARACTERS] += again * state[BLOCK_CHARACTERS]
    folds[BLOCK] = folds[KEY] ^ _BLOCK_SALT
    state[BLOCK_LINES] = 0
    state[BLOCK_CHARACTERS] = 0
    return again


@declare("uint64(uint64, uint64)")
def line_key(indent: np.uint64, body: np.uint64) -> np.uint64:
    """Return the hash of a line whose whitespace before the first word and whose rest have these."""
    return mix((indent ^ mix(body)) * FACTOR)


@declare("int64(uint64, uint64[::1], int64[::1])")
def came_before(key: np.uint64, parts: np.ndarray, state: np.ndarray) -> int:
    """Return 1 if `key` is in the table, else enter it and return 0."""
    if key == np.uint64(0):  # 0 marks a free slot
        key = np.uint64(1)
    mask = np.uint64(state[PART_SLOTS] - 1)
    slot = key & mask
    entry = parts[slot]
    while (entry != np.uint64(0)) & (entry != key):
        slot = (slot + np.uint64(1)) & mask
        entry = parts[slot]
    parts[slot] = key
    return 1 if entry == key else 0
