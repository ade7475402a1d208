"""datatrove's filters, with the words of our choice, and our signals read by their rules."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import pytest

pytest.importorskip("datatrove", reason="datatrove (extra `bench`) is not installed")

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)
from datatrove.pipeline.filters.base_filter import BaseFilter

__all__ = ["LIMITS", "OUTCOMES", "Limit", "lines_kept", "outcome", "with_words"]

_TOP = ((2, 0.2), (3, 0.18), (4, 0.16))
_DUPLICATE = ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
_MODULES = (fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter)


@contextmanager
def with_words(words: Callable[[str], list[str]]) -> Iterator[None]:
    """Let datatrove's filters split a text into `words`, in place of spaCy's tokens."""
    patches = [patch.object(module, "split_into_words", lambda text, _language: words(text)) for module in _MODULES]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def outcome(rule: BaseFilter, text: str) -> str:
    """`kept`, or datatrove's reason."""
    result = rule.filter(Document(text=text, id=""))
    return "kept" if result is True else str(result[1])


def lines_kept(rule: C4QualityFilter, text: str) -> int | None:
    """How many filled lines the filter leaves of a text; None if it drops the text."""
    document = Document(text=text, id="")
    if rule.filter(document) is not True:
        return None
    return sum(1 for line in document.text.split("\n") if line.strip())


@dataclass(frozen=True)
class Limit:
    """One number of datatrove's, which it only compares with a bound.

    Attributes:
        signal: Our name for it.
        usual: datatrove's own bound.
        rule: The filter with this bound, and no other.
        largest: The bound is the largest value that is kept; else the smallest.
    """

    signal: str
    usual: float
    rule: Callable[[float], BaseFilter]
    largest: bool = True

    def is_value(self, text: str, value: float) -> bool:
        """Whether datatrove's number is `value`, to the last bit: kept at that bound, dropped at the next one.

        A bound of 0 switches datatrove's rules off, so that the smallest number above it has to do.
        """
        least = math.ulp(0.0)
        if self.largest:
            kept = self.keeps(max(value, least), text)
            return kept and (value == 0 or not self.keeps(math.nextafter(value, -math.inf) or least, text))
        above = not self.keeps(math.nextafter(value, math.inf), text)
        return above and (value == 0 or self.keeps(value, text))

    def passes(self, value: float) -> bool:
        """Whether a text with our number passes datatrove's own bound."""
        return value <= self.usual if self.largest else value >= self.usual

    def keeps(self, bound: float, text: str) -> bool:
        """Whether a text is kept with this bound."""
        return outcome(self.rule(bound), text) == "kept"


def _gopher(name: str) -> Callable[[float], BaseFilter]:
    off = dict.fromkeys(
        (
            "min_doc_words",
            "max_doc_words",
            "min_avg_word_length",
            "max_avg_word_length",
            "max_symbol_word_ratio",
            "max_bullet_lines_ratio",
            "max_ellipsis_lines_ratio",
            "max_non_alpha_words_ratio",
            "min_stop_words",
        )
    )
    return lambda bound: GopherQualityFilter(**(off | {name: bound}))


def _repetition(name: str, size: int = 0) -> Callable[[float], BaseFilter]:
    off = dict.fromkeys(("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac"))
    return lambda bound: GopherRepetitionFilter(
        **(off | {"top_n_grams": (), "dup_n_grams": ()} | {name: ((size, bound),) if size else bound})
    )


def _fineweb(name: str) -> Callable[[float], BaseFilter]:
    off = {
        "line_punct_thr": 0.0,
        "short_line_thr": math.inf,
        "char_duplicates_ratio": math.inf,
        "new_line_ratio": math.inf,
    }
    return lambda bound: FineWebQualityFilter(**(off | {name: bound}))


LIMITS = (
    Limit("nonsymbol_word_count", 50, _gopher("min_doc_words"), largest=False),
    Limit("nonsymbol_word_count", 100_000, _gopher("max_doc_words")),
    Limit("mean_nonsymbol_word_length", 3, _gopher("min_avg_word_length"), largest=False),
    Limit("mean_nonsymbol_word_length", 10, _gopher("max_avg_word_length")),
    Limit("bullet_line_share_datatrove", 0.9, _gopher("max_bullet_lines_ratio")),
    Limit("ellipsis_line_share_datatrove", 0.3, _gopher("max_ellipsis_lines_ratio")),
    Limit("alphabetic_word_share", 0.8, _gopher("max_non_alpha_words_ratio"), largest=False),
    Limit("distinct_stop_word_count", 2, _gopher("min_stop_words"), largest=False),
    Limit("duplicate_line_share_datatrove", 0.3, _repetition("dup_line_frac")),
    Limit("duplicate_line_char_share_datatrove", 0.2, _repetition("dup_line_char_frac")),
    Limit("duplicate_paragraph_share_datatrove", 0.3, _repetition("dup_para_frac")),
    Limit("duplicate_paragraph_char_share_datatrove", 0.2, _repetition("dup_para_char_frac")),
    *(Limit(f"top_{n}gram_ratio_datatrove", bound, _repetition("top_n_grams", n)) for n, bound in _TOP),
    *(Limit(f"duplicate_{n}gram_share_datatrove", bound, _repetition("dup_n_grams", n)) for n, bound in _DUPLICATE),
    Limit("marked_line_share_fineweb", 0.12, _fineweb("line_punct_thr"), largest=False),
    Limit("short_line_share_fineweb", 0.67, _fineweb("short_line_thr")),
    Limit("duplicate_line_char_share_fineweb", 0.01, _fineweb("char_duplicates_ratio")),
    Limit("newline_word_ratio_fineweb", 0.3, _fineweb("new_line_ratio")),
)
"""Every number of datatrove's three filters but the symbol ratio, of which it compares two with one bound."""

_Row = dict[str, float]
_Test = tuple[str, Callable[[_Row], bool]]

_GOPHER: tuple[_Test, ...] = (
    ("gopher_short_doc", lambda row: row["nonsymbol_word_count"] < 50),
    ("gopher_long_doc", lambda row: row["nonsymbol_word_count"] > 100_000),
    ("gopher_below_avg_threshold", lambda row: row["mean_nonsymbol_word_length"] < 3),
    ("gopher_above_avg_threshold", lambda row: row["mean_nonsymbol_word_length"] > 10),
    ("gopher_too_many_hashes", lambda row: row["hash_word_ratio_datatrove"] > 0.1),
    ("gopher_too_many_ellipsis", lambda row: row["ellipsis_word_ratio_datatrove"] > 0.1),
    ("gopher_too_many_bullets", lambda row: row["bullet_line_share_datatrove"] > 0.9),
    ("gopher_too_many_end_ellipsis", lambda row: row["ellipsis_line_share_datatrove"] > 0.3),
    ("gopher_below_alpha_threshold", lambda row: row["alphabetic_word_share"] < 0.8),
    ("gopher_enough_stop_words", lambda row: row["distinct_stop_word_count"] < 2),
)


def _above(signal: str, bound: float) -> Callable[[_Row], bool]:
    return lambda row: row[signal] > bound


_REPETITION: tuple[_Test, ...] = (
    ("dup_para_frac", _above("duplicate_paragraph_share_datatrove", 0.3)),
    ("dup_para_char_frac", _above("duplicate_paragraph_char_share_datatrove", 0.2)),
    ("dup_line_frac", _above("duplicate_line_share_datatrove", 0.3)),
    ("dup_line_char_frac", _above("duplicate_line_char_share_datatrove", 0.2)),
    *((f"top_{n}_gram", _above(f"top_{n}gram_ratio_datatrove", bound)) for n, bound in _TOP),
    *((f"duplicated_{n}_n_grams", _above(f"duplicate_{n}gram_share_datatrove", bound)) for n, bound in _DUPLICATE),
)
_FINEWEB: tuple[_Test, ...] = (
    ("line_punct_ratio", lambda row: row["marked_line_share_fineweb"] < 0.12),
    ("short_line_ratio", _above("short_line_share_fineweb", 0.67)),
    ("char_dup_ratio", _above("duplicate_line_char_share_fineweb", 0.01)),
    ("list_ratio", _above("newline_word_ratio_fineweb", 0.3)),
)


def _first(tests: tuple[_Test, ...]) -> Callable[[_Row], str]:
    return lambda row: next((reason for reason, fails in tests if fails(row)), "kept")


OUTCOMES: dict[str, tuple[Callable[[], BaseFilter], Callable[[_Row], str]]] = {
    "Gopher quality": (GopherQualityFilter, _first(_GOPHER)),
    "Gopher repetition": (GopherRepetitionFilter, _first(_REPETITION)),
    "FineWeb": (FineWebQualityFilter, _first(_FINEWEB)),
}
"""datatrove's filters as they come, and the same outcome from our signals of a row."""
