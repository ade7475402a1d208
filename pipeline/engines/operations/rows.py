"""Rows of text columns taken and put: by Arrow on the host, and the copies that an engine keeps elsewhere follow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines.columns import from_arrow
from pipeline.engines.launch import launcher

__all__ = ["filter_rows", "put_rows", "take_rows"]


def take_rows(texts: pa.LargeStringArray, rows: np.ndarray) -> pa.LargeStringArray:
    """Return the texts of some rows (int64)."""
    taken = texts.take(pa.array(rows))
    if launcher().parallel:
        launcher().follow(from_arrow(taken), [from_arrow(texts)], rows)
    return taken


def filter_rows(texts: pa.LargeStringArray, chosen: np.ndarray) -> pa.LargeStringArray:
    """Return the texts that are chosen (bool); the same column where they are all."""
    if chosen.all():
        return texts
    kept = texts.filter(pa.array(chosen))
    if launcher().parallel:
        launcher().follow(from_arrow(kept), [from_arrow(texts)], np.flatnonzero(chosen))
    return kept


def put_rows(
    texts: pa.LargeStringArray, chosen: np.ndarray, new: pa.LargeStringArray, *, certain: bool
) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Put new texts in the place of the chosen ones.

    Args:
        texts: n texts.
        chosen: bool (n), m of them true.
        new: m texts.
        certain: They are known to differ from the old ones.

    Returns:
        n texts, and which ones are not what they were: bool (n).
    """
    mask = None if chosen.all() else pa.array(chosen)
    changed = chosen
    if not certain:
        old = texts if mask is None else texts.filter(mask)
        changed = chosen.copy()
        changed[chosen] = pc.not_equal(old, new).to_numpy(zero_copy_only=False)
        if not changed.any():
            return texts, changed
    result = new if mask is None else pc.replace_with_mask(texts, mask, new)
    if launcher().parallel and result is not new:
        places = np.arange(len(texts))
        places[chosen] = len(texts) + np.arange(len(new))
        launcher().follow(from_arrow(result), [from_arrow(texts), from_arrow(new)], places)
    return result, changed
