"""Digests are MurmurHash3_x64_128 of the normal form."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from tests.text.columns import HOSTILE, column

MASK = 2**64 - 1


def reference(data: bytes) -> bytes:
    """MurmurHash3_x64_128 after Appleby's C++, with his own treatment of the tail."""

    def rotate(x: int, r: int) -> int:
        return (x << r | x >> 64 - r) & MASK

    def final(k: int) -> int:
        k = (k ^ k >> 33) * 0xFF51AFD7ED558CCD & MASK
        k = (k ^ k >> 33) * 0xC4CEB9FE1A85EC53 & MASK
        return k ^ k >> 33

    c1, c2 = 0x87C37B91114253D5, 0x4CF5AD432745937F
    h1 = h2 = 0
    blocks = len(data) // 16
    for block in range(blocks):
        k1 = int.from_bytes(data[16 * block : 16 * block + 8], "little")
        k2 = int.from_bytes(data[16 * block + 8 : 16 * block + 16], "little")
        h1 ^= rotate(k1 * c1 & MASK, 31) * c2 & MASK
        h1 = ((rotate(h1, 27) + h2) * 5 + 0x52DCE729) & MASK
        h2 ^= rotate(k2 * c2 & MASK, 33) * c1 & MASK
        h2 = ((rotate(h2, 31) + h1) * 5 + 0x38495AB5) & MASK
    tail = data[16 * blocks :]
    if len(tail) > 8:
        h2 ^= rotate(int.from_bytes(tail[8:], "little") * c2 & MASK, 33) * c1 & MASK
    if tail:
        h1 ^= rotate(int.from_bytes(tail[:8], "little") * c1 & MASK, 31) * c2 & MASK
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = (h1 + h2) & MASK
    h2 = (h2 + h1) & MASK
    h1, h2 = final(h1), final(h2)
    h1 = (h1 + h2) & MASK
    h2 = (h2 + h1) & MASK
    return h1.to_bytes(8, "little") + h2.to_bytes(8, "little")


def digest(text: str) -> bytes:
    return cpu.digest(column([text]), normalised=True)[0].tobytes()


@pytest.mark.parametrize(
    ("text", "expected"),  # Guava's tests of murmur3_128
    [
        ("", "00000000000000000000000000000000"),
        ("The quick brown fox jumps over the lazy dog", "6c1b07bc7bbc4be347939ac4a93c437a"),
        ("The quick brown fox jumps over the lazy cog", "9a2685ff70a98c653e5c8ea6eae3fe43"),
    ],
)
def test_known_vectors(text: str, expected: str) -> None:
    assert digest(text).hex() == expected


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_equals_the_reference(text: str) -> None:
    assert digest(text) == reference(text.encode())


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("Hello  World\n", "hello world"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("Straße\u00a0Ä", "straße ä"),
        ("ÉCOLE", "e\u0301cole"),
    ],
)
def test_texts_of_one_normal_form_have_one_digest(a: str, b: str) -> None:
    digests = cpu.digest(column([a, b]))
    assert digests.shape == (2, 16)
    assert digests.dtype == "uint8"
    assert digests[0].tobytes() == digests[1].tobytes()


@settings(max_examples=200, deadline=None)
@given(HOSTILE)
def test_the_normal_form_has_single_spaces_and_no_capitals(text: str) -> None:
    normal = cpu.normalise(column([text])).to_pylist()[0]
    assert normal == " ".join(normal.split())
    assert not any("A" <= c <= "Z" for c in normal)
    assert cpu.normalise(column([" " + text.replace(" ", "\t \n") + "\n"])).to_pylist()[0] == normal
