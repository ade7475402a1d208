"""Words beside a number that say what it is."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.kernel import declare, int64

__all__ = ["NUMBER", "PHONE", "SSN", "VERSION", "said_after", "said_before"]

PHONE = 1
SSN = 2
VERSION = 4
NUMBER = 8

_BEFORE = {
    PHONE: "answering call called calling cell cellphone cellular contact desk dial direct fax home hotline landline "
    "mobile mobil mob office ph phone phoned phones reach ring sms tel telefax telephone telephoned viber "
    "voicemail whatsapp work celular cellulare fon fono handy móvil portable téléphone tél telefon telefone teléfono "
    "telefoon telefono telemóvel telefonu телефон Телефон тел Тел моб Моб",
    SSN: "ssn ssns social itin",
    VERSION: "version release section",
    NUMBER: "order part serial isbn issn case invoice item sku ticket tracking patent bug issue commit build",
}
_AFTER = {PHONE: "cell cellphone desk direct fax home mobile mobil office phone tel telephone work"}

MASK = (1 << 50) - 1


def _hash(word: str) -> int:
    value = 0
    for byte in word.encode():
        value = (31 * value + byte) & MASK
    return value


def _table(words: dict[int, str]) -> tuple[np.ndarray, np.ndarray]:
    pairs = sorted((_hash(word), meaning) for meaning, several in words.items() for word in several.split())
    return np.array([pair[0] for pair in pairs], np.int64), np.array([pair[1] for pair in pairs], np.int64)


BEFORE, BEFORE_MEANS = _table(_BEFORE)
AFTER, _ = _table(_AFTER)


@declare("int64(uint8[::1], int64, int64)")
def said_before(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return what the few words before `at` announce: a sum of `PHONE`, `SSN`, `VERSION`, `NUMBER`.

    The words of the same line within 40 bytes, as far as the next number; `VERSION` and `NUMBER`, which deny something,
    only as far as the end of a sentence: a full stop behind a word of four letters or more (`see the section. 8.8.8.8`;
    an abbreviation of so many letters is taken for one).

    Args:
        buffer: Bytes of the column.
        floor: The row's first byte.
        at: Where the number begins.
    """
    means = 0
    counted = PHONE | SSN | VERSION | NUMBER
    i = at
    low = max(floor, at - 40)
    while i > low:
        space = space_before(buffer, low, i)
        if space:
            i -= space
            continue
        stop = i
        while i > low and (is_letter(buffer[i - 1]) or (buffer[i - 1] >= 0x80 and not space_before(buffer, low, i))):
            i -= 1
        if i > floor and i == low:
            break  # a word that is cut off
        if i < stop:
            means |= meaning_before(word_hash(buffer, i, stop)) & counted
        if i > low and not space_before(buffer, low, i):
            i -= 1
            if buffer[i] == 10 or is_digit(buffer[i]):
                break
            if buffer[i] == 46 and buffer[i + 1] == 32 and i - 4 >= floor:
                letters = is_letter(buffer[i - 1]) + is_letter(buffer[i - 2]) + is_letter(buffer[i - 3])
                if letters + is_letter(buffer[i - 4]) == 4:
                    counted = PHONE | SSN
    return means


@declare("int64(uint8[::1], int64, int64)")
def space_before(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return how many bytes the typographic space that ends before `at` has (U+00A0, U+2000 to U+200A, …), or 0."""
    if at - 2 >= floor and buffer[at - 1] == 0xA0 and buffer[at - 2] == 0xC2:
        return 2
    if at - 3 < floor or buffer[at - 3] & 0xFE != 0xE2:
        return 0
    last = buffer[at - 1]
    if buffer[at - 3] == 0xE3:
        return 3 if buffer[at - 2] == 0x80 and last == 0x80 else 0
    general = buffer[at - 2] == 0x80 and (0x80 <= last <= 0x8A or last == 0xAF)
    return 3 if general or (buffer[at - 2] == 0x81 and last == 0x9F) else 0


@declare("int64(uint8[::1], int64, int64)")
def said_after(buffer: np.ndarray, at: int, end: int) -> int:
    """Return `PHONE` if the word after `at` announces one (`785 8949 office`, `…-Fax`, `… (mobile)`), or 0."""
    i = at
    while i < min(end, at + 2) and (buffer[i] == 32 or buffer[i] == 45 or buffer[i] == 40):
        i += 1
    stop = i
    while stop < min(end, i + 12) and is_letter(buffer[stop]):
        stop += 1
    if stop == i or i == at:
        return 0
    word = word_hash(buffer, i, stop)
    for k in range(len(AFTER)):
        if word == AFTER[k]:
            return PHONE
    return 0


@declare("int64(int64)")
def meaning_before(word: int) -> int:
    """Return what the word of this hash announces, or 0."""
    for k in range(len(BEFORE)):
        if word == BEFORE[k]:
            return int64(BEFORE_MEANS[k])
    return 0


@declare("int64(uint8[::1], int64, int64)")
def word_hash(buffer: np.ndarray, start: int, end: int) -> int:
    """Return the hash of a word; A-Z count as a-z."""
    value = 0
    for i in range(start, end):
        byte = int64(buffer[i])
        value = (31 * value + (byte | 0x20 if byte < 0x80 else byte)) & MASK
    return value
