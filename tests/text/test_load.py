"""What is asked of eight bytes at once is what would be asked of each."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.load import HIGH, blanks_at, differ, is_plain
from pipeline.text.suspects import BYTES, is_telling

SPECIAL = b"\t\n\r <&*_[#%/\x00\x1f\x20\x7e\x7f\x80\xc3\xff"
EIGHT = st.lists(st.one_of(st.sampled_from(SPECIAL), st.integers(0, 255)), min_size=8, max_size=8).map(bytes)
CALM = st.lists(st.sampled_from(b"abc XYZ019,.;:()/'+-=@"), min_size=8, max_size=8).map(bytes)


def number(word: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(word, "little"))


@settings(deadline=None)
@given(word=st.one_of(EIGHT, CALM))
def test_whether_one_of_them_tells_of_a_cleaner(word: bytes) -> None:
    assert is_telling(number(word)) == any(BYTES[byte] or byte == 9 for byte in word)  # tabs in vain
    assert is_plain(number(word)) == word.isascii()


@settings(deadline=None)
@given(word=st.one_of(EIGHT, CALM).filter(bytes.isascii), byte=st.integers(0, 127))
def test_which_of_them_are_another_byte(word: bytes, byte: int) -> None:
    answers = int(differ(number(word), np.uint64(byte)) & HIGH).to_bytes(8, "little")
    assert [answer == 0x80 for answer in answers] == [one != byte for one in word]


@settings(deadline=None)
@given(before=st.binary(max_size=9), blanks=st.integers(0, 30), after=st.binary(max_size=9))
def test_how_many_spaces_stand_at_a_place(before: bytes, blanks: int, after: bytes) -> None:
    text = before + b" " * blanks + after
    rest = text[len(before) :]
    found = blanks_at(np.frombuffer(text + b"  ", np.uint8), len(before), len(text))  # what is behind is not looked at
    assert found == len(rest) - len(rest.lstrip(b" "))
