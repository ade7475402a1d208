"""Mojibake: the characters that give it away, and ftfy's repair of the lines that hold them.

ftfy looks at every line with a regular expression of a few megabytes a second, and changes no line in which it finds
nothing. So a kernel (`pipeline.text.suspects`) looks first, for pairs of neighbours without which that expression
cannot match, and ftfy sees the lines that have one: a few in a million of sound text.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from ftfy import TextFixerConfig, fix_text
from ftfy.badness import MOJIBAKE_CATEGORIES

from pipeline.text.quotes import PLAIN
from pipeline.text.suspects import BREAK, CONTROL, KIND_BITS, OE, QUOTE, SPACE, TILDED, UNNORMAL

__all__ = ["characters", "follow", "repair_lines"]

ENCODING_ONLY = TextFixerConfig(
    unescape_html=False,
    remove_terminal_escapes=False,
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    remove_control_chars=False,
    normalization=None,
    explain=False,
)
"""Of ftfy's steps those that undo a wrong decoding; the others are cleaners of their own or none."""

# Characters with a rule of their own stand in kinds of their own; `ftfy.badness.MOJIBAKE_CATEGORIES` has the rest.
ALONE = {
    "oe": (OE, "Œœ"),
    "tilded": (TILDED, "ÂÃ"),
    "capital": (3, "ÎÐØÙ"),
    "grave": (4, "à"),
    "times": (5, "×"),
    "root": (6, "√≈"),
    "low": (7, "‚"),
    "initial": (8, "ВГРСΒΓΞΟ"),
    "ve": (9, "вβ"),
    "dje": (10, "Ђ"),
    "short": (11, "ў"),
    "degree": (12, "°"),
}
FIRST_CATEGORY = 16
CATEGORIES = {name: FIRST_CATEGORY + k for k, name in enumerate(MOJIBAKE_CATEGORIES)}
MEMBERS = {
    "oe": ("lower_accented", "upper_accented"),
    "tilded": ("upper_accented",),
    "capital": ("upper_accented",),
    "grave": ("lower_accented",),
    "times": ("numeric",),
    "root": ("numeric",),
    "low": ("start_punctuation",),
    "initial": ("upper_common",),
    "ve": ("lower_common",),
    "dje": ("upper_common",),
    "short": ("lower_common",),
    "degree": ("kaomoji",),
}
"""The categories that characters with a rule of their own belong to besides."""

_SIGNS = "common c1 bad law currency start_punctuation end_punctuation numeric degree"
_ACCENTED = "lower_accented upper_accented"
_REST = "box start_punctuation end_punctuation currency numeric law"
AT_ONCE = (
    (f"bad {_ACCENTED} {_REST}", "bad"),
    ("lower_common upper_common", "bad"),
    ("bad", f"{_ACCENTED} {_REST}"),
    ("lower_accented lower_common box end_punctuation currency numeric", "upper_accented"),
    ("box end_punctuation currency numeric", "lower_accented"),
    ("lower_accented box end_punctuation upper_accented", "currency"),
    ("upper_accented box", "numeric law"),
    ("currency numeric box", "start_punctuation"),
    ("upper_accented", "start_punctuation degree"),
    ("box", "kaomoji end_punctuation"),
    (f"{_ACCENTED} currency numeric start_punctuation end_punctuation law", "box"),
    ("tilded capital root low", f"{_SIGNS} lower_accented upper_accented"),
    ("root", "kaomoji"),
    ("times grave", "numeric"),
    ("ve", "dje currency"),
    ("initial", "short"),
)
"""Neighbours without which `ftfy.badness.BADNESS_RE` does not match: first, second."""
THEN_LETTER = (
    (f"{_ACCENTED} box currency end_punctuation", "start_punctuation"),
    (f"{_ACCENTED} currency numeric box law", "end_punctuation"),
    ("initial", f"{_SIGNS}"),
)
"""Neighbours that matter only before a letter, a digit, or another character beyond ASCII."""


def repair_lines(texts: pa.LargeStringArray, flagged: np.ndarray) -> pa.LargeStringArray:
    """Undo wrong decodings, by ftfy, in the lines that are `flagged`.

    Args:
        texts: n lines, without their breaks.
        flagged: bool (n).

    Returns:
        n lines.
    """
    if not flagged.any():
        return texts
    mask = pa.array(flagged)
    # With its line break, which ftfy's expression counts among what is no letter: "ÃŒ" is mojibake before one.
    fixed = [fix_text(f"{line}\n", ENCODING_ONLY)[:-1] for line in texts.filter(mask).to_pylist()]
    return pc.replace_with_mask(texts, mask, pa.array(fixed, pa.large_string()))


@cache
def characters() -> np.ndarray:
    """Return the kind and the flags of the code points below U+10000: uint16 (65536)."""
    table = np.zeros(1 << 16, np.uint16)
    for name, members in MOJIBAKE_CATEGORIES.items():
        table[_codes(members)] = CATEGORIES[name]
    for kind, members in ALONE.values():
        table[_codes(members)] = kind
    composed = {ord(mark) for code in range(0xC0, 1 << 16) for mark in _second(chr(code))}
    composed.update(range(0x1161, 0x1176), range(0x11A8, 0x11C3))  # Hangul, which is composed by rule
    for code in range(0x80, 1 << 16):
        character = chr(code)
        category = unicodedata.category(character)
        flags = 0
        if category == "Zs":
            flags |= SPACE
        elif (category == "Cc" and code != 0x85) or code == 0xFEFF:
            flags |= CONTROL
        if character in "\x85\u2028\u2029":
            flags |= BREAK
        if character in PLAIN:
            flags |= QUOTE
        if category == "Cs":
            continue
        if (
            code >= 0x300
            and not 0x3400 <= code < 0xA000
            and (
                category == "Cn"  # this version of Unicode does not know it, but another may
                or code in composed
                or unicodedata.combining(character)
                or not unicodedata.is_normalized("NFC", character)
            )
        ):
            flags |= UNNORMAL
        table[code] |= flags << KIND_BITS
    table.flags.writeable = False
    return table


@cache
def follow() -> np.ndarray:
    """Return the table `follow` of `pipeline.text.suspects.suspects`: int64 (64)."""
    table = np.zeros(64, np.int64)
    c1 = 1 << CATEGORIES["c1"]
    table[:32] |= c1  # whatever is before it
    for offset, rules in ((0, AT_ONCE), (32, THEN_LETTER)):
        for firsts, seconds in rules:
            for first in _kinds(firsts):
                for second in _kinds(seconds):
                    table[offset + first] |= 1 << second
    table.flags.writeable = False
    return table


def _kinds(names: str) -> set[int]:
    """The kinds of categories, with those of their members that stand alone."""
    wanted = set(names.split())
    alone = {kind for name, (kind, _) in ALONE.items() if wanted & {name, *MEMBERS[name]}}
    return alone | {kind for name, kind in CATEGORIES.items() if name in wanted}


def _codes(members: str) -> list[int]:
    """The code points of a character class, ranges such as `a-z` included."""
    codes: list[int] = []
    i = 0
    while i < len(members):
        last = i + 2 if members[i + 1 : i + 2] == "-" and i + 2 < len(members) else i
        codes += range(ord(members[i]), ord(members[last]) + 1)
        i = last + 1
    return codes


def _second(character: str) -> str:
    """The second character of a canonical decomposition, or nothing."""
    parts = unicodedata.decomposition(character).split()
    return chr(int(parts[1], 16)) if len(parts) == 2 and parts[0][0] != "<" else ""
