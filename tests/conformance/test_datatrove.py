"""datatrove's own filters and our signals, row by row on real text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.conformance.peer import LIMITS, OUTCOMES, Limit, lines_kept, outcome, with_words
from tests.conformance.texts import english, languages, rows_of
from tests.conformance.words import unspaced, words

datatrove = pytest.importorskip("datatrove.pipeline.filters", reason="datatrove (extra `bench`) is not installed")

PARTED_WORDS = ("gram_", "nonsymbol_word_length")
"""Numbers that differ by design where words stand side by side without a space between them."""


@pytest.fixture(scope="module", autouse=True)
def same_words() -> Iterator[None]:
    with with_words(words):
        yield


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: f"{limit.signal}-{'most' if limit.largest else 'least'}")
def test_every_number_is_datatroves(limit: Limit) -> None:
    """To the last bit, for every row, on the same words."""
    checked = 0
    for text, row in zip(texts := english() + languages(), rows_of(texts), strict=True):
        if unspaced(text) and any(part in limit.signal for part in PARTED_WORDS):
            continue
        assert limit.is_value(text, row[limit.signal]), (limit.signal, text[:60])
        checked += 1
    assert checked >= 300


def test_both_symbol_ratios_are_datatroves() -> None:
    """datatrove compares the larger of two ratios with one bound."""
    for text, row in zip(texts := english() + languages(), rows_of(texts), strict=True):
        assert row["hash_word_ratio_datatrove"] == text.count("#") / len(words(text))
        assert row["ellipsis_word_ratio_datatrove"] == (text.count("...") + text.count("…")) / len(words(text))


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_outcome_is_datatroves(name: str) -> None:
    """Kept or dropped, and for which reason, at datatrove's own bounds."""
    build, ours = OUTCOMES[name]
    rule = build()
    outcomes = set()
    for text, row in zip(texts := english() + languages(), rows_of(texts), strict=True):
        if unspaced(text):
            continue
        theirs = outcome(rule, text)
        assert ours(row) == theirs, text[:60]
        outcomes.add(theirs)
    assert len(outcomes) >= 4  # the rules were put to use


OFF = {
    "remove_citations": False,
    "filter_no_terminal_punct": False,
    "min_num_sentences": -1,
    "min_words_per_line": -1,
    "max_word_length": -1,
    "filter_lorem_ipsum": False,
    "filter_javascript": False,
    "filter_curly_bracket": False,
    "filter_policy": False,
}
LINE_RULES = {
    "unmarked_line_share_c4": {"filter_no_terminal_punct": True},
    "few_word_line_share_c4": {"min_words_per_line": 3},
    "javascript_line_share_c4": {"filter_javascript": True},
    "policy_line_share_c4": {"filter_policy": True},
}
OTHER_BREAKS = re.compile("\r(?!\n)|[\v\f\x1c-\x1e\x85\u2028\u2029]")
"""Where `str.splitlines` ends a line and `split("\\n")` does not."""


@pytest.mark.parametrize("signal", LINE_RULES)
def test_c4_removes_the_lines_that_we_count(signal: str) -> None:
    rule = datatrove.C4QualityFilter(**(OFF | LINE_RULES[signal]))
    removed = 0
    for text, row in zip(texts := english() + languages() + POLICIES, rows_of(texts), strict=True):
        if OTHER_BREAKS.search(text) or (unspaced(text) and signal == "few_word_line_share_c4"):
            continue
        lines = row["filled_line_count"]
        kept = lines_kept(rule, text)
        assert kept is not None
        assert row[signal] == (lines - kept) / lines, text[:60]
        removed += int(lines - kept)
    assert removed >= 3


@pytest.mark.parametrize(
    ("signal", "switch"), [("lorem_ipsum_count", "filter_lorem_ipsum"), ("curly_bracket_count", "filter_curly_bracket")]
)
def test_c4_drops_the_texts_that_we_would(signal: str, switch: str) -> None:
    rule = datatrove.C4QualityFilter(**(OFF | {switch: True}))
    dropped = 0
    texts = english() + languages() + POLICIES
    for text, row in zip(texts, rows_of(texts), strict=True):
        assert (lines_kept(rule, text) is None) == (row[signal] > 0), text[:60]
        dropped += row[signal] > 0
    assert dropped >= 1


POLICIES = (
    "Read our Terms of Use.\nSee the PRIVACY POLICY, and the\ncookie policy. It uses cookies.\nWe use cookies\nNo.",
    "JavaScript is off.\nTurn javascript on\nplease",
    "Lorem ipsum dolor\nsit amet",
)
"""What the real text has little of."""


def test_where_a_line_ends_is_the_one_difference_of_line_rules() -> None:
    """C4 takes `str.splitlines`; ours end at line feeds alone, but for the bullets and ellipses of datatrove."""
    text = "One line here.\x0cno end mark"
    rule = datatrove.C4QualityFilter(**(OFF | LINE_RULES["unmarked_line_share_c4"]))
    assert lines_kept(rule, text) == 1
    assert rows_of((text,))[0]["unmarked_line_share_c4"] == 1.0
    assert rows_of((text.replace("\x0c", "\n"),))[0]["unmarked_line_share_c4"] == 0.5


def test_citations_are_not_taken_out() -> None:
    """C4 removes `[1]` before it looks for an end mark."""
    text = "It is so.[1]"
    rule = datatrove.C4QualityFilter(**(OFF | {"remove_citations": True} | LINE_RULES["unmarked_line_share_c4"]))
    assert lines_kept(rule, text) == 1
    assert rows_of((text,))[0]["unmarked_line_share_c4"] == 1.0
