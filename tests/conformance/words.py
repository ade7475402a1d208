"""Words as `pipeline.signals` defines them, in Python; and which rows they differ in from `str.split()`."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from tests.text.unicode_runs import UNSPACED_SCRIPTS

__all__ = ["unspaced", "words"]


@lru_cache(maxsize=4096)
def unspaced(text: str) -> bool:
    """Whether a letter of a script without spaces between words is in the text."""
    return not text.isascii() and any(map(_stands_alone, text))


@lru_cache(maxsize=4096)
def words(text: str) -> list[str]:
    """Runs without whitespace, of which each letter of a script without spaces, with its marks, is one by itself."""
    if not unspaced(text):
        return text.split()
    found = []
    for run in text.split():
        begin, alone = 0, False
        for at, character in enumerate(run):
            if _stands_alone(character) or (alone and unicodedata.category(character) not in ("Mn", "Mc")):
                if at > begin:
                    found.append(run[begin:at])
                begin, alone = at, _stands_alone(character)
        found.append(run[begin:])
    return found


@lru_cache(maxsize=65536)
def _stands_alone(character: str) -> bool:
    code = ord(character)
    return unicodedata.category(character)[0] == "L" and any(first <= code <= last for first, last in UNSPACED_SCRIPTS)
