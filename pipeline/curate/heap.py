"""What the C library keeps of freed memory while the slices of a part are worked on."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

__all__ = ["given_back", "kept"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of `mallopt`, from malloc.h
_KEPT, _LARGE = 256 << 20, 32 << 20
"""Bytes: what a heap keeps at most, and from where on an array is none of a heap's, and goes back when it is freed."""
_DEFAULT = 128 << 10


@contextmanager
def kept() -> Iterator[None]:
    """Keep freed memory for the next arrays while the block runs, and give it back to the system when it ends.

    Dask has workers give every array of more than 64 KiB back (`MALLOC_TRIM_THRESHOLD_`), and the next one waits for
    its pages again. Does nothing where the C library is not glibc.
    """
    _keep()
    try:
        yield
    finally:
        _give_back()


@contextmanager
def given_back() -> Iterator[None]:
    """Within `kept`: keep nothing while the block runs, of what is free before it neither."""
    _give_back()
    try:
        yield
    finally:
        _keep()


def _keep() -> None:
    if library := _glibc():
        library.mallopt(_TRIM_THRESHOLD, _KEPT)
        library.mallopt(_MMAP_THRESHOLD, _LARGE)


def _give_back() -> None:
    """As the process was begun; other threads' freed memory goes, too, which costs them a little time."""
    if library := _glibc():
        library.mallopt(_TRIM_THRESHOLD, _setting("MALLOC_TRIM_THRESHOLD_"))
        library.mallopt(_MMAP_THRESHOLD, _setting("MALLOC_MMAP_THRESHOLD_"))
        library.malloc_trim(0)


def _setting(variable: str) -> int:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() else _DEFAULT


@cache
def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
