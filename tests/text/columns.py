"""Short ways between Python's texts and the engine's columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import strategies as st

SHARED = Path(__file__).parents[3] / "shared" / "data"


def column(texts: Sequence[str]) -> pa.LargeStringArray:
    """A text column."""
    return pa.array(texts, pa.large_string())


def shared(folder: str) -> Path:
    """A folder of the shared data; the test is skipped where it is absent."""
    path = SHARED / folder
    if not path.exists():
        pytest.skip(f"the shared data set {folder} is not on this machine")
    return path


SPACES = " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2000\u2005\u200a\u2028\u2029\u202f\u205f\u3000"
"""What `str.split()` splits at (of U+2000…U+200A three)."""

HOSTILE = st.text(
    st.one_of(
        st.sampled_from(SPACES + "\n\n\n  \0\x7f\x80\x9f\ufeff\u200b\u0301eé\u0344Ångström"),
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("ab.,"),
    ),
    max_size=60,
)
"""Text thick with whitespace, controls and combining marks."""
