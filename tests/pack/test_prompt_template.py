"""Named fields become a chat template: the same text as formatting by hand, the answer learnt, mistakes named."""

from __future__ import annotations

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
from pipeline.pack.prompt_template import is_prompt_template
from pipeline.pack.template import check_template, choose_template

from .models import trained

PLAIN = "Question: {input} Answer: {output}"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    return trained(tmp_path_factory.mktemp("bpe"), Path(__file__).read_text())


def texts(base: PreTrainedTokenizerBase, template: str, question: str, answer: str, **fields: Any) -> tuple[str, str]:
    """Context and targets of a row."""
    base.chat_template = choose_template(template, base)
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    pieces = Renderer(base).conversation(messages, None, json.dumps(fields))
    prompt = render_prompt(base, messages[:1], None, json.dumps(fields))
    assert Renderer(base).encode([pieces]).tokens[: len(prompt)].tolist() == prompt
    return tuple("".join(piece.text for piece in pieces if piece.target == target) for target in (False, True))  # type: ignore[return-value]


def test_the_blank_before_the_answer_is_the_answers(base: PreTrainedTokenizerBase) -> None:
    assert texts(base, PLAIN, "On?", "Yes.") == ("Question: On? Answer:", " Yes.<|im_end|>")
    assert texts(base, "{input}\n{output}", "On?", "Yes.") == ("On?\n", "Yes.<|im_end|>")
    assert check_template(Renderer(base)).state == "warn"  # it takes neither tools nor several turns


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Co"], exclude_characters="{}#"), max_size=12),
    st.text(max_size=8).map(lambda text: text.encode(errors="replace").decode()),
)
@settings(deadline=None, max_examples=25)
def test_the_text_is_what_formatting_by_hand_gives(base: PreTrainedTokenizerBase, literal: str, value: str) -> None:
    template = literal + "{input}" + literal + "{doc}{{x}}\n{output}"
    context, target = texts(base, template, "Q", "A", doc=value)
    assert context + target == template.format(input="Q", doc=value, output="A") + "<|im_end|>"
    assert target == "A<|im_end|>"


def test_a_missing_field_offers_the_nearest(base: PreTrainedTokenizerBase) -> None:
    with pytest.raises(InputError, match=r"no field 'contxt' \(did you mean 'context'\?\)"):
        texts(base, "{contxt} {input} {output}", "Q", "A", context="C")
    with pytest.raises(InputError) as caught:  # a key of a row may be personal
        texts(base, "{jane} {input} {output}", "Q", "A", **{"jane@corp.org": 1, "4155550123": 2, "name": 3})
    assert "system, input, output, name" in str(caught.value)
    assert not re.search("corp|415", str(caught.value))
    assert texts(base, "{n} {input} {output}", "Q", "A", n=7) == ("7 Q", " A<|im_end|>")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{input} {ouput}", r"ends with `{output}` \(did you mean 'ouput'\?\)"),
        ("{output} {input}", "ends with"),
        ("{input} {output}.", "ends with"),
        ("{context} {output}", "has `{input}`"),
        ("{input} { {output}", "cannot be read"),
        ("{input} #}} {output}", "cannot hold"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused(base: PreTrainedTokenizerBase, template: str, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        choose_template(template, base)


def test_rows_that_it_has_no_place_for_are_refused(base: PreTrainedTokenizerBase) -> None:
    base.chat_template = choose_template(PLAIN, base)
    renderer = Renderer(base)
    ask, answer = {"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}
    system = {"role": "system", "content": "S"}
    for messages in ([ask, answer, ask, answer], [system, ask, answer], [answer], [ask, {**answer, "tool_calls": [1]}]):
        with pytest.raises(InputError, match="prompt template"):
            renderer.conversation(messages)
    base.chat_template = choose_template("{system}|{input} {output}", base)
    pieces = Renderer(base).conversation([system, ask, answer])
    assert "".join(piece.text for piece in pieces) == "S|Q A<|im_end|>"


def test_paths_names_and_jinja_are_no_prompt_templates() -> None:
    assert is_prompt_template(PLAIN)
    assert not any(map(is_prompt_template, ["default", "a/b.jinja", "{% for m in messages %}{{ m }}{% endfor %}"]))
