"""The normal form is NFKC, lower case and folded whitespace, whichever way a row takes to it."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.text.normalise import is_stable, needs_tables
from tests.text.columns import HOSTILE, column

LETTERS = st.text(
    st.sampled_from(
        "aZ .\u00c9\u00df\u00b5\u0394\u03c2\u0416\u0130\u2014\u2026\u3042\u6f22\uff21\uff0c😀\u0301\u1161\u212b"
    )
)


def definition(texts: list[str]) -> list[str]:
    """Through Unicode's tables, all of them."""
    lower = pc.utf8_lower(pc.utf8_normalize(column(texts), form="NFKC")).to_pylist()
    return [" ".join(text.split()) for text in lower]


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
    assert not composing & set(stable)
    assert not any(unicodedata.combining(chr(code)) for code in stable)
    texts = [f"A{chr(code)}b" for code in stable]
    assert cpu.normalise(column(texts)).to_pylist() == definition(texts)
    buffer = np.frombuffer("".join(texts).encode(), np.uint8)
    assert needs_tables(buffer, 0, len(buffer)) == 0


def test_rows_of_both_kinds_keep_their_places() -> None:
    texts = ["Plain", "e\u0301", "", "\ufdfa" * 3, "Ünï", "x\u0301" * 50, "END "]
    sliced = pa.concat_arrays([column(["left out"]), column(texts)])[1:]
    assert cpu.normalise(sliced).to_pylist() == definition(texts)
