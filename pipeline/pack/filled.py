"""Tokens of rows from what differs between them: texts of many rows are encoded as one, with borders between them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from pipeline.pack.encoder import with_border
from pipeline.pack.outline import Outline
from pipeline.pack.piece import Encoded
from pipeline.pack.token_bytes import token_bytes

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

__all__ = ["Filled", "Unproved"]

_CHARACTERS = 1024
"""Of texts that are encoded as one, or a little more: the encoder's memory for longer ones leaves the caches."""


class Unproved(Exception):
    """Tokens of some rows are not the bytes of their text."""

    def __init__(self, rows: set[int]) -> None:
        self.rows = rows


class Filled:
    """Encodes outlines that are filled in.

    Args:
        tokenizer: of the rows.
        border: a character that none of its tokens holds.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, border: str) -> None:
        self._tokenizer = tokenizer
        self._border = border

    def encode(self, outlines: Sequence[Outline], filled: Sequence[list[str]]) -> Encoded:
        """Rows from what differs between them.

        Raises:
            Unproved: what is learnt of some rows, or may be cut, cannot be told.
        """
        if not outlines:
            none = np.empty(0, np.int64)
            return Encoded(none.astype(np.uint32), none.astype(np.bool_), none, [])
        encoder, border = self._encoder
        texts = ["".join(parts) + self._border for parts in filled]
        chunks: list[str] = []
        waiting: list[str] = []
        size = 0
        for text in texts:
            waiting.append(text)
            size += len(text)
            if size >= _CHARACTERS:
                chunks.append("".join(waiting))
                waiting, size = [], 0
        chunks.append("".join(waiting))
        flat = array("I")  # it takes lists several times as fast as NumPy
        for encoding in encoder.encode_batch_fast(chunks, add_special_tokens=False):
            flat.fromlist(encoding.ids)
        ids = np.array(flat, np.uint32)
        borders = np.flatnonzero(ids == border)
        sizes = np.concatenate([one.sizes for one in outlines])
        variable = sizes < 0
        sizes[variable] = np.diff(borders, prepend=-1) - 1
        tokens = np.empty(int(sizes.sum()), np.uint32)
        place = np.repeat(variable, sizes)
        tokens[place] = ids[ids != border]
        tokens[~place] = np.concatenate([one.constants for one in outlines])
        loss = np.repeat(np.concatenate([one.targets for one in outlines]), sizes)
        segments = np.array([len(one.sizes) for one in outlines], np.int64)
        total = np.concatenate([[0], np.cumsum(sizes)])
        ends = np.cumsum(segments)
        first = total[ends - segments]
        lengths = total[ends] - first
        cuts: list[list[int]] = [[] for _ in outlines]
        if any(one.inside for one in outlines):
            among = np.append(np.flatnonzero(place), 0)[np.cumsum(ids != border) - (ids != border)]  # all the tokens
            for row, begin, end, cut in self._inside(outlines, filled, texts, flat):
                if begin == end:
                    continue
                if cut:
                    cuts[row] += int(among[begin] - first[row]), int(among[end - 1] - first[row]) + 1
                else:
                    loss[among[begin] : among[end - 1] + 1] = True
        loss[first[lengths > 0]] = False
        return Encoded(tokens=tokens, loss=loss, lengths=lengths, cuts=cuts)

    def _inside(
        self, outlines: Sequence[Outline], filled: Sequence[list[str]], texts: Sequence[str], ids: array[int]
    ) -> Iterator[tuple[int, int, int, bool]]:
        """What is learnt inside texts, or may be cut: row, first and last of the encoded tokens, whether it is cut.

        Raises:
            Unproved: tokens are not the bytes of their text.
        """
        pieces = list(map(self._bytes.__getitem__, ids))
        data = list(map(str.encode, texts))
        if b"".join(pieces) != b"".join(data):
            raise Unproved(self._unproved(outlines, data, pieces, ids))
        ends = np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)))
        begins = np.concatenate([[0], ends[:-1]])
        rows, cuts, places = [], [], []
        base = 0
        for row, (outline, parts) in enumerate(zip(outlines, filled, strict=True)):
            if outline.inside:
                before = list(accumulate((len(text.encode()) for text in parts[1::2]), initial=base))
                for part in outline.inside:
                    rows.append(row)
                    cuts.append(part.cut)
                    places.append([fixed + before[rooms] for fixed, rooms in part[:2]])
            base += len(data[row])
        first, last = np.array(places, np.int64).T
        begin, end = np.searchsorted(begins, first), np.searchsorted(ends, last, side="right")
        yield from zip(rows, begin.tolist(), np.maximum(begin, end).tolist(), cuts, strict=True)

    def _unproved(
        self, outlines: Sequence[Outline], data: Sequence[bytes], pieces: Sequence[bytes], ids: array[int]
    ) -> set[int]:
        """The rows whose tokens are not the bytes of their text."""
        borders = np.flatnonzero(np.array(ids) == self._encoder[1])
        last = borders[np.cumsum([int((one.sizes < 0).sum()) for one in outlines]) - 1] + 1
        spans = zip([0, *last.tolist()], last.tolist(), data, strict=False)
        return {row for row, (a, b, own) in enumerate(spans) if b"".join(pieces[a:b]) != own}

    @cached_property
    def _encoder(self) -> tuple[Tokenizer, int]:
        return with_border(self._tokenizer, self._border)

    @cached_property
    def _bytes(self) -> list[bytes]:
        return token_bytes(self._encoder[0])
