"""The tables in `pipeline.text.unicode_data`, from `unicodedata`; `python -m tests.text.unicode_runs` writes them.

Two lists are not in `unicodedata` and stand here: what datatrove 0.10 takes for punctuation, and what it takes for the
end of a sentence (Unicode 15's property Sentence_Terminal, with U+17D6, U+17D9 and U+17DA). They decide how its filters
count, so that `nonsymbol_word_count` and `marked_line_share_fineweb` must know them.
"""

from __future__ import annotations

import base64
import sys
import unicodedata
import zlib
from functools import cache
from pathlib import Path

import numpy as np

from pipeline.text import unicode_classes as classes

__all__ = ["MARKS", "UNSPACED_SCRIPTS", "folds", "table", "write"]

UNSPACED_SCRIPTS = (
    (0x0E00, 0x0E7F),  # Thai
    (0x0E80, 0x0EFF),  # Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # iteration mark, closing mark and zero of Han
    (0x3031, 0x3035),  # kana repeat marks
    (0x303B, 0x303C),  # iteration marks
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x31F0, 0x31FF),  # Katakana
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),  # Han
    (0xA9E0, 0xA9FF),  # Myanmar
    (0xAA60, 0xAA7F),  # Myanmar
    (0xF900, 0xFAFF),  # Han
    (0xFF66, 0xFF9F),  # halfwidth Katakana
    (0x16FE2, 0x16FF6),  # marks of Han
    (0x1AFF0, 0x1B16F),  # Kana
    (0x20000, 0x3FFFF),  # Han
)
"""Blocks whose letters (general category L) are written without spaces between words."""

PUNCTUATION = frozenset(
    "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～"
) | frozenset(map(chr, (*range(9), 11, 12, *range(13, 32), *range(127, 160))))

_TERMINAL = """
21 2E 3F 589 61D 61E 61F 6D4 700 701 702 7F9 837 839 83D 83E 964 965 104A 104B 1362 1367 1368 166E 1735 1736 17D4 17D5
17D6 17D9 17DA 1803 1809 1944 1945 1AA8 1AA9 1AAA 1AAB 1B5A 1B5B 1B5E 1B5F 1B7D 1B7E 1C3B 1C3C 1C7E 1C7F 203C 203D 2047
2048 2049 2E2E 2E3C 2E53 2E54 3002 A4FF A60E A60F A6F3 A6F7 A876 A877 A8CE A8CF A92F A9C8 A9C9 AA5D AA5E AA5F AAF0 AAF1
ABEB FE52 FE56 FE57 FF01 FF0E FF1F FF61 10A56 10A57 10F55 10F56 10F57 10F58 10F59 10F86 10F87 10F88 10F89 11047 11048
110BE 110BF 110C0 110C1 11141 11142 11143 111C5 111C6 111CD 111DE 111DF 11238 11239 1123B 1123C 112A9 1144B 1144C 115C2
115C3 115C9 115CA 115CB 115CC 115CD 115CE 115CF 115D0 115D1 115D2 115D3 115D4 115D5 115D6 115D7 11641 11642 1173C 1173D
1173E 11944 11946 11A42 11A43 11A9B 11A9C 11C41 11C42 11EF7 11EF8 11F43 11F44 16A6E 16A6F 16AF5 16B37 16B38 16B44 16E98
1BC9F 1DA88"""
TERMINAL = frozenset(chr(int(code, 16)) for code in _TERMINAL.split())

ANYWHERE = frozenset("。！？｡។៕။")
"""End marks of scripts that put no space after them."""

CLOSING = frozenset("\"'")
BULLETS = frozenset("•‣⁃⁌⁍∙○●◘◦⦾⦿")
PARENTHESES = frozenset("{}⟨⟩[]()")
BREAKS = frozenset("\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029")


def _marks() -> dict[str, str]:
    """Quotation marks by their Unicode names, dashes by their category, and what is used in place of them."""
    marks = {"\u2032": "'", "\u02bc": "'", "\u2212": "-"}  # prime, modifier letter apostrophe, minus sign
    for character in map(chr, range(0x80, 0xE0000)):
        name = unicodedata.name(character, "")
        if "QUOTATION MARK" in name:
            marks[character] = '"' if "DOUBLE" in name or name.startswith("FULLWIDTH") else "'"
        elif unicodedata.category(character) == "Pd":
            marks[character] = "-"
    return marks


MARKS = _marks()
"""Quotation marks and dashes beyond ASCII, and the mark of ASCII that stands for each in the normal form."""


@cache
def folds() -> dict[int, str]:
    """What becomes of a character in `normalise.fold`, where it is another: full case folding, then `MARKS`."""
    found = {}
    for code, character in enumerate(map(chr, range(0x110000))):
        # Those of which `fold` knows the compatibility form: full-width ASCII, and the ellipsis.
        known = 0xFF01 <= code <= 0xFF5E or code == 0x2026
        folded = (unicodedata.normalize("NFKC", character) if known else character).casefold()
        folded = "".join(MARKS.get(c, c) for c in folded)
        if folded != character and code >= 0x80:
            found[code] = folded
    return found


@cache
def table() -> np.ndarray:
    """The flags of every code point: uint16 (0x110000)."""
    characters = list(map(chr, range(0x110000)))
    category = np.array(list(map(unicodedata.category, characters)))
    major = category.astype("U1")
    letter = major == "L"
    unspaced = np.zeros(0x110000, np.bool_)
    for low, high in UNSPACED_SCRIPTS:
        unspaced[low : high + 1] = letter[low : high + 1]
    held = {
        classes.LETTER: letter,
        classes.NUMBER: major == "N",
        classes.DIGIT: category == "Nd",
        classes.MARK: np.isin(category, ["Mn", "Mc"]),
        classes.UNSPACED: unspaced,
        classes.SPACE: np.array(list(map(str.isspace, characters))),
        classes.BREAK: _among(BREAKS),
        classes.PLAIN: ~_among(PUNCTUATION | TERMINAL),
        classes.TERMINAL: _among(TERMINAL),
        classes.ANYWHERE: _among(ANYWHERE),
        classes.CLOSING: np.isin(category, ["Pe", "Pf"]) | _among(CLOSING),
        classes.BULLET: _among(BULLETS),
        classes.PARENTHESIS: _among(PARENTHESES),
    }
    return sum((flag * holds for flag, holds in held.items()), np.zeros(0x110000, np.int64)).astype(np.uint16)


def _among(characters: frozenset[str]) -> np.ndarray:
    chosen = np.zeros(0x110000, np.bool_)
    chosen[[ord(character) for character in characters]] = True
    return chosen


def write() -> str:
    """The source of `pipeline/text/unicode_data.py`."""
    flags = table().astype(np.int64)
    starts = np.flatnonzero(np.diff(flags, prepend=-1))
    runs = np.stack([starts, flags[starts]]).astype("<u4").T
    changed = np.zeros((len(folds()), 4), "<u4")
    for row, (code, text) in enumerate(sorted(folds().items())):
        changed[row, 0] = code
        changed[row, 1 : 1 + len(text)] = list(map(ord, text))
    return (
        '"""Tables of Unicode; written by `python -m tests.text.unicode_runs`."""\n\n'
        f'UNICODE_VERSION = "{unicodedata.unidata_version}"\n\n'
        f'RUNS = """\n{_packed(runs)}\n"""\n'
        '"""Base 85 of zlib of little-endian uint32 pairs: the first code point of a run, and its flags in '
        '`unicode_classes`."""\n\n'
        f'FOLDS = """\n{_packed(np.diff(changed, axis=0, prepend=changed[:1] * 0).T)}\n"""\n'
        '"""Base 85 of zlib of little-endian uint32 (4, n), each row as differences: a code point, and up to three in '
        'its place\n(0: none) in `normalise`."""\n'
    )


def _packed(values: np.ndarray) -> str:
    text = base64.b85encode(zlib.compress(np.ascontiguousarray(values, "<u4").tobytes(), 9)).decode()
    return "\n".join(text[k : k + 118] for k in range(0, len(text), 118))


if __name__ == "__main__":
    Path(classes.__file__).with_name("unicode_data.py").write_text(write())
    sys.stdout.write(f"Unicode {unicodedata.unidata_version}\n")
