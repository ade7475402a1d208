"""Classes of ASCII's characters, from how often each comes."""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64
from pipeline.text.measures import KEPT_CHARACTERS, PARENTHESES, SPACES
from pipeline.text.unicode_classes import ASCII, PARENTHESIS, SPACE

__all__ = ["add_ascii"]


@declare("int64(int64[::1], int64[::1])")
def add_ascii(counts: np.ndarray, measures: np.ndarray) -> int:
    """Add the characters of each class, from how often each of ASCII's comes that is no letter or digit; return all."""
    other = 0
    for code in range(128):
        count = counts[code]
        flags = int64(ASCII[code])
        other += count
        measures[SPACES] += count if flags & SPACE else 0
        measures[PARENTHESES] += count if flags & PARENTHESIS else 0
        # NeMo Curator's class is [a-zA-Z0-9\n?!,.]
        kept = code == 10 or code == 63 or code == 33 or code == 44 or code == 46
        measures[KEPT_CHARACTERS] += count if kept else 0
    return other
