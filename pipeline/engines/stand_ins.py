"""What stands in the place of personal data: `<EMAIL>`, `<EMAIL_2>`, `<EMAIL:hdkfoabm…>`, `<EMAIL#2>`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["STAND_IN", "StandIns", "distinct", "note_numbers", "tag", "tags", "without_values"]

StandIns = Callable[[np.ndarray, np.ndarray, pa.LargeStringArray], pa.LargeStringArray]
"""Chooses what is put in the place of m values.

Its arguments are the row that each stands in (int64), which entity it is (int8), and the values; it returns m texts.
"""

STAND_IN = r"<[A-Z][A-Z_]*(?:_[0-9]+|:[a-p]+)?(?:#[0-9]+)?>"
"""A whole stand-in, as a regular expression; none has a letter that is personal."""

_NUMBERED = "<([A-Z][A-Z_]*)_([0-9]{1,9})>"
_OF_A_VALUE = "<([A-Z][A-Z_]*)(?:_[0-9]+|:[a-p]{16})>"
"""A stand-in that tells values apart: of `pseudonym`, or of `hash`."""


def without_values(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """The texts with all stand-ins of an entity alike, `<EMAIL_0>` for `<EMAIL_2>` and for `<EMAIL:hdkfoabmcplgneij>`.

    What a text says besides personal data can then be compared. Every stand-in keeps its number of words, two, so that
    a word of the result is the word of the same number in the text.
    """
    if not pc.any(pc.match_substring_regex(texts, _OF_A_VALUE)).as_py():
        return texts
    return pc.replace_substring_regex(texts, _OF_A_VALUE, r"<\1_0>")


def note_numbers(texts: pa.LargeStringArray, rows: np.ndarray, names: Sequence[str], taken: np.ndarray) -> None:
    """Raise `taken` to the greatest number of each entity's pseudonyms that stand in the texts.

    Args:
        texts: m of them; null where there is none.
        rows: int64 (m), the row that each stands in.
        names: Of the entities.
        taken: int64 [rows, entities].
    """
    found = pc.fill_null(pc.match_substring_regex(texts, _NUMBERED), False)
    number = {name.upper(): place for place, name in enumerate(names)}
    for at in np.flatnonzero(found.to_numpy(zero_copy_only=False)):
        for name, value in re.findall(_NUMBERED, texts[int(at)].as_py()):
            if name in number:
                here = rows[at], number[name]
                taken[here] = max(taken[here], int(value))


def tag(entity: str, within: str = "") -> str:
    """An entity's tag: `<EMAIL>`."""
    return f"<{entity.upper()}{within}>"


def tags(names: Sequence[str]) -> StandIns:
    """An entity's tag in every place, whatever the value was.

    Args:
        names: Of the entities.
    """
    known = pa.array([tag(name) for name in names], pa.large_string())
    return lambda rows, entities, values: known.take(pa.array(entities))


def distinct(stand_in: bytes, number: int) -> bytes:
    """The second, third, … key that would have the same name: `<EMAIL#2>`."""
    if stand_in.endswith(b">"):
        return b"%b#%d>" % (stand_in[:-1], number)
    return b"%b#%d" % (stand_in, number)
