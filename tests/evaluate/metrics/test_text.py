"""Properties: a copy scores 1 in any script, and the numbers are the papers'."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluate.metrics.text import exact_match, f1, rouge_l

texts = st.text(min_size=1, max_size=60).filter(lambda text: bool(text.strip()))


@settings(max_examples=100, deadline=None)
@given(texts)
def test_a_copy_scores_one_in_any_script(text: str) -> None:
    assert (exact_match(text, text), f1(text, text), rouge_l(text, text)) == (1.0, 1.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(texts, texts)
def test_scores_lie_in_the_unit_interval_and_are_symmetric(a: str, b: str) -> None:
    assert exact_match(a, b) == float(a.strip() == b.strip())
    for measure in (f1, rouge_l):
        assert 0.0 <= measure(a, b) <= 1.0
        assert measure(a, b) == pytest.approx(measure(b, a))


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        # Lin 2004, section 3.1: S1 is the reference; LCS 3 of 4 words, and 2 of 4.
        ("police kill the gunman", "police killed the gunman", 3 / 4),
        ("the gunman kill police", "police killed the gunman", 2 / 4),
        ("", "police killed the gunman", 0.0),
        ("Приве́т мир", "привет, мир", None),
    ],
)
def test_rouge_l_of_known_pairs(prediction: str, reference: str, expected: float | None) -> None:
    value = rouge_l(prediction, reference)
    assert value == pytest.approx(expected) if expected is not None else 0 < value < 1


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [("The cat sat.", "a cat sat", 1.0), ("cat", "the cat sat", 2 / 3), ("dog", "cat", 0.0), ("", "cat", 0.0)],
)
def test_f1_has_squad_s_normal_form(prediction: str, reference: str, expected: float) -> None:
    assert f1(prediction, reference) == pytest.approx(expected)


def test_long_texts_are_scored_by_their_beginning() -> None:
    words = " ".join(f"w{n}" for n in range(3000))
    assert rouge_l(words, words + " and more") == 1.0
    megabytes = "word " * 1_000_000
    assert 0 <= rouge_l(megabytes, "word") <= 1
    assert 0 <= f1(megabytes, "word") <= 1
