"""Texts without their disguises, and where in the texts as they came each byte of them stands."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines.columns import from_arrow
from pipeline.engines.operations.disguises import undisguise

PIECES = ["a", "é", "漢", "＠", "４", "，", "％", "%40", "%4", "\u200b", "\u00ad", "\ufeff", "\u2060", " ", "."]
PIECES += ["123", "\u00a0", "\u2009", "\u3000", "–", "\u2011", "&#64;", "&commat;", "&#6", "("]
WRITTEN = {
    "%40": "@",
    "&#64;": "@",
    "&commat;": "@",
    "\u00a0": " ",
    "\u2009": " ",
    "\u3000": " ",
    "–": "-",
    "\u2011": "-",
}
EMPTY = "\u200b\u200c\u200d\u2060\ufeff\u00ad"


def shown(text: str, first: int) -> list[tuple[str, int, int]]:
    """The characters of a text without disguises, each with where it begins and ends in bytes, from `first` on."""
    found, at, i = [], first, 0
    while i < len(text):
        taken = next((long for long in WRITTEN if text.startswith(long, i)), text[i])
        size = len(taken.encode())
        neighbours = text[i - 1 : i] + text[i + 1 : i + 2]
        inside = len(neighbours) == 2 and all("!" <= character < "\x80" for character in neighbours)
        if taken in WRITTEN:
            found.append((WRITTEN[taken], at, at + size))
        elif "\uff01" <= taken <= "\uff5e":
            found.append((chr(ord(taken) - 0xFEE0), at, at + size))
        elif not (taken in EMPTY and inside):
            found.append((taken, at, at + size))
        at, i = at + size, i + len(taken)
    return found


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), max_size=4), st.booleans())
def test_every_byte_knows_where_it_comes_from(texts: list[str], sliced: bool) -> None:
    column = pa.array(["x", *texts], pa.large_string())[1:] if sliced else pa.array(texts, pa.large_string())
    given_bounds = from_arrow(column).bounds
    plain = undisguise(from_arrow(column))
    at = 0
    for row, text in enumerate(texts):
        wanted = shown(text, int(given_bounds[row]))
        if row not in plain.rows:
            hides = {character for character, _, _ in wanted if character not in text}
            assert not hides & set("@0123456789"), "such a text is looked behind"
            continue
        k = int(np.flatnonzero(plain.rows == row)[0])
        assert at == plain.texts.bounds[k]
        for character, begin, stop in wanted:
            size = len(character.encode())
            assert plain.texts.buffer[at : at + size].tobytes().decode() == character
            if size == 1:  # personal data begins and ends with ASCII
                assert plain.begins(np.array([at])) == begin
                assert plain.stops(np.array([at]), from_arrow(column).buffer) == stop
            at += size
        assert at == plain.texts.bounds[k + 1]
