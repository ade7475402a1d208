"""What redaction takes besides texts, and what it gives."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from pipeline.engines.spans import Spans

__all__ = ["Finder", "Redaction"]


class Finder(Protocol):
    """Finds what the kernels do not, names for one."""

    @property
    def names(self) -> tuple[str, ...]:
        """Further entities; in spans they are numbered after those of `ENTITIES`."""

    def __call__(self, texts: pa.LargeStringArray) -> Spans:
        """Find them in every text; half surrogate pairs of JSON strings may stand in it as bytes that are no UTF-8."""


class Redaction(NamedTuple):
    """Texts after redaction.

    Attributes:
        texts: n texts; one that is not settled is `""`, so that nothing personal is passed on.
        counts: int64 (n, k), the replacements in each, in the order of `ENTITIES` and a finder's further names.
        settled: bool (n), false where something was still found after the last round.
    """

    texts: pa.LargeStringArray
    counts: np.ndarray
    settled: np.ndarray
