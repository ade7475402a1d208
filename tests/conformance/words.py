"""Words as `pipeline.signals` defines them, and which rows have others than `str.split()`."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from tests.text.definition import words_of
from tests.text.unicode_runs import UNSPACED_SCRIPTS

__all__ = ["unspaced", "words"]


@lru_cache(maxsize=4096)
def unspaced(text: str) -> bool:
    """Whether a letter of a script without spaces between words is in the text."""
    return not text.isascii() and any(map(_stands_alone, text))


@lru_cache(maxsize=4096)
def words(text: str) -> list[str]:
    """The words of a text; where no letter stands alone, `text.split()`."""
    return [word.text for word in words_of(text)] if unspaced(text) else text.split()


@lru_cache(maxsize=65536)
def _stands_alone(character: str) -> bool:
    code = ord(character)
    return unicodedata.category(character)[0] == "L" and any(first <= code <= last for first, last in UNSPACED_SCRIPTS)
