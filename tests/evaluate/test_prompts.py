"""Properties: the choice depends on ids and seed only; a reference is the last answer; nothing blank is chosen."""

from __future__ import annotations

import random
from pathlib import Path

from pipeline.evaluate.prompts import choose_prompts
from pipeline.schema import CURATED
from tests.evaluate.runs import pair, row, sums, write_table


def test_the_choice_does_not_depend_on_parts_or_order(tmp_path: Path) -> None:
    rows = sums(0, 50)
    write_table(tmp_path / "one/part-00000.parquet", rows, CURATED)
    random.Random(3).shuffle(rows)
    write_table(tmp_path / "two/part-00000.parquet", rows[:17], CURATED)
    write_table(tmp_path / "two/part-00001.parquet", rows[17:], CURATED)
    one, two = (choose_prompts(tmp_path / name, 10, seed=5) for name in ("one", "two"))
    assert one == two
    assert [prompt.id for prompt in one] == sorted(prompt.id for prompt in one)
    assert {prompt.id for prompt in one} != {prompt.id for prompt in choose_prompts(tmp_path / "one", 10, seed=6)}


def test_more_rows_keep_the_ones_chosen_before(tmp_path: Path) -> None:
    write_table(tmp_path / "part-00000.parquet", sums(0, 50), CURATED)
    few, many = (choose_prompts(tmp_path, count, seed=0) for count in (5, 20))
    assert {prompt.id for prompt in few} < {prompt.id for prompt in many}
    assert len(choose_prompts(tmp_path, 500, seed=0)) == 50
    assert choose_prompts(tmp_path, 0, seed=0) == []


def test_the_reference_is_the_last_answer_and_the_prompt_all_before_it(tmp_path: Path) -> None:
    turns = [("system", "Be brief."), ("user", "1+1?"), ("assistant", "2"), ("user", "2+2?"), ("assistant", "4")]
    write_table(tmp_path / "part-00000.parquet", [row(0, "chat", [*turns, ("user", "Thanks!")])], CURATED)
    (prompt,) = choose_prompts(tmp_path, 5, seed=0)
    assert prompt.reference == "4"
    assert [message["content"] for message in prompt.messages] == ["Be brief.", "1+1?", "2", "2+2?"]


def test_rows_with_nothing_to_generate_are_passed_over(tmp_path: Path) -> None:
    rows = [
        row(0, "text", [("text", "prose")]),
        row(1, "code", [("text", "x = 1")]),
        row(2, "chat", [("assistant", "Hello!")]),
        row(3, "chat", [("user", "Hello?")]),
        pair(4, "Say nothing.", " \n"),
        pair(5, "Say something.", "Something."),
    ]
    write_table(tmp_path / "part-00000.parquet", rows, CURATED)
    assert [prompt.id for prompt in choose_prompts(tmp_path, 5, seed=0)] == ["sums/sums.jsonl#5"]
