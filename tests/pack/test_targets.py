"""Which tokens are learnt: by tags or by rendering, by role, with or without reasoning and end tokens; else refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from pipeline.config import Pack
from pipeline.errors import InputError
from pipeline.pack.examples import Renderer
from pipeline.pack.targets import Targets

from .models import trained, with_control

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "  Is it on?\n"},
    {"role": "assistant", "content": "Yes."},
    {"role": "tool", "content": "lit"},
    {"role": "user", "content": "Still?"},
    {"role": "assistant", "content": "No.", "reasoning_content": "Dark."},
]

REWRITES = """\
{%- for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}
{%- if m.role == 'assistant' %}{{ '<think>' + (m.reasoning_content or '') + '</think>' if loop.last }}{% endif %}
{{- m.content + '<|im_end|>\\n' }}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""
"""As Qwen 3's own: only the last answer keeps its think tags, and there are no generation tags."""


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    return with_control(trained(tmp_path_factory.mktemp("chatml"), Path(__file__).read_text()), "chatml")


def learnt(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, Any]], **targets: Any) -> str:
    """The targets' text; a `|` between runs."""
    renderer = Renderer(tokenizer, Targets(**targets))
    encoded = renderer.encode([renderer.conversation(messages)])
    shown = [
        str(tokenizer.decode([token])) if target else "|"
        for token, target in zip(encoded.tokens.tolist(), encoded.loss.tolist(), strict=True)
    ]
    return "|".join(part for part in "".join(shown).split("|") if part)


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ({}, "Yes.<E>|<think>\nDark.\n</think>\n\nNo.<E>"),
        ({"loss": "last_answer"}, "<think>\nDark.\n</think>\n\nNo.<E>"),
        ({"train_on_eos": "last"}, "Yes.|<think>\nDark.\n</think>\n\nNo.<E>"),
        ({"train_on_eos": "none"}, "Yes.|<think>\nDark.\n</think>\n\nNo."),
        ({"mask_reasoning": True}, "Yes.<E>|<think>|</think>\n\nNo.<E>"),
        ({"loss": ("tool",)}, "lit<E>"),
        ({"loss": ("user",), "train_on_eos": "none"}, "Is it on?|Still?"),
        ({"loss": ("user", "assistant")}, "Is it on?|Yes.<E>|Still?<E>|<think>\nDark.\n</think>\n\nNo.<E>"),
        ({"loss": ("nobody",)}, ""),
    ],
)
def test_what_is_learnt(tokenizer: PreTrainedTokenizerBase, targets: dict[str, Any], expected: str) -> None:
    # A token that reaches beyond the targets' characters is none: here the line breaks beside the reasoning.
    found = learnt(tokenizer, TALK, **targets).replace("<|im_end|>", "<E>")
    assert found.replace("\n|", "|").replace("|\n", "|") == expected


def test_the_recipe_says_it_in_its_words() -> None:
    assert Targets.of(Pack()) == Targets()
    pack = Pack.model_validate(
        {"loss": {"roles": ["user"]}, "mask_reasoning": True, "train_on_eos": "last", "truncation_field": "a, b"}
    )
    assert Targets.of(pack) == Targets(loss=("user",), mask_reasoning=True, train_on_eos="last", fields=("a", "b"))


def test_a_template_that_rewrites_history_is_refused_unless_the_last_answer_alone_is_learnt(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    tokenizer = with_control(tokenizer, "chatml")
    tokenizer.chat_template, ours = REWRITES, tokenizer.chat_template
    try:
        talk = [message for message in TALK if message["role"] != "tool"]
        with pytest.raises(InputError, match=r"no exact mask exists: .* message 2 \(assistant\)") as caught:
            learnt(tokenizer, talk)
        assert "pack.template: qwen3" in str(caught.value)
        assert "pack.loss: last_answer" in str(caught.value)
        assert "Is it on" not in str(caught.value)
        assert learnt(tokenizer, talk, loss="last_answer") == "<think>Dark.</think>No.<|im_end|>"
        assert learnt(tokenizer, talk[:3]) == "<think></think>Yes.<|im_end|>"
    finally:
        tokenizer.chat_template = ours


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ m.content | upper }}", "changes the texts"),
        ("{{ m.content[:3] }}", "changes the texts"),
    ],
)
def test_places_that_cannot_be_told_are_not_guessed(
    tokenizer: PreTrainedTokenizerBase, source: str, problem: str
) -> None:
    template = "{% for m in messages %}{{ '<|im_start|>' }}" + source + "{{ '<|im_end|>' }}{% endfor %}"
    template += "{% if add_generation_prompt %}{{ '<|im_start|>' }}{% endif %}"
    tokenizer.chat_template, ours = template, tokenizer.chat_template
    try:
        if "upper" in source:  # a mark has no upper case: the place is known, and is where the changed text stands
            assert learnt(tokenizer, TALK[1:3], loss=("user",)) == "IS IT ON?"
        else:
            with pytest.raises(InputError, match=problem):
                learnt(tokenizer, TALK[1:3], loss=("user",))
        assert learnt(tokenizer, TALK[1:3]) == ("YES.<|im_end|>" if "upper" in source else "Yes<|im_end|>")
    finally:
        tokenizer.chat_template = ours


words = st.sampled_from([*"ab \n.", "<|im_end|>", "<|im_start|>", "\U00100000", "é🙂"])
content = st.lists(words, max_size=8).map("".join)


@given(contents=st.lists(content, min_size=2, max_size=4), mask=st.booleans(), roles=st.booleans())
@settings(deadline=None, max_examples=40)
def test_no_setting_changes_the_tokens_and_no_row_closes_its_own_message(
    tokenizer: PreTrainedTokenizerBase, contents: list[str], mask: bool, roles: bool
) -> None:
    messages = [
        {"role": ("user", "assistant")[number % 2], "content": text, "reasoning_content": text}
        for number, text in enumerate(contents)
    ]
    base = Renderer(tokenizer)
    other = Renderer(tokenizer, Targets(loss=("user",) if roles else "answer", mask_reasoning=mask))
    one, two = (each.encode([each.conversation(messages)]) for each in (base, other))
    assert one.tokens.tolist() == two.tokens.tolist()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert one.tokens.tolist().count(end) == len(messages)
