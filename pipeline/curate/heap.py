"""What the C library keeps of freed memory while the slices of a part are worked on."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["kept_for_the_next"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of `mallopt`, from malloc.h
_KEPT, _LARGE = 64 << 20, 32 << 20
"""Bytes: what a heap keeps at most, and from where on an array is none of a heap's, and goes back when it is freed."""
_DEFAULT = 128 << 10


@contextmanager
def kept_for_the_next() -> Iterator[None]:
    """Keep freed memory while the block runs, and give it back to the system when it ends.

    Dask has workers give every array of more than 64 KiB back (`MALLOC_TRIM_THRESHOLD_`), and the next slice of a part
    waits for its pages again: 2 of 23 ms for a megabyte of pass one. Does nothing where the C library is not glibc.
    """
    library = _glibc()
    if library is None:
        yield
        return
    library.mallopt(_TRIM_THRESHOLD, _KEPT)
    library.mallopt(_MMAP_THRESHOLD, _LARGE)
    try:
        yield
    finally:
        # What other threads of the worker still keep for their own parts goes, too: that costs them a little time.
        library.mallopt(_TRIM_THRESHOLD, _setting("MALLOC_TRIM_THRESHOLD_"))
        library.mallopt(_MMAP_THRESHOLD, _setting("MALLOC_MMAP_THRESHOLD_"))
        library.malloc_trim(0)


def _setting(variable: str) -> int:
    """What the process was started with."""
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else _DEFAULT


@cache
def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
