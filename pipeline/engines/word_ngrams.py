"""What the engines' operations on n-grams of words take and return."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["FoundNgrams", "NgramTable", "Ngrams", "WordPlaces"]


class Ngrams(NamedTuple):
    """The n-grams of n texts, in their order.

    Attributes:
        bounds: int64 (n + 1); those of text i are `hashes[bounds[i]:bounds[i + 1]]`.
        hashes: uint64 (m, 2).
    """

    bounds: np.ndarray
    hashes: np.ndarray


class NgramTable(NamedTuple):
    """N-grams to be looked up.

    Attributes:
        lengths: int64 (l), of how many words they are, ascending.
        first: uint64 (a power of two): the first hash of an n-gram at its slot (open addressing), or 0.
        second: uint64, the second hash at the same slot.
    """

    lengths: np.ndarray
    first: np.ndarray
    second: np.ndarray


class FoundNgrams(NamedTuple):
    """Where texts have n-grams of a table, in the order of the texts and of the words that the n-grams end with.

    Attributes:
        texts: int64 (m).
        slots: int64 (m), of the table.
        words: int64 (m), the number of the n-gram's first word in the text, from 0.
        lengths: int64 (m), how many words it has.
    """

    texts: np.ndarray
    slots: np.ndarray
    words: np.ndarray
    lengths: np.ndarray


class WordPlaces(NamedTuple):
    """The words of n texts.

    Attributes:
        bounds: int64 (n + 1); those of text i are at `bounds[i]:bounds[i + 1]`.
        starts: int64 (m), each word's first byte in the column's buffer.
        ends: int64 (m), the place after its last byte.
    """

    bounds: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
