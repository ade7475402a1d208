"""Read a SentencePiece BPE model into a fast tokenizer, from the byte layout of its protobuf."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

_CONTROL = 3
"""`SentencePiece.Type.CONTROL`."""


def read_model(path: Path) -> PreTrainedTokenizerFast:
    """Pieces in their order are the ids; a merge is any cut of a piece in two pieces, the better score first."""
    pieces = list(_pieces(path.read_bytes()))
    ids = {piece: number for number, (piece, _, _) in enumerate(pieces)}
    score = {piece: value for piece, value, _ in pieces}
    merges = []
    for piece, number in ids.items():
        cuts = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        cuts = [cut for cut in cuts if cut[0] in ids and cut[1] in ids]
        merges += [(-score[piece], number, ids[left], ids[right], left, right) for left, right in cuts]
    core = Tokenizer(
        models.BPE(
            vocab=ids,
            merges=[(left, right) for *_, left, right in sorted(merges)],
            unk_token="<unk>",
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    core.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    core.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    core.add_special_tokens([AddedToken(piece, normalized=False) for piece, _, kind in pieces if kind == _CONTROL])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", unk_token="<unk>", clean_up_tokenization_spaces=False
    )


def _pieces(data: bytes) -> Iterator[tuple[str, float, int]]:
    """`ModelProto.pieces` (field 1): piece (1, string), score (2, float), type (3, enum; 1 where it is not there)."""
    for field, value in _fields(data):
        if field == 1 and isinstance(value, bytes):
            found = dict(_fields(value))
            text, score = found[1], found.get(2, b"\0\0\0\0")
            assert isinstance(text, bytes)
            assert isinstance(score, bytes)
            yield text.decode(), struct.unpack("<f", score)[0], int(found.get(3, 1))


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        size = 8 if kind == 1 else 4
        if kind == 2:
            size, at = _varint(data, at)
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
