"""`numpy.save` of a list of dictionaries, written one at a time: NeMo's packed `.npy` without holding it.

The file is numpy's header for an object array of shape (n,), then the array's pickle (protocol 2). The pickle is put
together here: the call that makes the array, its state with an empty list, and the items appended batch by batch.
Nothing in it is shared, so no part refers to another (`Pickler.fast`).
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["save_objects"]

_BATCH = 1000


def save_objects(path: Path, items: Iterable[Any], count: int) -> None:
    """Write `count` picklable `items` so that `numpy.load(path, allow_pickle=True)` gives them as an object array.

    Raises:
        ValueError: there are more or fewer items.
    """
    written = 0
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (count,)})
        file.write(pickle.PROTO + b"\x02")
        # numpy.core.multiarray: the name that every version of numpy reads, 2 and later through an alias.
        file.write(b"cnumpy.core.multiarray\n_reconstruct\n")
        file.write(_plain((np.ndarray, (0,), b"b")) + pickle.REDUCE)
        # The state: (version, shape, type, Fortran order, items).
        file.write(pickle.MARK + _plain(1) + _plain((count,)) + _plain(np.dtype(object)) + pickle.NEWFALSE)
        file.write(pickle.EMPTY_LIST)
        waiting = []
        for item in items:
            waiting.append(_plain(item))
            written += 1
            if len(waiting) == _BATCH:
                file.write(pickle.MARK + b"".join(waiting) + pickle.APPENDS)
                waiting = []
        if waiting:
            file.write(pickle.MARK + b"".join(waiting) + pickle.APPENDS)
        file.write(pickle.TUPLE + pickle.BUILD + pickle.STOP)
    if written != count:
        raise ValueError(f"{written} items, not {count}")


def _plain(value: Any) -> bytes:
    """The opcodes that push `value`, without the protocol before and the stop after them."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, protocol=2)
    pickler.fast = True
    pickler.dump(value)
    return buffer.getvalue()[2:-1]
