"""What the characters of up to 64 bytes are: a bit for each byte, of each class that `signals.measure` asks for.

Of 64 bytes of ASCII all are classified at once, in a loop that becomes vector instructions; other characters are looked
up one by one. Both leave the same bits, so that words and lines are made of bits and not of characters.

A sentence's end is counted here: an end mark (`TERMINAL`), closing quotes and brackets behind it, then whitespace.
"""

from __future__ import annotations

import numpy as np

from pipeline.text import measures as m
from pipeline.text.bits import below, ones
from pipeline.text.kernel import declare, int64
from pipeline.text.load import EACH, HIGH, load_whole
from pipeline.text.unicode_classes import (
    ANYWHERE,
    BREAK,
    CLOSING,
    DIGIT,
    LETTER,
    MARK,
    NUMBER,
    PARENTHESIS,
    SPACE,
    TERMINAL,
    UNSPACED,
    code_point,
    flags_of,
)

__all__ = [
    "BREAKS",
    "ENDING",
    "HIDDEN",
    "OPEN",
    "STARTS",
    "WINDOW",
    "WORDS",
    "classify_ascii",
    "classify_characters",
]

# Places in a window.
WORDS = 0  # bytes of words
STARTS = 1  # a word's first
HIDDEN = 2  # bytes that begin no character
BREAKS = 3  # where `str.splitlines` parts
# And of what goes on in the next one:
OPEN = 4  # 1 in a word, 2 in a letter of a script without spaces
ENDING = 5  # 1 behind an end mark, 2 behind one that has been counted
WINDOW = 6
"""How many there are."""

STRAY = 0x110000
"""Added to a byte that is no part of a character: no code point is as large."""

NONE = np.uint64(0)
ONE = np.uint64(1)
TWO = np.uint64(2)
TOP = np.uint64(56)
LOW = ~HIGH
GATHER = np.uint64(0x0002040810204081)
"""Times `HIGH` bits of bytes: their bits in the highest byte, in the order of the bytes."""


def _from(byte: int) -> np.uint64:
    """What, added to a byte below 128, sets its highest bit if it is at least this."""
    return EACH * np.uint64(0x80 - byte)


FROM_TAB, FROM_FEED, BEHIND_RETURN, FROM_28, FROM_31, FROM_VISIBLE = (_from(k) for k in (9, 10, 14, 28, 31, 33))
DOT, EXCLAMATION, QUESTION = (EACH * np.uint64(ord(mark)) for mark in ".!?")
DOUBLE, SINGLE, ROUND, SQUARE, CURLY = (EACH * np.uint64(ord(mark)) for mark in "\"')]}")


@declare("int64(uint8[::1], int64, int64, int64, uint64[::1], int64[::1])", inline=True)
def classify_ascii(buffer: np.ndarray, start: int, at: int, end: int, window: np.ndarray, measures: np.ndarray) -> int:
    """Classify the bytes from `at` on, and return how many: 64, or those up to `end`; 0 if not all are of ASCII.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte; a row of fewer than 64 is not classified here.
        at: Where to begin.
        end: One past its last byte.
        window: Where to write, `WINDOW` values.
        measures: What is counted.
    """
    first = min(at, end - 64)  # what was before `at` is shifted out
    if first < start or at >= end:
        return 0
    visible = marks = closers = breaks = high = NONE
    for k in range(8):
        place = np.uint64(8 * k)
        eight = load_whole(buffer, np.uint64(first) + place)
        high |= eight
        control = (eight + FROM_TAB) & ~(eight + BEHIND_RETURN)
        visible |= gather(~(control | ((eight + FROM_28) & ~(eight + FROM_VISIBLE)))) << place
        marks |= gather(~(((eight ^ DOT) + LOW) & ((eight ^ EXCLAMATION) + LOW) & ((eight ^ QUESTION) + LOW))) << place
        closing = ((eight ^ DOUBLE) + LOW) & ((eight ^ SINGLE) + LOW) & ((eight ^ ROUND) + LOW)
        closers |= gather(~(closing & ((eight ^ SQUARE) + LOW) & ((eight ^ CURLY) + LOW))) << place
        feeds = (eight + FROM_FEED) & ~(eight + BEHIND_RETURN)
        breaks |= gather(feeds | ((eight + FROM_28) & ~(eight + FROM_31))) << place
    if high & HIGH:
        return 0
    behind = np.uint64(at - first)
    size = 64 - (at - first)
    inside = below(size)
    visible >>= behind
    window[WORDS] = visible
    window[STARTS] = visible & ~(visible << ONE | (window[OPEN] & ONE))
    window[HIDDEN] = NONE
    window[BREAKS] = breaks >> behind
    window[OPEN] = visible >> np.uint64(size - 1)
    window[ENDING] = end_sentences(
        marks >> behind, closers >> behind, ~visible & inside, int64(size), window[ENDING], measures
    )
    return size


@declare("uint64(uint64)", inline=True)
def gather(bytes_: np.uint64) -> np.uint64:
    """Return the highest bits of eight bytes as bits 0 to 7."""
    return (bytes_ & HIGH) * GATHER >> TOP


@declare("uint64(uint64, uint64, uint64, int64, uint64, int64[::1])", inline=True)
def end_sentences(
    marks: np.uint64, closers: np.uint64, spaces: np.uint64, size: int, ending: np.uint64, measures: np.ndarray
) -> np.uint64:
    """Count the ends of sentences, and return what the window leaves in `ENDING`.

    Args:
        marks: Where end marks stand.
        closers: Where closing quotes and brackets stand.
        spaces: Where whitespace stands.
        size: Bytes of the window.
        ending: What the window before left.
        measures: What is counted.
    """
    if ending == TWO:
        either = marks | closers
        run = either & ~(either + ONE)  # at the window's beginning; its sentence has been counted
        if run == below(size):
            return ending
        marks &= ~run
        closers &= ~run
    ending &= ONE
    # The sum carries through the closers behind a mark.
    ends = marks | (closers & ~(closers + ((marks << ONE | ending) & closers)))
    measures[m.SENTENCES] += ones((ends << ONE | ending) & spaces)
    return ends >> np.uint64(size - 1)


@declare("int64(uint8[::1], int64, int64, uint64[::1], int64[::1])")
def classify_characters(buffer: np.ndarray, at: int, end: int, window: np.ndarray, measures: np.ndarray) -> int:
    """Classify the characters from `at` on, and return how many bytes they have: as many as fit in 64.

    Args:
        buffer: Bytes of the column; the row ends at `end`.
        at: Where to begin.
        end: One past its last byte.
        window: Where to write, `WINDOW` values.
        measures: What is counted: classes beyond ASCII too.
    """
    words = starts = hidden = breaks = NONE
    opened = int64(window[OPEN])
    ending = int64(window[ENDING])
    i = at
    while i < end:
        code = code_point(buffer, i, end)
        width = 1
        if code < 0:
            code = STRAY + int64(buffer[i])
            flags = int64(0)
        else:
            width = 1 if code < 0x80 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
            flags = flags_of(code)
        if i + width > at + 64:
            break
        bit = ONE << np.uint64(i - at)
        bits = below(width) << np.uint64(i - at)
        # A stray continuation byte is no character.
        hidden |= bit if STRAY + 0x80 <= code < STRAY + 0xC0 else bits & ~bit
        if flags & SPACE:
            opened = int64(0)
            measures[m.SENTENCES] += ending & 1
            ending = int64(0)
            breaks |= bit if flags & BREAK else NONE
            measures[m.SPACES] += 1 if code >= 0x80 else 0
        else:
            words |= bits
            if opened == 0 or flags & UNSPACED or (opened == 2 and not flags & MARK):
                starts |= bit
                opened = int64(2 if flags & UNSPACED else 1)
            if code >= 0x80:
                measures[m.LETTERS] += 1 if flags & LETTER else 0
                measures[m.NUMBERS] += 1 if flags & NUMBER else 0
                measures[m.DIGITS] += 1 if flags & DIGIT else 0
                measures[m.PARENTHESES] += 1 if flags & PARENTHESIS else 0
                measures[m.ELLIPSES] += 1 if code == 0x2026 else 0
            if flags & TERMINAL:
                if flags & ANYWHERE and ending != 2:
                    measures[m.SENTENCES] += 1
                    ending = int64(2)
                elif ending == 0:
                    ending = int64(1)
            elif not flags & CLOSING:
                ending = int64(0)
        i += width
    window[WORDS] = words
    window[STARTS] = starts
    window[HIDDEN] = hidden
    window[BREAKS] = breaks
    window[OPEN] = np.uint64(opened)
    window[ENDING] = np.uint64(ending)
    return int64(i - at)
