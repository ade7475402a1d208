"""The normal form is NFKC, case folding, plain marks and folded whitespace, whichever way a row takes to it."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.text.normalise import GROWTH, is_stable, needs_tables
from pipeline.text.unicode_data import UNICODE_VERSION
from tests.text.columns import HOSTILE, column
from tests.text.unicode_runs import MARKS, folds

LETTERS = st.text(
    st.sampled_from(
        "aZ .\u00c9\u00df\u00b5\u0394\u03c2\u0416\u0130\u2014\u2026\u3042\u6f22\uff21\uff0c😀\u0301\u1161\u212b"
        "\u2019\u201c\u2014\u2212\u0390\u1fb7\u023a\u13a0\u0149"
    )
)


def definition(texts: list[str]) -> list[str]:
    """Through Python's tables, all of them."""
    folded = [unicodedata.normalize("NFKC", text).casefold() for text in texts]
    return [" ".join("".join(MARKS.get(c, c) for c in text).split()) for text in folded]


@settings(max_examples=300, deadline=None)
@given(st.lists(HOSTILE | LETTERS, max_size=4), st.integers(0, 130))
def test_equals_its_definition(texts: list[str], pad: int) -> None:
    texts = ["x" * pad + text for text in texts]
    assert cpu.normalise(column(texts)).to_pylist() == definition(texts)


def test_what_needs_no_tables_has_that_normal_form_wherever_it_stands() -> None:
    """Every character that the kernel calls stable, against Unicode's tables."""
    composing = {0x1161 + k for k in range(21)} | {0x11A8 + k for k in range(27)}  # the jamo that join a syllable
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            composing.add(int(parts[1], 16))
    stable = [code for code in range(0x80, 0x110000) if is_stable(code)]
    assert len(stable) > 70_000
    assert all(len(folds().get(code, "").encode()) <= len(chr(code).encode()) for code in stable), "never longer"
    assert not composing & set(stable)
    assert not any(unicodedata.combining(chr(code)) for code in stable)
    texts = [f"A{chr(code)}b" for code in stable]
    assert cpu.normalise(column(texts)).to_pylist() == definition(texts)
    buffer = np.frombuffer("".join(texts).encode(), np.uint8)
    assert needs_tables(buffer, 0, len(buffer)) == 0


def test_every_character_has_the_normal_form_that_the_definition_gives_it() -> None:
    known = [
        code for code in range(0x110000) if not 0xD800 <= code < 0xE000 and unicodedata.category(chr(code)) != "Cn"
    ]
    texts = [f"A{chr(code)}b" for code in known]
    normal = cpu.normalise(column(texts)).to_pylist()
    different = [hex(code) for code, one, other in zip(known, normal, definition(texts), strict=True) if one != other]
    # The versions of Unicode behind Python, Arrow's NFKC and the table may know other characters.
    assert len(different) <= (0 if unicodedata.unidata_version == UNICODE_VERSION else 200), different
    assert max(len(text.encode()) / len(chr(code).encode()) for code, text in folds().items()) == GROWTH
    assert cpu.normalise(column(normal)).to_pylist() == normal, "the normal form of a normal form is itself"


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Straße STRASSE straẞe", "strasse strasse strasse"),
        (
            "\u2018a\u2019 \u201cb\u201d \u00abc\u00bb \u2039d\u203a don\u2019t don\u02bct",
            "'a' \"b\" \"c\" 'd' don't don't",
        ),
        ("1\u20132 3\u20144 \u22125 6\u20107", "1-2 3-4 -5 6-7"),
        ("ΣΊΣΥΦΟΣ σίσυφος", "σίσυφοσ σίσυφοσ"),
        ("A\u2028\u00a0 B\r\n", "a b"),
        ("\ufb01ne \u2460 \u2026 \uff21", "fine 1 ... a"),
        ("x\u00ady \u300cz\u300d", "x\u00ady \u300cz\u300d"),  # the soft hyphen and corner brackets stay
    ],
)
def test_examples(text: str, normal: str) -> None:
    assert cpu.normalise(column([text])).to_pylist() == [normal]


@pytest.mark.parametrize("text", ["It\u2019s \u201cso\u201d \u2014 or not\u2026", "Łódź żółw", "Tiếng Việt \u2212 1"])
def test_plain_punctuation_and_latin_letters_stay_in_the_kernel(text: str) -> None:
    data = np.frombuffer(unicodedata.normalize("NFC", text).encode(), np.uint8)
    assert needs_tables(data, 0, len(data)) == 0


def test_rows_of_both_kinds_keep_their_places() -> None:
    texts = ["Plain", "e\u0301", "", "\ufdfa" * 3, "Ünï", "x\u0301" * 50, "END "]
    sliced = pa.concat_arrays([column(["left out"]), column(texts)])[1:]
    assert cpu.normalise(sliced).to_pylist() == definition(texts)
