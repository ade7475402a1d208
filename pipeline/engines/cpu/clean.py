"""Texts cleaned."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines import CLEANERS
from pipeline.engines.cpu.names import known
from pipeline.engines.cpu.rewrite import Rewrite, rewrite, where

__all__ = ["clean"]


def clean(contents: pa.LargeStringArray, cleaners: Sequence[str]) -> pa.LargeStringArray:
    """Clean every text.

    Args:
        contents: n texts.
        cleaners: Of `CLEANERS`. They run in the order of `CLEANERS` however they are listed, the only one in which
            cleaning what is clean changes nothing.

    Returns:
        n texts.

    Raises:
        ValueError: A cleaner is unknown.
    """
    known(cleaners, CLEANERS, "cleaner")
    for cleaner in CLEANERS:
        if cleaner not in cleaners:
            continue
        if cleaner == "unicode":
            contents = where(
                rewrite(Rewrite.CONTROLS, contents), 0xCC, lambda rows: pc.utf8_normalize(rows, form="NFC")
            )
        else:
            contents = rewrite(Rewrite.NEWLINES if cleaner == "newlines" else Rewrite.WHITESPACE, contents)
    return contents
