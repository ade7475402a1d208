"""Unicode's normalisation forms of text columns, in memory that does not grow with the longest text."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines.columns import TextColumn, from_arrow, to_arrow

__all__ = ["normal_form"]

PIECE = 1 << 20
"""Bytes of a text that are normalised at once, about: the library takes four bytes for every character of a piece."""


def normal_form(texts: pa.LargeStringArray, form: Literal["NFC", "NFKC"]) -> pa.LargeStringArray:
    """Bring every text into a normalisation form.

    A long text is cut before ASCII characters. Each begins a text of its own for normalisation: none is reordered or
    composed with what stands before it (UAX 15, section 9.1), so the pieces' forms together are the text's form.

    Args:
        texts: n texts.
        form: Composed, by canonical or by compatibility equivalence.

    Returns:
        n texts.
    """
    column = from_arrow(texts)
    cuts = _cuts(column)
    pieces = from_arrow(pc.utf8_normalize(to_arrow(column.buffer, cuts), form=form))
    # The pieces of a text lie one behind the other already.
    return to_arrow(pieces.buffer, pieces.bounds[np.searchsorted(cuts, column.bounds)])


def _cuts(column: TextColumn) -> np.ndarray:
    """All bounds of the texts, and where long ones are cut: int64, ascending, each once."""
    cuts = []
    for row in np.flatnonzero(np.diff(column.bounds) > PIECE):
        at, end = int(column.bounds[row]) + PIECE, int(column.bounds[row + 1])
        while at < end:
            ascii_here = column.buffer[at : min(at + PIECE, end)] < 0x80
            if ascii_here.any():
                at += int(ascii_here.argmax())
                cuts.append(at)
            at += PIECE
    return np.union1d(column.bounds, np.array(cuts, np.int64))
