"""N-grams of a text's words: their hashes, where they stand, and which of them are in a table.

A word is a run of letters and numbers, or one letter of a script without spaces, in folded characters (`word_fold`).
Everything else only parts words. An n-gram is known by 128 bits: two hashes of 64, each a polynomial over the words'
hashes, so that the next n-gram costs two multiplications, and those of another length two more.

Hashes of the words: one polynomial in an odd factor, one that rotates; both mixed. Two n-grams that differ have the
same 128 bits by an accident of less than one in 2¹¹⁰ (a few bits are lost where the same words stand in another order).
"""

from __future__ import annotations

import numpy as np

from pipeline.text.hashing import FACTOR, mix
from pipeline.text.kernel import declare, int64
from pipeline.text.unicode_classes import code_point
from pipeline.text.word_fold import ASCII, INSIDE, ITEMS, LONGER, OWN, SEPARATOR, TRANSPARENT, fold_of

__all__ = ["FACTORS", "scan_words"]

FACTORS = np.array([0x9E3779B97F4A7C15, 0xD1B54A32D192ED03], np.uint64)
"""Odd: of the polynomials over words."""

PLAIN = np.zeros(256, np.uint8)
"""Of every byte, the folded character + 1 if it is a letter or digit of ASCII, else 0."""
PLAIN[:128] = np.where(ASCII & 7 == INSIDE, np.arange(128) + (ASCII >> 3) + 1, 0)

TURN = np.uint64(0xD6E8FEB86659FD93)  # odd
HANGUL = 0xAC00
SYLLABLES = 11172


@declare(
    "int64(uint8[::1], int64, int64, int64[::1], uint64[::1], uint64[::1], uint64[::1], uint64[::1], int64, "
    "uint64[::1], int64[::1])"
)
def scan_words(
    buffer: np.ndarray,
    start: int,
    end: int,
    lengths: np.ndarray,
    powers: np.ndarray,
    ring: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    at: int,
    hashes: np.ndarray,
    places: np.ndarray,
) -> int:
    """Read the words of the row, and hash or look up its n-grams.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        lengths: The n-grams' lengths in words; none to read words only.
        powers: The `FACTORS` to the power of each length: two for every length.
        ring: Scratch: 2 r values, r a power of two and more than the greatest length.
        first: Open addressing: the first hash of an n-gram at its slot, 0 where it is free. Empty: the n-grams are
            hashed and not looked up.
        second: The second hash at the same slot.
        at: Where to begin to write; below 0, nothing is written.
        hashes: Of hashed n-grams two values each.
        places: Of n-grams that are found three values each: the slot, the first word's number in the row, the words'
            number; without `lengths`, of every word two: its first byte, and one past its last.

    Returns:
        How many n-grams were hashed, or found; without `lengths`, how many words there are.
    """
    last = len(ring) // 2 - 1
    a = np.uint64(0)  # of the word
    b = np.uint64(0)
    ring[0] = a  # before the first word
    ring[1] = a
    total_a = np.uint64(0)  # of the words up to here
    total_b = np.uint64(0)
    words = int64(0)
    count = int64(0)
    inside = False
    alone = False
    begin = start  # of the word
    stop = start
    i = start
    place = start
    left = int64(0)  # folded characters of a longer entry that are still to come
    item = int64(0)
    while True:
        done = False
        if left > 0:
            entry = int64(ITEMS[item])
            item += 1
            left -= 1
            kind = entry & 7
            code = entry >> 3
        elif i >= end:
            done = True
            kind = int64(SEPARATOR)
            code = int64(0)
        else:
            place = i
            code = int64(buffer[i])
            if code < 0x80:
                entry = int64(ASCII[code])
                i += 1
            else:
                code = code_point(buffer, i, end)
                entry = fold_of(code) if code >= 0 else int64(SEPARATOR)
                i += 1 if code < 0 else 2 if code < 0x800 else 3 if code < 0x10000 else 4
            kind = entry & 7
            if kind == LONGER:
                item = entry >> 3
                left = int64(ITEMS[item])
                item += 1
                continue
            code += entry >> 3
        if kind == TRANSPARENT:
            if inside:
                stop = i
            continue
        if inside and (alone or kind != INSIDE):
            inside = False
            words += 1
            if len(lengths) == 0:
                if at >= 0:
                    places[at + 2 * words - 2] = begin
                    places[at + 2 * words - 1] = stop
            else:
                total_a = total_a * FACTORS[0] + mix(a)
                total_b = total_b * FACTORS[1] + mix(b ^ TURN)
                ring[2 * (words & last)] = total_a
                ring[2 * (words & last) + 1] = total_b
                for k in range(len(lengths)):
                    length = int64(lengths[k])
                    if words < length:
                        continue
                    before = 2 * ((words - length) & last)
                    gram_a = mix(total_a - ring[before] * powers[2 * k] + np.uint64(length) * TURN)
                    if gram_a == np.uint64(0):
                        gram_a = np.uint64(1)  # 0 is a free slot
                    if len(first) == 0:
                        if at >= 0:
                            hashes[at + 2 * count] = gram_a
                            hashes[at + 2 * count + 1] = mix(total_b - ring[before + 1] * powers[2 * k + 1])
                        count += 1
                        continue
                    slot = int64(gram_a & np.uint64(len(first) - 1))
                    while first[slot] != np.uint64(0):
                        # Few get here: the second hash is made of those only.
                        if first[slot] == gram_a and second[slot] == mix(
                            total_b - ring[before + 1] * powers[2 * k + 1]
                        ):
                            if at >= 0:
                                places[at + 3 * count] = slot
                                places[at + 3 * count + 1] = words - length
                                places[at + 3 * count + 2] = length
                            count += 1
                            break
                        slot = (slot + 1) & (len(first) - 1)
        if done:
            break
        if kind != SEPARATOR:
            if not inside:
                inside = True
                begin = place
                a = np.uint64(0)
                b = np.uint64(0)
            alone = kind == OWN
            stop = i
            parts = 1
            syllable = code - HANGUL
            if 0 <= syllable < SYLLABLES:
                parts = 3 if syllable % 28 else 2
            for k in range(parts):
                if parts > 1:  # the syllable's consonant, vowel, and what it ends in
                    code = 0x1100 + syllable // 588 if k == 0 else 0x1161 + syllable % 588 // 28
                    if k == 2:
                        code = 0x11A7 + syllable % 28
                a = a * FACTOR + np.uint64(code + 1)
                b = ((b << np.uint64(23) | b >> np.uint64(41)) ^ np.uint64(code + 1)) * TURN
            if left == 0 and not alone:
                while i < end:  # most characters of most texts
                    plain = np.uint64(PLAIN[buffer[i]])
                    if plain == np.uint64(0):
                        break
                    a = a * FACTOR + plain
                    b = ((b << np.uint64(23) | b >> np.uint64(41)) ^ plain) * TURN
                    i += 1
                stop = i
    return words if len(lengths) == 0 else count
