"""What a GPU moves from one place of its memory to another, in pieces of bounded size: no long row holds the rest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["PIECE", "Pieces", "pieces_of"]

PIECE = 4 << 10
"""Values of a piece at most."""


class Pieces(NamedTuple):
    """Pieces of rows.

    Attributes:
        starts: int64 (m), where each begins in the source.
        places: int64 (m), where it goes to in the target.
        lengths: int64 (m), its values, 1 to `PIECE`.
    """

    starts: np.ndarray
    places: np.ndarray
    lengths: np.ndarray


def pieces_of(starts: np.ndarray, places: np.ndarray, lengths: np.ndarray) -> Pieces:
    """Cut rows into pieces; rows that follow each other in both the source and the target are taken as one.

    Args:
        starts: int64 (n), where each row begins in the source.
        places: int64 (n), where it goes to in the target.
        lengths: int64 (n), its values.
    """
    some = lengths > 0
    starts, places, lengths = starts[some], places[some], lengths[some]
    if not len(lengths):
        return Pieces(starts, places, lengths)
    fresh = np.ones(len(lengths), np.bool_)
    fresh[1:] = (starts[1:] != (starts + lengths)[:-1]) | (places[1:] != (places + lengths)[:-1])
    begins = np.flatnonzero(fresh)
    starts, places, lengths = starts[begins], places[begins], np.add.reduceat(lengths, begins)
    counts = -(-lengths // PIECE)
    run = np.repeat(np.arange(len(lengths)), counts)
    offsets = PIECE * (np.arange(len(run)) - (np.cumsum(counts) - counts)[run])
    return Pieces(starts[run] + offsets, places[run] + offsets, np.minimum(PIECE, lengths[run] - offsets))
