"""Unicode's normalisation forms of text columns, in memory that does not grow with the longest text."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines.columns import TextColumn, from_arrow, places_of_both, to_arrow

__all__ = ["normal_form"]

PIECE = 1 << 20
"""Bytes of a text that are normalised at once, about: the library takes four bytes for every character of a piece."""

BLOCK = 256
"""Bytes of which it is asked whether all are ASCII, and stay as they are."""


def normal_form(texts: pa.LargeStringArray, form: Literal["NFC", "NFKC"]) -> pa.LargeStringArray:
    """Bring every text into a normalisation form.

    Texts are cut before ASCII characters. Each begins a text of its own for normalisation: none is reordered or
    composed with what stands before it (UAX 15, section 9.1), so the pieces' forms together are the text's form. Only
    pieces that hold other characters are given to the library, which is slow, and long ones are cut again.

    Args:
        texts: n texts.
        form: Composed, by canonical or by compatibility equivalence.

    Returns:
        n texts.
    """
    column = from_arrow(texts)
    edges = _edges(column)
    if not len(edges):
        return texts
    cuts = _shortened(column, places_of_both(column.bounds, edges))
    pieces = to_arrow(column.buffer, cuts)
    chosen = pa.array(np.searchsorted(edges, cuts[:-1], "right") % 2 == 1)
    pieces = pc.replace_with_mask(pieces, chosen, pc.utf8_normalize(pieces.filter(chosen), form=form))
    changed = from_arrow(pieces)
    # The pieces of a text lie one behind the other already.
    return to_arrow(changed.buffer, changed.bounds[np.searchsorted(cuts, column.bounds)])


def _edges(column: TextColumn) -> np.ndarray:
    """Where what is not all ASCII begins and ends, in turns: int64, ascending. Each edge is before an ASCII character.

    The first may be before the column's first byte, the last behind its last one.
    """
    first, last = int(column.bounds[0]), int(column.bounds[-1])
    blocks = np.zeros((last - first + BLOCK - 1) // BLOCK + 2, np.bool_)  # one more on either side, of nothing
    whole = (last - first) // BLOCK
    body = column.buffer[first : first + whole * BLOCK].reshape(whole, BLOCK)
    blocks[1 : whole + 1] = body.max(axis=1) >= 0x80 if whole else False
    blocks[whole + 1] = (column.buffer[first + whole * BLOCK : last] >= 0x80).any()
    turns = np.flatnonzero(blocks[1:] != blocks[:-1])
    edges = first + turns * BLOCK
    edges[::2] -= 1  # with the last character before, which may be composed with what follows
    return edges


def _shortened(column: TextColumn, cuts: np.ndarray) -> np.ndarray:
    """Cut long pieces again: int64, ascending, each once, from the column's first byte to its last."""
    cuts = cuts[(cuts >= column.bounds[0]) & (cuts <= column.bounds[-1])]
    more = []
    for piece in np.flatnonzero(np.diff(cuts) > PIECE):
        at, end = int(cuts[piece]) + PIECE, int(cuts[piece + 1])
        while at < end:
            ascii_here = column.buffer[at : min(at + PIECE, end)] < 0x80
            if ascii_here.any():
                at += int(ascii_here.argmax())
                more.append(at)
            at += PIECE
    return places_of_both(cuts, np.array(more, np.int64))
