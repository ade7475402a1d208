"""Pieces of a text, and the tokens of many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.pack.render import Span

__all__ = ["Encoded", "Piece", "within"]


class Piece(NamedTuple):
    """Text that is encoded by itself."""

    text: str
    target: bool
    literal: bool = False
    """Control tokens in it are text."""
    partly: tuple[Span, ...] = ()
    """Where `target` is False: characters that are targets nevertheless."""
    inner: bool = False
    """It goes on in a text: the blank that SentencePiece sets before a text's first word is not set."""
    cuts: tuple[tuple[int, int, int], ...] = ()
    """What may be cut first: number of the field, first and last character."""


class Encoded(NamedTuple):
    """Examples one after another."""

    tokens: NDArray[np.uint32]
    """Shape (T,)."""
    loss: NDArray[np.bool_]
    """Shape (T,); the first token of an example has nothing before it and is no target."""
    lengths: NDArray[np.int64]
    """Shape (rows,), summing to T."""
    cuts: list[list[int]]
    """Of each row: first and last token of each field that may be cut, one after another; tokens of the row."""


def within(offsets: Sequence[Span], spans: Sequence[Span]) -> NDArray[np.bool_]:
    """Whether all characters of each token lie in one of the spans; shape (tokens,)."""
    places: NDArray[np.int64] = np.array(offsets, dtype=np.int64).reshape(-1, 2)
    inside: NDArray[np.bool_] = np.zeros(len(places), np.bool_)
    for first, last in spans:
        inside |= (places[:, 0] >= first) & (places[:, 1] <= last) & (places[:, 0] < places[:, 1])
    return inside
