"""Fingerprints of 128 bits, in hex: BLAKE3 of what files hold, BLAKE2b of what is short.

BLAKE3 (https://github.com/BLAKE3-team/BLAKE3-specs) reads files at several GB/s a core, where BLAKE2b takes as long as
reading the lines does. Samples are drawn by the fingerprints of short values, and `hashlib` suffices for these.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from blake3 import blake3

__all__ = ["Content", "of_bytes", "of_file", "of_value"]

_BLOCK = 1 << 20
_SIZE = 16


class Content:
    """The fingerprint of a file that is read piece by piece."""

    def __init__(self) -> None:
        self._digest = blake3()

    def update(self, data: bytes) -> None:
        """Go on with the next bytes; other Python threads run meanwhile."""
        self._digest.update(data)

    def hexdigest(self) -> str:
        """The fingerprint of all bytes so far."""
        return self._digest.hexdigest(length=_SIZE)


def of_bytes(data: bytes) -> str:
    """Fingerprint bytes."""
    return hashlib.blake2b(data, digest_size=_SIZE).hexdigest()


def of_file(path: Path) -> str:
    """Fingerprint a file's content."""
    content = Content()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            content.update(block)
    return content.hexdigest()


def of_value(value: Any) -> str:
    """Fingerprint a JSON value; the order of keys does not matter."""
    return of_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
