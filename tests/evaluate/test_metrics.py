"""Properties: a copy scores 1, order never matters, references are found by id, and a broken scorer is caught."""

from __future__ import annotations

from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import StageError
from pipeline.evaluate import metrics
from pipeline.evaluate.metrics import check_controls, code_of, is_python, join, mean_scores, score

texts = st.text(min_size=1, max_size=60).filter(lambda text: bool(text.strip()))


@settings(max_examples=150, deadline=None)
@given(texts)
def test_a_copy_scores_one_in_any_script(text: str) -> None:
    one = score(text, text, python=False)
    assert (one.exact_match, one.rouge_l) == (1.0, 1.0)


@settings(max_examples=100, deadline=None)
@given(texts, texts)
def test_scores_lie_in_the_unit_interval_and_rouge_is_symmetric(a: str, b: str) -> None:
    forward, back = score(a, b, python=True), score(b, a, python=True)
    assert 0.0 <= forward.rouge_l <= 1.0
    assert forward.rouge_l == pytest.approx(back.rouge_l)
    assert forward.exact_match == float(a.strip() == b.strip())


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
    value = score(prediction, reference, python=False).rouge_l
    assert value == pytest.approx(expected) if expected is not None else 0 < value < 1


def test_long_texts_are_scored_by_their_first_words() -> None:
    words = " ".join(f"w{n}" for n in range(3000))
    assert score(words, words + " and more", python=False).rouge_l == 1.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x):\n    return x\n", True),
        ("import os", True),
        ("x = 1", True),
        ("print('hello')", True),
        ("Sure:\n```python\nx + 1\n```", True),
        ("Yes", False),
        ("pass", False),
        ("Answer: twelve", False),
        ("The function adds one.", False),
        ("module top;\nendmodule", False),
        ("", False),
    ],
)
def test_python_is_told_from_prose_that_happens_to_parse(text: str, expected: bool) -> None:
    assert is_python(text) is expected


def test_generated_code_that_breaks_the_parser_is_no_error() -> None:
    for text in ("(" * 5000, "x = '\x00'", "def f(:", "'\\d'"):
        assert score(text, "x = 1", python=True).parses in (0.0, 1.0)
    assert score("def f(:", "x = 1", python=True).parses == 0.0
    assert score("", "x = 1", python=True).parses == 0.0
    assert score("y = 2", "x = 1", python=True).parses == 1.0


def test_the_code_of_an_answer_is_its_fenced_part() -> None:
    assert code_of("Here:\n```python\nx = 1\n```\nDone.") == "x = 1\n"
    assert code_of("```\nx = 1") == "x = 1"  # cut off by max_new_tokens
    assert code_of("x = 1") == "x = 1"


def test_parses_is_averaged_over_code_rows_only() -> None:
    scores = [score("x = 1", "x = 1", python=True), score("x =", "y", python=False), score("x =", "y = 2", python=True)]
    assert mean_scores(scores)["parses"] == 0.5
    assert mean_scores([score("a", "b", python=False)])["parses"] is None
    assert mean_scores([]) == {"exact_match": None, "rouge_l": None, "parses": None}


def test_predictions_meet_their_references_by_id_whatever_the_order() -> None:
    references = {f"s/f#{n}": f"answer {n}" for n in range(20)}
    backwards = {key: references[key] for key in reversed(references)}
    joined = join(backwards, references)
    assert len(joined) == 20
    assert all(prediction == reference for _, prediction, reference in joined)


@pytest.mark.parametrize("gone", ["prediction", "reference"])
def test_a_row_without_its_other_half_fails(gone: str) -> None:
    whole, half = {"s/f#1": "a", "s/f#2": "b"}, {"s/f#1": "a"}
    with pytest.raises(StageError, match="not both") as error:
        join(half, whole) if gone == "prediction" else join(whole, half)
    assert "s/f#2" in str(error.value)


class TestControls:
    references: ClassVar = {f"s/f#{n}": f"def add_{n}(x):\n    return x + {n}\n" for n in range(8)}
    python: ClassVar = dict.fromkeys(references, True)

    def test_copies_score_one_and_shuffled_copies_lower(self) -> None:
        controls = check_controls(self.references, self.python)
        assert controls["copies"] == {"exact_match": 1.0, "rouge_l": 1.0, "parses": 1.0}
        assert controls["shuffled"]["exact_match"] == 0.0
        assert 0 < (controls["shuffled"]["rouge_l"] or 0) < 1

    def test_the_ancestor_s_scorer_is_caught(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # It compared the last blank-separated word of each line only, which here is the same in every row.
        monkeypatch.setattr(metrics, "_words", lambda text: [text.splitlines()[-1].split()[-3]])
        with pytest.raises(StageError, match=r"shuffled references score rouge_l 1\.0"):
            check_controls(self.references, self.python)

    def test_a_scorer_that_gives_a_copy_less_than_one_is_caught(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metrics, "_rouge_l", lambda prediction, reference: 0.999)
        with pytest.raises(StageError, match=r"exact copy .* rouge_l 0\.999"):
            check_controls(self.references, self.python)

    def test_a_scorer_that_praises_everything_is_caught(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(metrics, "_rouge_l", lambda prediction, reference: 1.0)
        with pytest.raises(StageError, match="shuffled references score rouge_l"):
            check_controls(self.references, self.python)

    def test_references_that_are_all_alike_cannot_be_told_apart_and_pass(self) -> None:
        alike = dict.fromkeys(self.references, "x = 1")
        assert check_controls(alike, self.python)["shuffled"]["exact_match"] == 1.0
