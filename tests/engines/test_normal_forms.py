"""A text's normal form does not depend on how the text is cut."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import normal_forms
from pipeline.engines.normal_forms import normal_form

CHARACTERS = "aé\n e\u0301\u0327\u0338=<q\u0323\u0307\u1100\u1161\u11a8각ﬁ①Å½Ａ漢\u3099か\u200d😀\u0344"


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@settings(deadline=None, max_examples=400)
@given(
    texts=st.lists(st.text(st.sampled_from(CHARACTERS) | st.sampled_from("abc \n"), max_size=40), max_size=4),
    piece=st.integers(1, 12),
    block=st.integers(1, 9),
    sliced=st.booleans(),
)
def test_a_normal_form_is_that_of_the_whole_text(
    form: Literal["NFC", "NFKC"], texts: list[str], piece: int, block: int, sliced: bool
) -> None:
    column = pa.array(["é", *texts], pa.large_string())[1:] if sliced else pa.array(texts, pa.large_string())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(normal_forms, "PIECE", piece)
        patch.setattr(normal_forms, "BLOCK", block)
        got = normal_form(column, form)
    got.validate(full=True)
    assert got.to_pylist() == [unicodedata.normalize(form, text) for text in texts]
