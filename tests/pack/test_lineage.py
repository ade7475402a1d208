"""Every token of every bin leads back to the characters that it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Recipe
from pipeline.errors import InputError, RunDirectoryError
from pipeline.pack import pack
from pipeline.pack.bins import Bins
from pipeline.pack.lineage import Origin, trace
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.run import RunDirectory

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


def origins(run: RunDirectory, recipe: Recipe) -> list[Origin]:
    packed = Bins.open(run.path("packed/train")).get(0)
    return [trace(run, recipe, f"0:{offset}") for offset in range(len(packed.tokens))]


def test_blanks_before_reasoning_and_fields_are_counted(tmp_path: Path) -> None:
    given = row(0, [("user", "\n On?"), ("assistant", " Yes.")], kind="chat", metadata='{"doc":"\\n\\tBern."}')
    given["messages"][1]["extra"] = '{"reasoning_content":"\\nBut why?"}'
    fields = {**given, "messages": [{**one, "extra": None} for one in given["messages"]], "kind": "pair"}
    for number, (template, one) in enumerate((("chatml", given), ("{doc} {input} {output}", fields))):
        recipe = make_recipe(tmp_path / str(number), vocab_size=320, template=template)
        run = curate(recipe, {"train": [one]}, parts=1)
        pack(run, recipe)
        strings = {"content": [message["content"] for message in one["messages"]], "reasoning": [None, "\nBut why?"]}
        seen = set()
        for origin in origins(run, recipe):
            if origin.part == "template":
                continue
            assert origin.characters is not None
            text = "\n\tBern." if origin.part == "doc" else strings[str(origin.part)][origin.message or 0]
            assert str(text)[slice(*origin.characters)].strip() == origin.text.strip()
            seen.add(origin.part)
        assert seen == ({"content", "reasoning"} if number == 0 else {"content", "doc"})


PLAIN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}BODY<|im_end|>"
    "{% endgeneration %}{% else %}BODY<|im_end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("{{ m.content }}", {"content", "template"}),
        ("{{ m.content }}{{ m.content | length }}", {None}),  # another text under marks
        ("{{ m.content.split(' ')[0] }} {{ m.content.split(' ')[1:] | join(' ') }}", {"content", "template"}),
        ("{{ m.content if ' ' not in m.content else m.content.split(' ')[0] }}", {"content", None}),  # cut apart
    ],
)
def test_what_cannot_be_told_is_said(tmp_path: Path, body: str, parts: set[str | None]) -> None:
    recipe = make_recipe(tmp_path, vocab_size=320, template=PLAIN.replace("BODY", body))
    run = curate(recipe, {"train": [row(0, [("user", "On, then?"), ("assistant", "Yes.")])]}, parts=1)
    pack(run, recipe)
    assert {origin.part for origin in origins(run, recipe)} == parts


def test_a_string_that_the_template_changes_has_no_characters(tmp_path: Path) -> None:
    template = PLAIN.replace("BODY", "{{ m.content | tojson }}", 2).replace(
        "{{ m.content | tojson }}", "{{ m.content }}", 1
    )
    recipe = make_recipe(tmp_path, vocab_size=320, template=template)
    run = curate(recipe, {"train": [row(0, [("user", 'Say "on"'), ("assistant", "Yes.")])]}, parts=1)
    pack(run, recipe)
    found = {(origin.message, origin.part): origin.characters for origin in origins(run, recipe)}
    assert found[0, "content"] is None
    assert found[1, "content"] == (3, 4)
