"""The bytes that each token stands for: where tokens lie in a text, without asking the encoder.

The encoder's own offsets cost as much again as half of the encoding once they are Python's. Bytes need no trust in a
table: tokens whose bytes joined are the text's bytes lie where their lengths say.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["token_bytes"]

_BYTE = re.compile("<0x([0-9A-F]{2})>")


def token_bytes(encoder: Tokenizer) -> list[bytes]:
    """Of every id, for byte-level vocabularies and those of SentencePiece; other tokens are taken as they are written.

    Args:
        encoder: with all its added tokens.
    """
    vocabulary = encoder.get_vocab(with_added_tokens=True)
    added = {token.content for token in encoder.get_added_tokens_decoder().values()}
    found = [b""] * (max(vocabulary.values(), default=-1) + 1)
    level = '"ByteLevel"' in repr(encoder.pre_tokenizer.__getstate__()) if encoder.pre_tokenizer else False
    for token, number in vocabulary.items():
        if token in added:
            found[number] = token.encode()
        elif level:
            found[number] = _of_level(token)
        else:
            byte = _BYTE.fullmatch(token)
            found[number] = bytes([int(byte[1], 16)]) if byte else token.replace("▁", " ").encode()
    return found


def _of_level(token: str) -> bytes:
    known = _level()
    return bytes(known[one] for one in token) if all(one in known for one in token) else token.encode()


@cache
def _level() -> dict[str, int]:
    """GPT-2's characters for bytes: the printable ones of Latin-1 for themselves, those from U+0100 for the others."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(0x100 + place): byte for place, byte in enumerate(others)}
