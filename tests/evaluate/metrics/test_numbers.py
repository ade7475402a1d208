"""Properties: the marked number counts, then the last; a value is a value however it is written."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal

import pytest

from pipeline.evaluate.metrics.numbers import final_number, marked_number, numeric
from tests.text.columns import shared


@pytest.mark.parametrize(
    ("text", "marked", "final"),
    [
        ("so 3 apples. #### 1,234", "1234", "1234"),
        ("The answer is **42**.", "42", "42"),
        (r"thus \boxed{3.50}", "3.5", "3.5"),
        ("72", "72", "72"),
        ("#### $-5", "-5", "-5"),
        ("3 and 4 make 7", None, "7"),
        ("1e3", "1000", "1000"),
        ("no number", None, None),
        ("", None, None),
        ("#### NaN", None, None),
    ],
)
def test_numbers_of_known_texts(text: str, marked: str | None, final: str | None) -> None:
    assert marked_number(text) == (Decimal(marked) if marked else None)
    assert final_number(text) == (Decimal(final) if final else None)


@pytest.mark.parametrize("answer", ["#### 1000", "It costs $1,000.00", "1000.0", "first 3, then 1,000"])
def test_a_value_is_equal_however_it_is_written(answer: str) -> None:
    assert numeric(answer, "She pays. #### 1,000") == 1.0


def test_answers_of_megabytes_take_no_time() -> None:
    assert numeric("1 " * 2_000_000 + "#### 7", "#### 7") == 1.0
    assert numeric("9" * 4_000_000, "#### 7") == 0.0
    assert numeric("answer is " * 400_000, "#### 7") == 0.0


def test_every_answer_of_gsm8k_is_a_number_and_finds_itself() -> None:
    file = shared("instruct-gsm8k") / "test.jsonl.gz"
    answers = [json.loads(line)["answer"] for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert len(answers) == 1319
    for answer in answers:
        wanted = Decimal(answer.rpartition("#### ")[2].replace(",", ""))
        assert marked_number(answer) == wanted
        assert numeric(answer, answer) == 1.0
        assert numeric(f"So the answer is {wanted + 1}.", answer) == 0.0
