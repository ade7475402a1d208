"""The template matrix: what is learnt is the assistant's text and its stop token, exactly, for every model family."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from pipeline.errors import InputError
from pipeline.pack.examples import Renderer, render_prompt
from pipeline.pack.lint import lint
from pipeline.pack.targets import Targets

from . import models
from .models import STOPS

REAL = {"chatml": "gpt2", "qwen3": "gpt_neox", "mistral": "mistral"}
"""Families whose control tokens a real tokenizer has, or takes."""

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Look out of the window.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
CALL = {"id": "a1b2c3d4e", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    return models.trained(tmp_path_factory.mktemp("bpe"), Path(__file__).read_text())


@pytest.fixture(scope="module", params=[*STOPS, *(f"{name}-real" for name in REAL)])
def family(request: pytest.FixtureRequest, trained: Any) -> tuple[str, Any, Renderer]:
    """The name of a family, its tokenizer with our training template, and its renderer."""
    name, _, real = request.param.partition("-")
    tokenizer = getattr(models, REAL[name])(request.getfixturevalue("data")) if real else trained
    tokenizer = models.with_control(copy.deepcopy(tokenizer), name)
    return name, tokenizer, Renderer(tokenizer)


def conversation() -> list[dict[str, Any]]:
    """A system prompt, a call, its result, reasoning, and a second question."""
    return [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How is it in Bern?"},
        {"role": "assistant", "content": "", "reasoning_content": "I must look.", "tool_calls": [CALL]},
        {"role": "tool", "content": '{"sky": "grey"}', "tool_call_id": "a1b2c3d4e", "name": "weather"},
        {"role": "assistant", "content": "Grey.", "reasoning_content": "It says so."},
        {"role": "user", "content": "And tomorrow?"},
        {"role": "assistant", "content": "    I cannot know:\n\n- naïve 東京 🙂  "},
    ]


def expected(name: str, message: dict[str, Any], tokenizer: PreTrainedTokenizerBase) -> str:
    """What the family writes for an assistant's message: reasoning, content, calls, stop token."""
    blank = " " if "▁" in tokenizer.get_vocab() and name == "mistral" else ""
    text = f"<think>\n{message['reasoning_content']}\n</think>\n\n" if "reasoning_content" in message else ""
    text += message["content"]
    if "tool_calls" in message:
        call = '{"name": "weather", "arguments": {"city": "Bern"}}'
        if name == "mistral":
            text = f"{text}[TOOL_CALLS]{blank}[{call[:-1]}, " + '"id": "a1b2c3d4e"}]'
        elif name == "llama3":
            text += call.replace("arguments", "parameters")
        else:
            text += f"<tool_call>\n{call}\n</tool_call>"
    return blank + text + STOPS[name]


def runs(tokenizer: PreTrainedTokenizerBase, tokens: list[int], loss: list[bool]) -> list[str]:
    """The text of each run of targets: decoded with what stands before it, because decoders strip a first blank."""
    found, begin = [], None
    for place, target in enumerate([*loss, False]):
        if target and begin is None:
            begin = place
        elif not target and begin is not None:
            before, whole = str(tokenizer.decode(tokens[:begin])), str(tokenizer.decode(tokens[:place]))
            assert whole.startswith(before)
            found.append(whole[len(before) :])
            begin = None
    return found


def test_decoded_targets_are_the_assistants_text_and_its_stop_token(family: tuple[str, Any, Renderer]) -> None:
    name, tokenizer, renderer = family
    messages = conversation()
    encoded = renderer.encode([renderer.conversation(messages, json.dumps(TOOLS))])
    learnt = runs(tokenizer, encoded.tokens.tolist(), encoded.loss.tolist())
    assert learnt == [expected(name, one, tokenizer) for one in messages if one["role"] == "assistant"]
    everything = str(tokenizer.decode(encoded.tokens))
    for message in messages:
        assert message["content"] in everything or json.dumps(message["content"]) in everything
    assert '"description": "Look out of the window."' in everything


def test_every_prompt_of_a_server_is_how_training_begins(family: tuple[str, Any, Renderer]) -> None:
    _, tokenizer, renderer = family
    messages, tools = conversation(), json.dumps(TOOLS)
    encoded = renderer.encode([renderer.conversation(messages, tools)])
    for number, message in enumerate(messages):
        if message["role"] == "assistant":
            prompt = render_prompt(tokenizer, messages[:number], tools)
            assert encoded.tokens[: len(prompt)].tolist() == prompt
            assert encoded.loss[len(prompt)]
            assert not encoded.loss[len(prompt) - 1]
    first = renderer.row(messages[:2], tools)
    assert renderer.encode([renderer.prompt(first)]).tokens.tolist() == renderer.served(first)


@pytest.mark.parametrize("tools", [None, TOOLS])
def test_a_conversation_that_the_assistant_begins_keeps_system_prompt_and_tools(
    family: tuple[str, Any, Renderer], tools: Any
) -> None:
    name, tokenizer, renderer = family
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "How is it in Bern?"},
        {"role": "assistant", "content": "Grey."},
    ]
    given = json.dumps(tools) if tools else None
    encoded = renderer.encode([renderer.conversation(messages, given)])
    text = str(tokenizer.decode(encoded.tokens))
    assert text.count("Be brief.") == 1
    assert text.count("Look out of the window.") == (1 if tools else 0)
    learnt = runs(tokenizer, encoded.tokens.tolist(), encoded.loss.tolist())
    assert [one.strip() for one in learnt] == ["Hello." + STOPS[name], "Grey." + STOPS[name]]
    if name in ("gemma", "mistral"):
        with pytest.raises(InputError, match="into the first question, and there is none"):
            renderer.conversation(messages[:2], given)


def test_our_templates_pass_the_linter(family: tuple[str, Any, Renderer]) -> None:
    name, _, renderer = family
    verdict = lint(renderer)
    # A GPT-2-like core joins "\n\n" only at the end of a text: in a history, a server's tokens are others than those
    # that were generated. Llama's own core does not; the linter tells the two apart.
    strange = [finding for finding in verdict.findings if finding.state != "pass"]
    assert [finding.check for finding in strange] in ([], ["served_tokens"])
    assert len(verdict.findings) == 13
    if name not in ("llama3", "mistral"):
        assert verdict.state == "pass"


def test_the_same_mask_is_found_without_tags(family: tuple[str, Any, Renderer]) -> None:
    """Our templates with their tags taken out: rendering up to each answer finds the very same targets."""
    _, tokenizer, renderer = family
    bare = copy.deepcopy(tokenizer)
    bare.chat_template = re.sub(r"\{%-? (end)?generation -?%\}", "", tokenizer.chat_template)
    untagged = Renderer(bare)
    assert "generation %" not in bare.chat_template.replace("add_generation_prompt %", "")
    for messages, tools in (
        (conversation(), json.dumps(TOOLS)),
        (conversation()[4:], None),
        (conversation()[5:], None),
    ):
        if messages[0]["role"] == "assistant":
            messages = [{"role": "user", "content": "Look."}, *messages]
        with_tags, without = (one.encode([one.conversation(messages, tools)]) for one in (renderer, untagged))
        assert with_tags.tokens.tolist() == without.tokens.tolist()
        assert with_tags.loss.tolist() == without.loss.tolist()


def test_reasoning_can_be_context_and_tokens_stay_the_same(family: tuple[str, Any, Renderer]) -> None:
    _, tokenizer, renderer = family
    messages = conversation()[3:]
    messages[0] = {"role": "user", "content": "Look."}
    masked = renderer.learning(Targets(mask_reasoning=True))
    one, other = (each.encode([each.conversation(messages)]) for each in (renderer, masked))
    assert one.tokens.tolist() == other.tokens.tolist()
    assert not (other.loss & ~one.loss).any()
    learnt = "".join(runs(tokenizer, other.tokens.tolist(), other.loss.tolist()))
    assert "It says so" not in learnt
    assert "Grey." in learnt
    hidden = "".join(runs(tokenizer, one.tokens.tolist(), (one.loss & ~other.loss).tolist()))
    assert hidden.strip() == "It says so."


text = st.text(
    st.one_of(st.sampled_from(" \n\t.<>|{}[]\"'▁é東🙂"), st.characters(codec="utf-8", exclude_categories=["Cs", "Co"])),
    max_size=12,
)


@given(turns=st.lists(st.tuples(text, text, st.none() | text), min_size=1, max_size=3))
@settings(deadline=None, max_examples=15)
def test_exact_for_any_text(family: tuple[str, Any, Renderer], turns: list[tuple[str, str, str | None]]) -> None:
    name, tokenizer, renderer = family
    messages = []
    for question, answer, reasoning in turns:
        more = {"reasoning_content": reasoning} if reasoning else {}
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer, **more}]
    pieces = renderer.conversation(messages)
    learnt = "".join(piece.text for piece in pieces if piece.target)
    said = [one for one in messages if one["role"] == "assistant"]
    # Mistral's template writes no blank before nothing.
    answers = [
        expected(name, one, tokenizer) if name != "mistral" or one["content"] or len(one) > 2 else STOPS[name]
        for one in said
    ]
    assert learnt == "".join(answers)
    encoded = renderer.encode([pieces])
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    stop = tokenizer.convert_tokens_to_ids(STOPS[name])
    ends = [token for token, target in zip(encoded.tokens, encoded.loss, strict=True) if target and token in special]
    assert ends == [stop] * len(turns)
