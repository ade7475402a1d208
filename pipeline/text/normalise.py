"""The normal form of a text, of which digests and sketches are taken.

In this order: NFKC; full case folding (`ß` is `ss`); quotation marks and dashes as those of ASCII; every run of
whitespace one space, none at the ends. `fold` does all but NFKC, and knows the characters of which most texts are
made, which NFKC leaves as they are; a row with any other goes through the engine's NFKC first, which `needs_tables`
finds out.
"""

from __future__ import annotations

import base64
import zlib

import numpy as np

from pipeline.text.characters import whitespace_width
from pipeline.text.json_escapes import write_character
from pipeline.text.kernel import declare, int64
from pipeline.text.load import EACH, HIGH, first_byte, is_plain, load
from pipeline.text.two_level import two_level
from pipeline.text.unicode_data import FOLDS

__all__ = ["GROWTH", "fold", "is_stable", "needs_tables"]

GROWTH = 3
"""A folded character has at most so many times its bytes (`ΐ` becomes three characters)."""

STRIDE = 64
"""Bytes that are looked at together."""

FOLDED = np.arange(128, dtype=np.uint8)
"""ASCII → its normal form: small letters, and a space for every whitespace character."""
FOLDED[65:91] += 32
FOLDED[[9, 10, 11, 12, 13, 28, 29, 30, 31]] = 32

FIRST = np.uint64(0x80)
SPACES = EACH * np.uint64(32)
# Added to a byte below 128, these set its highest bit if it is at least this character.
FROM_A = EACH * np.uint64(0x80 - ord("A"))
BEHIND_Z = EACH * np.uint64(0x80 - ord("Z") - 1)
FROM_TAB = EACH * np.uint64(0x80 - 9)
BEHIND_RETURN = EACH * np.uint64(0x80 - 14)
FROM_SEPARATOR = EACH * np.uint64(0x80 - 28)
BEHIND_SPACE = EACH * np.uint64(0x80 - 33)

STABLE = np.array(
    [
        # Latin-1: no ª ¨ ¯ ² ³ ´ µ ¸ ¹ º ¼ ½ ¾, which NFKC changes
        *[(0xA1, 0xA7), (0xA9, 0xA9), (0xAB, 0xAE), (0xB0, 0xB1), (0xB6, 0xB7), (0xBB, 0xBB), (0xBF, 0xFF)],
        # Latin Extended-A: no İ (longer when folded) ĳ ŀ ŉ ſ; the apostrophe that is a letter
        *[(0x100, 0x12F), (0x131, 0x131), (0x134, 0x13E), (0x141, 0x148), (0x14A, 0x17E), (0x2BC, 0x2BC)],
        # Greek (no ΰ, which is longer when folded), Cyrillic, Hebrew, Arabic
        *[
            (0x391, 0x3A1),
            (0x3A3, 0x3A9),
            (0x3AC, 0x3AF),
            (0x3B1, 0x3CE),
            (0x410, 0x45F),
            (0x5D0, 0x5EA),
            (0x621, 0x64A),
        ],
        # Vietnamese
        *[(0x1EA0, 0x1EF9)],
        # Dashes, quotes, bullets, …, ‰, ‹ ›, €
        *[(0x200B, 0x2010), (0x2012, 0x2016), (0x2018, 0x2023), (0x2026, 0x2026), (0x2030, 0x2032), (0x2039, 0x203B)],
        *[(0x20AC, 0x20AC)],
        # Arrows; the minus sign; boxes, shapes, dingbats
        *[(0x2190, 0x21FF), (0x2212, 0x2212), (0x2500, 0x27BF)],
        # Chinese, Japanese and Korean, full-width ASCII
        *[(0x3001, 0x3029), (0x3041, 0x3096), (0x30A1, 0x30FE), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xFF01, 0xFF5E)],
        # Emoji, rare ideographs
        *[(0x1F300, 0x1F6FF), (0x1F900, 0x1F9FF), (0x20000, 0x2A6DF)],
    ],
    np.int64,
)
"""Characters of which `fold` knows the normal form: ranges, first and last, in ascending order."""


def _tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    packed = np.frombuffer(zlib.decompress(base64.b85decode(FOLDS.replace("\n", ""))), "<u4").reshape(4, -1)
    code, *folded = np.cumsum(packed, axis=1, dtype=np.uint32).astype(np.int64)
    several = np.flatnonzero(folded[1])
    change = np.zeros(0x110000, np.int64)
    change[code] = folded[0] - code
    change[code[several]] = SEVERAL + np.arange(len(several))
    row_of, rows = two_level(change.astype(np.int32))
    return row_of, rows, np.stack(folded)[:, several].T.copy()


SEVERAL = 1 << 24
ROW_OF, CHANGES, TEXTS = _tables()
"""What becomes of a character: `CHANGES` (256 to a row; which, says `ROW_OF`) is what is added to its code point, or,
from `SEVERAL` on, a row of `TEXTS`, which holds up to three code points."""


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def fold(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    """Write the normal form of a row that NFKC has nothing to change in, and return its length in bytes.

    It is never more than `GROWTH` times as long; not longer at all where the row is of stable characters (`STABLE`).

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        output: Where to write; as many bytes as the row has (or `GROWTH` times as many) may be written.
        at: Where in `output`.
    """
    length = 0
    gap = 1  # nothing has been written yet, or a space last
    i = start
    while i < end:
        # Eight bytes of ASCII are written at once, up to where a blank follows another, or a run of blanks is passed.
        if i + 8 <= end:
            eight = load(buffer, i, end)
            if is_plain(eight):
                blanks = white_of(eight)
                second = blanks & (blanks << np.uint64(8) | np.uint64(gap << 7))  # blanks behind another
                if second & FIRST:
                    i += 8 if blanks == HIGH else first_byte(~blanks & HIGH)
                    continue
                capitals = (eight + FROM_A) & ~(eight + BEHIND_Z) & HIGH
                covered = (blanks >> np.uint64(7)) * np.uint64(255)  # all bits of each blank
                eight = (eight & ~covered) | (SPACES & covered) | capitals >> np.uint64(2)
                place = np.uint64(at + length)
                for k in range(8):  # what is too much is written over
                    output[place + np.uint64(k)] = np.uint8(eight >> np.uint64(8 * k))
                width = first_byte(second) if second else 8
                length += width
                gap = 1 if second else int64(blanks >> np.uint64(63))
                i += width
                continue
        stop = min(i + 8, end)
        while i < stop:
            byte = int64(buffer[np.uint64(i)])
            if byte < 0x80:
                # No branches: in prose a branch would be mispredicted at every word.
                folded = int64(FOLDED[np.uint64(byte)])
                output[np.uint64(at + length)] = folded
                white = int64(folded == 32)
                length += 1 - (white & gap)
                gap = white
                i += 1
                continue
            width = whitespace_width(buffer, i, end)
            if width:
                output[at + length] = 32
                length += 1 - gap
                gap = 1
                i += width
                continue
            gap = 0
            width = min(character_width(byte), end - i)
            code = character(buffer, i, end)
            change = int64(CHANGES[int64(ROW_OF[code >> 8]) * 256 + (code & 255)]) if 0 <= code < 0x110000 else 0
            if change == 0:
                for k in range(width):
                    output[at + length + k] = buffer[i + k]
                length += width
            elif change < SEVERAL:
                length += write_character(code + change, output, at + length)
            else:
                for k in range(3):
                    if TEXTS[change - SEVERAL, k]:
                        length += write_character(TEXTS[change - SEVERAL, k], output, at + length)
            i += width
    return length - 1 if length > 0 and gap else length


@declare("uint64(uint64)", inline=True)
def white_of(eight: np.uint64) -> np.uint64:
    """Return `HIGH` of every byte, all of ASCII, that is whitespace: 9 to 13, 28 to 32."""
    control = (eight + FROM_TAB) & ~(eight + BEHIND_RETURN)
    separator = (eight + FROM_SEPARATOR) & ~(eight + BEHIND_SPACE)
    return (control | separator) & HIGH


@declare("int64(uint8[::1], int64, int64)")
def needs_tables(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if the row holds a character of which `fold` does not know the normal form."""
    i = start
    while i < end:
        if i + STRIDE <= end:
            first = np.uint64(i)
            high = buffer[first]
            for k in range(1, STRIDE):
                high |= buffer[first + np.uint64(k)]
            if high < 0x80:
                i += STRIDE
                continue
        until = min(i + STRIDE, end)
        while i < until:
            byte = int64(buffer[i])
            if byte < 0x80:
                i += 1
            elif whitespace_width(buffer, i, end) or is_stable(character(buffer, i, end)):
                i += character_width(byte)
            else:
                return 1
    return 0


@declare("int64(int64)")
def is_stable(code: int) -> int:
    """Return 1 if `fold` knows the normal form of the character wherever it stands.

    These are characters that never compose with what stands before or after them (canonical class 0 and
    `NFKC_Quick_Check=Yes`, Unicode Standard Annex 15), or of which `fold` gives the NFKC form. `STABLE` is not
    complete: it holds what texts are made of, and the tests compare it with Unicode's tables.
    """
    low = 0
    high = len(STABLE)
    while low < high:  # the first range that does not end before the character
        middle = (low + high) >> 1
        if STABLE[middle, 1] < code:
            low = middle + 1
        else:
            high = middle
    return 1 if low < len(STABLE) and STABLE[low, 0] <= code else 0


@declare("int64(uint8[::1], int64, int64)")
def character(buffer: np.ndarray, at: int, end: int) -> int:
    """Return the code point of the multi-byte character at `at`; -1 where it is cut short or no lead byte."""
    lead = int64(buffer[at])
    width = character_width(lead)
    if width < 2 or at + width > end:
        return -1
    code = lead & (0x7F >> width)
    for k in range(1, width):
        code = code << 6 | int64(buffer[at + k]) & 0x3F
    return code


@declare("int64(int64)")
def character_width(lead: int) -> int:
    """Return how many bytes a character with this first byte has; 1 for a byte that begins none."""
    if lead < 0xC2:
        return 1
    if lead < 0xE0:
        return 2
    return 3 if lead < 0xF0 else 4
