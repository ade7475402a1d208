"""The cleaner `c4_lines`: the lines that C4 keeps."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.characters import whitespace_width
from pipeline.text.kernel import declare, int64
from pipeline.text.newlines import break_width
from pipeline.text.passages import holds_phrase, packed
from pipeline.text.put import put_byte

__all__ = ["keep_c4_lines"]

LONGEST_WORD = 1000
FEWEST_WORDS = 3

POLICY, POLICY_BOUNDS = packed(
    ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies", "javascript"]
)
CITATIONS, CITATIONS_BOUNDS = packed(["[edit]", "[citation needed]"])


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64)")
def keep_c4_lines(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int) -> int:
    r"""Write the lines of the row that C4 keeps, and return its new length in bytes.

    The rules of datatrove's `C4QualityFilter` for lines: citations (`[1]`, `[edit]`, `[citation needed]`) go; a line
    stays if it ends with one of `. ? ! " '` but not with `...`, has at least three words of at most 1,000 characters,
    and holds neither `javascript` nor a policy phrase, in any case. Lines are those of `str.splitlines`, stripped, and
    joined by `\n`. What drops a document (`lorem ipsum`, `{`, few sentences) is a rule on a signal. Here a tag of
    redaction counts as three words, for what it stands for may have been as many.

    Raffel et al., JMLR 21 (2020), section 2.2. Arguments as of `controls.remove_controls`.
    """
    length = 0
    i = start
    while i < end:
        stop = i
        width = 0
        while stop < end and width == 0:
            width = split_width(buffer, stop, end)
            stop += width == 0
        first = i
        while first < stop and whitespace_width(buffer, first, stop):
            first += whitespace_width(buffer, first, stop)
        if keeps_line(buffer, first, stop):
            written = length
            if written:
                length = put_byte(10, output, at, length)
            before = length
            last = text_end(buffer, first, stop)
            while first < last:
                citation = citation_end(buffer, first, last)
                if citation:
                    first = citation
                    continue
                length = put_byte(int64(buffer[first]), output, at, length)
                first += 1
            if length == before:
                length = written
        i = stop + width
    return length


@declare("int64(uint8[::1], int64, int64)")
def split_width(buffer: np.ndarray, at: int, end: int) -> int:
    """Return how many bytes the line break at `at` has by `str.splitlines`, or 0."""
    byte = buffer[at]
    if byte == 10 or 28 <= byte <= 30:
        return 1
    return break_width(buffer, at, end)


@declare("int64(uint8[::1], int64, int64)")
def text_end(buffer: np.ndarray, start: int, end: int) -> int:
    """Return where the line ends without the whitespace at its end."""
    found = start
    i = start
    while i < end:
        width = whitespace_width(buffer, i, end)
        i += max(width, 1)
        if width == 0:
            found = i
    return found


@declare("int64(uint8[::1], int64, int64)")
def keeps_line(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if C4 keeps the line."""
    words = 0
    size = 0  # characters of the word
    last = 0  # what the line ends with when citations are gone: three bytes, and whether a space comes after
    i = start
    stop = text_end(buffer, start, end)
    skip = start  # the end of the citation that we are in
    while i < stop:
        if skip <= i:
            citation = citation_end(buffer, i, stop)
            skip = max(citation, skip)
        width = whitespace_width(buffer, i, stop)
        if width:
            size = 0
        else:
            if size == 0:
                words += 1
            if buffer[i] & 0xC0 != 0x80:
                size += 1
            if size > LONGEST_WORD:
                return 0
            if is_tag(buffer, i, stop):
                words += FEWEST_WORDS
        if i >= skip:
            last = (last << 8 | (32 if width else int64(buffer[i]))) & 0xFFFFFF
        i += max(width, 1)
    mark = last & 0xFF
    if mark != 46 and mark != 63 and mark != 33 and mark != 34 and mark != 39:
        return 0
    if last == 0x2E2E2E or words < FEWEST_WORDS:
        return 0
    return 0 if holds_phrase(buffer, start, stop, POLICY, POLICY_BOUNDS) else 1


@declare("int64(uint8[::1], int64, int64)")
def citation_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the citation at `at`, or 0."""
    if buffer[at] != 91:
        return 0
    i = at + 1
    while i < end and is_digit(buffer[i]):
        i += 1
    if i < end and buffer[i] == 93:
        return i + 1
    for k in range(len(CITATIONS_BOUNDS) - 1):
        size = CITATIONS_BOUNDS[k + 1] - CITATIONS_BOUNDS[k]
        j = 0
        while j < size and at + j < end and buffer[at + j] == CITATIONS[CITATIONS_BOUNDS[k] + j]:
            j += 1
        if j == size:
            return at + int64(size)
    return 0


@declare("int64(uint8[::1], int64, int64)")
def is_tag(buffer: np.ndarray, at: int, end: int) -> int:
    """Return 1 for the start of a tag of redaction (`<EMAIL>`, `<PHONE_1>`, `<IBAN:3f9c>`) or of a mask (`***`)."""
    if buffer[at] == 42:
        return 1 if at + 2 < end and buffer[at + 1] == 42 and buffer[at + 2] == 42 else 0
    if buffer[at] != 60:
        return 0
    i = at + 1
    while i < end and (65 <= buffer[i] <= 90 or buffer[i] == 95):
        i += 1
    if i - at < 3:
        return 0
    if i < end and buffer[i] == 58:
        i += 1
    while i < end and (is_digit(buffer[i]) or is_letter(buffer[i])):
        i += 1
    return 1 if i < end and buffer[i] == 62 else 0
