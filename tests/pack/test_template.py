"""A template is used only if it can be trained through; the mend is said where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from pipeline.errors import InputError
from pipeline.pack.examples import Renderer
from pipeline.pack.targets import Targets
from pipeline.pack.template import check_template, choose_template

GOOD = (
    "{% for m in messages %}{{ '[' + m.role + ']' }}{% if m.role == 'assistant' %}"
    "{% generation %}{{ m.content + eos_token }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)


@pytest.fixture
def gpt2(data: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(data / "tokenizers/gpt2")


def test_the_tokenizers_own_template_is_used_where_it_marks_the_answer(gpt2: PreTrainedTokenizerBase) -> None:
    gpt2.chat_template = GOOD
    assert choose_template("default", gpt2) == GOOD
    gpt2.chat_template = {"default": GOOD, "tool_use": "other"}  # type: ignore[assignment]
    assert choose_template("default", gpt2) == GOOD


BARE = GOOD.replace("{% generation %}", "").replace("{% endgeneration %}", "")


def test_the_tokenizers_own_template_is_used_without_marks_too(gpt2: PreTrainedTokenizerBase) -> None:
    gpt2.chat_template = BARE
    assert choose_template("default", gpt2) == BARE
    assert check_template(Renderer(gpt2)).stops == (gpt2.eos_token_id,)


def test_ours_is_used_without_growing_the_vocabulary(gpt2: PreTrainedTokenizerBase) -> None:
    size = len(gpt2)
    gpt2.chat_template = choose_template("default", gpt2)
    assert check_template(Renderer(gpt2)).stops == (gpt2.eos_token_id,)
    assert len(gpt2) == size
    assert "<|im_start|>" not in gpt2.chat_template


def test_chatml_is_used_where_its_tokens_are_in_the_vocabulary(gpt2: PreTrainedTokenizerBase) -> None:
    gpt2.add_special_tokens({"extra_special_tokens": ["<|im_start|>", "<|im_end|>"]})  # type: ignore[dict-item]
    gpt2.chat_template = choose_template("default", gpt2)
    assert "<|im_start|>" in gpt2.chat_template
    assert check_template(Renderer(gpt2)).stops == (gpt2.convert_tokens_to_ids("<|im_end|>"),)


def test_a_tokenizer_that_cannot_end_an_answer_is_refused(gpt2: PreTrainedTokenizerBase) -> None:
    gpt2.eos_token = None
    with pytest.raises(InputError, match="no end-of-sequence token"):
        choose_template("default", gpt2)


def test_a_file_is_read(gpt2: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text(GOOD)
    assert choose_template(str(path), gpt2) == GOOD


@pytest.mark.parametrize("name", ["llama3", "qwen3", "gemma", "mistral", "phi"])
def test_a_template_of_another_model_is_refused_with_those_that_fit(gpt2: PreTrainedTokenizerBase, name: str) -> None:
    with pytest.raises(InputError, match=r"the tokenizer has no token .*\n.*\n.*: plain;"):
        choose_template(name, gpt2)


def test_jinja_text_and_passthrough_are_taken(gpt2: PreTrainedTokenizerBase) -> None:
    assert choose_template(GOOD, gpt2) == GOOD
    gpt2.chat_template = choose_template("passthrough", gpt2)
    end = gpt2.eos_token
    pieces = Renderer(gpt2).conversation(
        [{"role": "user", "content": "On?"}, {"role": "assistant", "content": "Yes" + end}]
    )
    assert [piece.text for piece in pieces] == ["On?", "Yes" + end]
    encoded = Renderer(gpt2).encode([pieces])
    assert encoded.tokens[-1] == gpt2.eos_token_id  # a control token of the row is one


def test_a_missing_file_is_refused_with_the_nearest_name(gpt2: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(GOOD)
    with pytest.raises(InputError, match=r"did you mean 'mine.jinja'"):
        choose_template(str(tmp_path / "mime.jinja"), gpt2)


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        (GOOD.replace(" + eos_token }}{% endgeneration %}", " }}{% endgeneration %}{{ eos_token }}"), "never stop"),
        (GOOD.replace("{{ '[assistant]' }}", "{{ '[assistant] ' }}"), "begin with what a server sends"),
        ("{{ bos_token + bos_token }}" + GOOD, "stands twice"),
        (GOOD.replace("{{ m.content + eos_token }}", "{{ eos_token }}"), "not what is between"),
        (GOOD.replace("{% for m", "{{ raise_exception('no') }}{% for m"), "refuses a conversation: no"),
    ],
)
def test_a_template_that_would_train_wrongly_is_refused(
    gpt2: PreTrainedTokenizerBase, template: str, problem: str
) -> None:
    gpt2.chat_template = GOOD
    assert check_template(Renderer(gpt2))
    gpt2.chat_template = template
    with pytest.raises(InputError, match=problem):
        check_template(Renderer(gpt2))


LATER = (
    "{% for m in messages %}{{ '[' + m.role + ']' }}{% if m.role == 'assistant' and loop.last %}"
    "{% generation %}{{ m.content + eos_token }}{% endgeneration %}{% elif m.role == 'assistant' %}"
    "{{ m.content + eos_token }}{% else %}{{ m.content }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]' }}{% endif %}"
)
"""Marks the last of several answers only."""

CALLS = GOOD.replace(
    "{% endgeneration %}", "{% endgeneration %}{% if m.tool_calls %}{{ m.tool_calls | tojson }}{% endif %}"
)
"""Writes calls, outside its marks."""


def test_a_template_that_learns_only_the_last_answer_is_refused_unless_that_is_asked_for(
    gpt2: PreTrainedTokenizerBase,
) -> None:
    gpt2.chat_template = LATER
    with pytest.raises(InputError, match=r"of 2 answers 1 is between generation tags \(with several turns\)"):
        check_template(Renderer(gpt2))
    assert check_template(Renderer(gpt2, Targets(loss="last_answer")))
    gpt2.chat_template = GOOD.replace("{% else %}", "{% elif m.role == 'user' and not loop.first %}"
                                      "{% generation %}{{ m.content }}{% endgeneration %}{% else %}")  # fmt: skip
    with pytest.raises(InputError, match="3 stretches are learnt, of 2 messages"):
        check_template(Renderer(gpt2))


def test_a_row_with_more_answers_than_the_template_marks_is_refused(gpt2: PreTrainedTokenizerBase) -> None:
    gpt2.chat_template = LATER.replace("and loop.last", "and loop.index < 7")
    renderer, turn = Renderer(gpt2), [{"role": "user", "content": "On?"}, {"role": "assistant", "content": "Yes."}]
    check_template(renderer)
    renderer.conversation(turn * 3)
    with pytest.raises(InputError, match="marks 3 of 4 answers"):
        renderer.conversation(turn * 4)
    renderer.learning(Targets(loss="all")).conversation(turn * 4)


def test_a_template_that_does_not_learn_its_calls_is_refused(gpt2: PreTrainedTokenizerBase) -> None:
    gpt2.chat_template = CALLS
    with pytest.raises(InputError, match=r"of 3 answers 2 are learnt as a whole \(with tools\)"):
        check_template(Renderer(gpt2))


def test_what_a_template_does_not_write_is_a_warning(gpt2: PreTrainedTokenizerBase) -> None:
    found = {}
    for gpt2.chat_template in (
        GOOD,
        GOOD.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}"),
    ):
        states = {one.check: one for one in check_template(Renderer(gpt2)).findings}
        found[gpt2.chat_template] = states["written"].found
    assert all("assistant, tools (with tools)" in one for one in found.values())
    assert ["system (with a system prompt)" in one for one in found.values()] == [False, True]
