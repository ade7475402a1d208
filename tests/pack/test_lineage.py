"""Every token of every bin leads back to the characters that it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import InputError, RunDirectoryError
from pipeline.pack import pack
from pipeline.pack.bins import Bins
from pipeline.pack.lineage import trace
from pipeline.pack.tokenizer import load_tokenizer

from .conftest import curate, make_recipe, row

ROWS = [
    row(
        0,
        [("user", "  Is it on? "), ("assistant", "Yes, it is on.\n"), ("user", "Still?"), ("assistant", "No.")],
        kind="chat",
    ),
    row(1, [("text", "A document that is long enough to be cut into some pieces, one two three four.")], kind="text"),
    row(
        2, [("user", "Why is the lamp on in the middle of the day, when nobody is there?"), ("assistant", "Off 東京.")]
    ),
]


@pytest.mark.parametrize(
    "settings",
    [
        {"seq_length": 64},
        {"seq_length": 24, "overflow": "split"},
        {"seq_length": 24, "truncation_field": "user"},
        {"seq_length": 24, "truncation_method": "left"},
    ],
)
def test_tokens_lead_back_to_their_characters(tmp_path: Path, settings: dict[str, Any]) -> None:
    recipe = make_recipe(tmp_path, vocab_size=320, **settings)
    run = curate(recipe, {"train": ROWS}, parts=1)
    summary = pack(run, recipe).summary["splits"]["train"]
    bins, tokenizer = Bins.open(run.path("packed/train")), load_tokenizer(run.path("tokenizer"))
    texts = {one["id"]: [message["content"] for message in one["messages"]] for one in ROWS}
    places: dict[str, list[int]] = {}
    found = 0
    for number in range(len(bins)):
        packed = bins.get(number)
        for offset in range(len(packed.tokens)):
            origin = trace(run, recipe, f"{number}:{offset}")
            assert (origin.token, origin.target) == (packed.tokens[offset], packed.loss[offset])
            assert origin.text == tokenizer.decode([int(packed.tokens[offset])])
            places.setdefault(origin.row, []).append(origin.place)
            if origin.part == "content":
                assert origin.message is not None
                assert origin.characters is not None
                first, last = origin.characters
                text = texts[origin.row][origin.message][first:last]
                # A token may reach over the string's edge, or hold a part of a character.
                assert text.strip() in origin.text or "\ufffd" in origin.text
                assert text
                found += 1
            else:
                assert origin.part == "template"
    assert found > summary["tokens"] / 3
    assert all(len(set(one)) == len(one) for one in places.values())  # no token comes twice
    assert sum(map(len, places.values())) == summary["tokens"]


def test_a_place_that_is_not_there_is_said(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path, vocab_size=320)
    run = curate(recipe, {"train": ROWS[:1]}, parts=1)
    pack(run, recipe)
    for place, problem in {
        "7:0": "train has 1 bins",
        "0:900": r"train has \d+ tokens in bin 0",
        "validation:0:0": "validation has 0 bins",
        "0": "is no place",
        "trian:0:0": "is no place",
    }.items():
        with pytest.raises(InputError, match=problem):
            trace(run, recipe, place)
    template = run.path("tokenizer/chat_template.jinja")
    template.write_text(template.read_text() + " ")
    with pytest.raises(RunDirectoryError, match="changed since the bins were made"):
        trace(run, recipe, "0:0")
