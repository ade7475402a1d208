"""The cleaner `html`: what scraping leaves of a page, entities and tags."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_digit, is_letter
from pipeline.text.html_entities import find_key, reference_at
from pipeline.text.json_escapes import write_character
from pipeline.text.kernel import declare, int64
from pipeline.text.put import put_byte

__all__ = ["remove_html"]

BLOCKS = (
    "article aside blockquote body br center dd details dialog dir div dl dt fieldset figcaption figure footer form "
    "frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html legend li main menu nav noscript ol optgroup option p pre "
    "section summary table tbody tfoot thead tr ul"
)
"""Elements that begin a line in a browser: their tags become a line break."""
CELLS = "td th"
"""Elements that stand side by side: their tags become a space."""
INLINE = (
    "a abbr acronym applet area audio b base basefont bdi bdo big button canvas caption cite code col colgroup data "
    "datalist del dfn em embed font frame i iframe img input ins kbd label link map mark meta meter nobr object "
    "output param picture progress q rp rt ruby s samp script select small source span strike strong style sub sup svg "
    "template textarea time title track tt u var video wbr"
)
"""The other elements: their tags leave nothing."""
TYPES = (
    "a article audio b base body button canvas caption code data dialog dir embed form frame head header html i input "
    "label link main map mark menu meter nav object option output p param path picture progress q s script section "
    "select source style summary table template textarea time title track u var video"
)
"""Names that are also types and variables: `Vec<u>`, `List<Object>` are no HTML."""

BLOCK, CELL, TYPE = 1, 2, 4


def _key(name: str) -> int:
    key = 0
    for letter in name.encode():
        key = key * 64 + (letter - 96 if letter >= 97 else letter - 48 + 32)
    return key


_MEANING = {
    name: BLOCK * (name in BLOCKS.split()) + CELL * (name in CELLS.split()) + TYPE * (name in TYPES.split())
    for name in f"{BLOCKS} {CELLS} {INLINE}".split()
}
_SORTED = sorted((_key(name), meaning) for name, meaning in _MEANING.items())
NAMES = np.array([key for key, _ in _SORTED], np.int64)
MEANINGS = np.array([meaning for _, meaning in _SORTED], np.int64)
DOCTYPE = _key("doctype")


@declare("int64(uint8[::1], int64, int64, uint8[::1], int64, int64[::1])")
def remove_html(buffer: np.ndarray, start: int, end: int, output: np.ndarray, at: int, scratch: np.ndarray) -> int:
    r"""Write the row without HTML, and return its new length in bytes.

    - Character references are decoded (`html_entities.reference_at`).
    - Tags of known HTML elements are removed: of blocks a line break is left, of table cells a space. A tag is `<`, a
      known name, then attributes of which one has a value, then `>`; or one without attributes. `<EMAIL>`, `a < b`
      and `<https://a.io>` are none, and neither is `<T>` directly after a word for a name that may be a type.
    - Comments (`<!-- … -->`) and `<!DOCTYPE …>` are removed. What stands in scripts and styles stays.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        output: Where to write.
        at: Where in `output`; below 0, nothing is written and only the length is measured.
        scratch: At least two integers.
    """
    length = 0
    no_comment_end = False
    i = start
    while i < end:
        byte = int64(buffer[i])
        stop = 0
        if byte == 38:
            stop = reference_at(buffer, i, end, scratch)
            if stop:
                length += write_character(scratch[0], output, at + length if at >= 0 else -1)
                i = stop
                continue
        elif byte == 60:
            if i + 3 < end and buffer[i + 1] == 33 and buffer[i + 2] == 45 and buffer[i + 3] == 45:
                if not no_comment_end:
                    stop = comment_end(buffer, i + 4, end)
                    no_comment_end = stop == 0
                    if stop:
                        i = stop
                        continue
            else:
                stop = tag_end(buffer, start, i, end, scratch)
                if stop:
                    if scratch[0] & BLOCK:
                        length = put_byte(10, output, at, length)
                    elif scratch[0] & CELL:
                        length = put_byte(32, output, at, length)
                    i = stop
                    continue
        length = put_byte(byte, output, at, length)
        i += 1
    return length


@declare("int64(uint8[::1], int64, int64)")
def comment_end(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the next `-->`, or 0."""
    for i in range(at, end - 2):
        if buffer[i] == 45 and buffer[i + 1] == 45 and buffer[i + 2] == 62:
            return i + 3
    return 0


@declare("int64(uint8[::1], int64, int64, int64, int64[::1])")
def tag_end(buffer: np.ndarray, start: int, at: int, end: int, found: np.ndarray) -> int:
    """Return one past the tag at `at`, which is a `<`, or 0; `found[0]` becomes the meaning of its name."""
    i = at + 1
    closing = i < end and buffer[i] == 47
    if closing or (i < end and buffer[i] == 33):
        i += 1
    key = 0
    first = i
    while i < end and i - first < 10 and (is_letter(buffer[i]) or is_digit(buffer[i])):
        byte = int64(buffer[i])
        key = key * 64 + ((byte | 0x20) - 96 if byte >= 65 else byte - 16)
        i += 1
    if i == first or i >= end or (buffer[i] != 62 and buffer[i] != 47 and buffer[i] != 32 and not 9 <= buffer[i] <= 10):
        return 0
    if buffer[at + 1] == 33:
        found[0] = 0
        if key != DOCTYPE:
            return 0
    else:
        place = find_key(NAMES, key)
        if place < 0:
            return 0
        found[0] = MEANINGS[place]
    bare = True
    value = False
    while i < end and buffer[i] != 62:
        byte = int64(buffer[i])
        if byte == 60 or (byte == 10 and buffer[i - 1] == 10):
            return 0
        if byte == 61:
            value = True
        elif byte > 32 and byte != 47:
            bare = False
        i += 1
    if i >= end:
        return 0
    if closing and (value or not bare):
        return 0
    if not (bare or value or buffer[at + 1] == 33):
        return 0
    if not closing and not value and found[0] & TYPE and at > start:
        before = buffer[at - 1]
        if is_letter(before) or is_digit(before) or before == 95 or before == 58:
            return 0
    return i + 1
