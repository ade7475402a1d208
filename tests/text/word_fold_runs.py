"""What `pipeline.text.word_fold_data` holds, from `unicodedata`; `python -m tests.text.word_fold_runs` writes it."""

from __future__ import annotations

import base64
import sys
import unicodedata
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from pipeline.text import unicode_data, word_fold
from tests.text.unicode_runs import UNSPACED_SCRIPTS

__all__ = ["folded", "kind_of", "table", "write"]

_SELECTORS = {0x34F, 0x180B, 0x180C, 0x180D, 0x180F, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}
"""Marks that nobody sees: the grapheme joiner and variation selectors."""


def folded(text: str) -> str:
    """The characters of which words are compared, marks and invisible ones still among them."""
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())


@cache
def kind_of(character: str) -> int:
    """What a folded character is to a word."""
    category = unicodedata.category(character)
    if category == "Cf" or ord(character) in _SELECTORS or unicodedata.combining(character):
        return word_fold.TRANSPARENT
    if category[0] == "L" and any(low <= ord(character) <= high for low, high in UNSPACED_SCRIPTS):
        return word_fold.OWN
    return word_fold.INSIDE if category[0] in "LNM" else word_fold.SEPARATOR


@cache
def table() -> tuple[np.ndarray, np.ndarray]:
    """`word_fold`'s entry of every code point, int32 (0x110000), and what the longer ones refer to, int32."""
    entries = np.empty(0x110000, np.int32)
    longer: dict[tuple[int, ...], int] = {}
    items: list[int] = []
    for code in range(0x110000):
        if 0xAC00 <= code <= 0xD7A3:  # the kernel takes Hangul apart by itself
            entries[code] = word_fold.INSIDE
            continue
        parts = [(kind_of(c), ord(c)) for c in folded(chr(code))]
        parts = [part for part in parts if part[0] != word_fold.TRANSPARENT]
        # Several separators are one, and its code does not matter.
        parts = [(kind, c if kind else 0) for kind, c in parts]
        parts = [part for k, part in enumerate(parts) if part[0] or k == 0 or parts[k - 1][0]]
        if not parts:
            entries[code] = word_fold.TRANSPARENT
        elif len(parts) == 1:
            kind, target = parts[0]
            entries[code] = kind | ((target - code) << 3 if kind else 0)
        else:
            key = tuple(kind | target << 3 for kind, target in parts)
            if key not in longer:
                longer[key] = len(items)
                items += [len(key), *key]
            entries[code] = word_fold.LONGER | longer[key] << 3
    return entries, np.array(items, np.int32)


def write() -> str:
    """The source of `pipeline/text/word_fold_data.py`."""
    entries, items = table()
    starts = np.flatnonzero(np.diff(entries, prepend=entries[0] - 1))
    runs = np.stack([np.diff(starts, prepend=0), np.diff(entries[starts], prepend=0)]).astype("<i4")
    return (
        '"""What characters become in words; written by `python -m tests.text.word_fold_runs`."""\n\n'
        f'{_text("RUNS", runs)}"""Base 85 of zlib of little-endian int32: for every run of code points with one entry '
        'how far behind the last it\nbegins, then by how much its entry in `word_fold` is larger."""\n\n'
        f'{_text("LONGER", items.astype("<i4"))}"""The same of the entries of several characters."""\n'
    )


def _text(name: str, array: np.ndarray) -> str:
    text = base64.b85encode(zlib.compress(array.tobytes(), 9)).decode()
    lines = "\n".join(text[k : k + 118] for k in range(0, len(text), 118))
    return f'{name} = """\n{lines}\n"""\n'


if __name__ == "__main__":
    assert unicodedata.unidata_version == unicode_data.UNICODE_VERSION, "take the Python that has the classes' version"
    Path(word_fold.__file__).with_name("word_fold_data.py").write_text(write())
    sys.stdout.write(f"Unicode {unicodedata.unidata_version}\n")
