"""Fingerprints of files are BLAKE3's first 128 bits, however a file is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import fingerprint

# So many of the bytes 0, 1, … 250, 0, …: https://github.com/BLAKE3-team/BLAKE3/blob/master/test_vectors/test_vectors.json
VECTORS = {
    0: "af1349b9f5f9a1a6a0404dea36dcc949",
    1: "2d3adedff11b61f14c886e35afa03673",
    1024: "42214739f095a406f3fc83deb889744a",
    102400: "bc3e3d41a1146b069abffad3c0d44860",
}


@pytest.mark.parametrize(("size", "wanted"), VECTORS.items())
def test_a_file_has_the_published_fingerprint(tmp_path: Path, size: int, wanted: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(number % 251 for number in range(size)))
    assert fingerprint.of_file(path) == wanted


@given(st.lists(st.binary(max_size=3000), max_size=9))
def test_where_pieces_end_does_not_matter(pieces: list[bytes]) -> None:
    content, whole = fingerprint.Content(), fingerprint.Content()
    for piece in pieces:
        content.update(piece)
    whole.update(b"".join(pieces))
    assert content.hexdigest() == whole.hexdigest()
