"""Whatever is learnt, rows encoded by what differs between them have the tokens and masks of rows encoded whole."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer

from pipeline.errors import InputError
from pipeline.pack.curated_rows import CuratedRows
from pipeline.pack.encoder import stands_alone
from pipeline.pack.examples import Renderer
from pipeline.pack.outlines import Outlines
from pipeline.pack.targets import Targets
from pipeline.pack.template import choose_template
from pipeline.pack.tokenise import pieces_of

from . import models
from .drawn_rows import TOOL, another, check, forget, rows_of, talks, tools

TARGETS = {
    "answer": Targets(),
    "all": Targets(loss="all"),
    "last": Targets(loss="last_answer"),
    "eos none": Targets(train_on_eos="none"),
    "eos last": Targets(train_on_eos="last"),
    "reasoning": Targets(mask_reasoning=True, train_on_eos="last"),
    "user": Targets(loss=("user",)),
    "roles": Targets(loss=("user", "tool", "assistant"), mask_reasoning=True, train_on_eos="none"),
    "fields": Targets(fields=("user", "tool")),
    "fields of a role": Targets(fields=("input", "output"), loss=("system", "user"), train_on_eos="last"),
}
UNTAGGED = re.compile(r"\{%-? *(end)?generation *-?%\}")
OTHERS = ["chatml", "chatml-untagged", "llama3-untagged", "plain-gpt2", "plain-gpt2-untagged", "mistral-first"]
BLANKS = {
    "first": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": False},
    "always": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True},
}
PREPEND = [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]


@pytest.fixture(scope="module", params=[*OTHERS, "mistral-always", "chatml-always", "plain-always", "plain-prepend"])
def other(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """Templates without tags, tokenizers without control tokens, and those that set blanks before texts."""
    name, *more = request.param.split("-")
    if name == "mistral" or {"always", "prepend"}.intersection(more):
        tokenizer = copy.deepcopy(models.mistral(request.getfixturevalue("data")))
        core = json.loads(tokenizer.backend_tokenizer.to_str())
        core["pre_tokenizer"] = BLANKS.get(more[0])
        core["normalizer"] = {"type": "Sequence", "normalizers": PREPEND} if "prepend" in more else None
        tokenizer._tokenizer = Tokenizer.from_str(json.dumps(core))
    elif "gpt2" in more:
        tokenizer = models.gpt2(request.getfixturevalue("data"))
    else:
        tokenizer = models.trained(tmp_path_factory.mktemp("bpe"), Path(__file__).read_text())
    if name == "plain":
        tokenizer.chat_template = choose_template("plain", tokenizer)
    else:
        tokenizer = models.with_control(tokenizer, name)
    if "untagged" in more:
        tokenizer.chat_template = UNTAGGED.sub("", str(tokenizer.chat_template)).replace(
            "message.content + '<|eot", "message.content | trim + '<|eot"
        )
    return Renderer(tokenizer)


@pytest.fixture(scope="module")
def of_targets(other: Renderer) -> dict[str, Outlines]:
    return {name: Outlines(other.learning(targets)) for name, targets in TARGETS.items()}


@pytest.mark.parametrize("name", TARGETS)
@given(st.lists(st.tuples(st.booleans(), tools, talks), min_size=1, max_size=8), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=4)
def test_whatever_is_learnt_every_row_is_as_if_it_were_encoded_whole(
    other: Renderer,
    of_targets: dict[str, Outlines],
    name: str,
    drawn: list[tuple[bool, Any, list[tuple[str, str | None]]]],
    random: Random,
) -> None:
    system, tools, said = drawn[0]
    for _ in range(3):
        others = [
            (another(content, random), extra and json.dumps(another(json.loads(extra), random), ensure_ascii=False))
            for content, extra in said
        ]
        drawn.append((system, tools, others))
    check(of_targets[name]._renderer, of_targets[name], drawn)


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_learnt_plain_rows_have_outlines(
    other: Renderer, of_targets: dict[str, Outlines], name: str
) -> None:
    rows = rows_of(
        [(False, None, [(one, None), ("Because.\n    So." + one, None)]) for one in ("Why?", "naïve 🙂", "x")]
    )
    outlines = of_targets[name]
    forget(outlines)
    for _ in range(2):
        found, encoded = outlines.encode(rows, range(3))
    exact = other.blanks != "always" or (other.template.tagged and name in ("answer", "all"))
    # Mistral's template writes a blank where such a tokenizer sets one.
    doubled = other.blanks == "always" and "[INST]" in str(other.tokenizer.chat_template)
    assert found == ([0, 1, 2] if exact and not doubled else [])
    if found:
        whole = outlines._renderer.encode([pieces_of(outlines._renderer, rows[number])[0] for number in found])
        assert all(np.array_equal(one, two) for one, two in zip(encoded[:3], whole[:3], strict=True))
        assert encoded.cuts == whole.cuts
        assert any(encoded.cuts) == bool(TARGETS[name].fields)


def test_tokens_that_are_not_the_bytes_of_their_text_are_encoded_whole(tmp_path: Path) -> None:
    tokenizer = models.with_control(models.trained(tmp_path, Path(__file__).read_text()), "chatml")
    core = json.loads(tokenizer.backend_tokenizer.to_str())
    core["normalizer"] = {"type": "NFC"}
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(core))
    renderer = Renderer(tokenizer, Targets(loss=("user",)))
    rows = rows_of([(False, None, [(one, None), ("Because.", None)]) for one in ("Why?", "cafe\u0301", "é")])
    outlines = Outlines(renderer)
    for _ in range(2):
        found, encoded = outlines.encode(rows, range(3))
    assert found == [0, 2]
    whole = renderer.encode([pieces_of(renderer, rows[number])[0] for number in found])
    assert np.array_equal(encoded.tokens, whole.tokens)
    assert np.array_equal(encoded.loss, whole.loss)
    assert encoded.loss.any()


TRIMMED = (
    "{% for m in messages %}{{ m.role }}: "
    "{{ m.content | trim if m.role == 'assistant' and not loop.last else m.content }}"
    "{{ eos_token if m.role == 'assistant' else '\n' }}{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
)
LAST = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content if loop.last else m.content | trim }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize("targets", ["all", "last", "user", "fields"])
@pytest.mark.parametrize(("template", "said"), [(TRIMMED, ["Hi", "", "And?", "So."]), (LAST, ["Hi", ""])])
def test_an_answer_that_only_some_rows_locate_is_cut_where_it_is_in_each(
    template: str, said: list[str], targets: str, data: Path
) -> None:
    tokenizer = models.with_control(copy.deepcopy(models.gpt2(data)), "chatml")
    tokenizer.chat_template = template
    renderer = Renderer(tokenizer, TARGETS[targets])
    rows = rows_of(
        [
            (False, None, [(one or answer, None) for one in said])
            for answer in ("a\n", "Yes.\n", "Because", "Yes", "\n\n\nx")
        ]
    )
    assert_as_whole(renderer, rows)


@pytest.mark.parametrize("opening", ["<q>", "<q"])
def test_a_blank_behind_any_added_token_is_set(opening: str, tmp_path: Path) -> None:
    tokenizer = models.with_control(models.trained(tmp_path, Path(__file__).read_text()), "chatml")
    core = json.loads(tokenizer.backend_tokenizer.to_str())
    core["pre_tokenizer"]["add_prefix_space"] = True
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(core))
    tokenizer.add_tokens([AddedToken("<q>", normalized=False, special=False)])
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
        "<|im_end|>{% endgeneration %}{% else %}" + opening + "{{ m.content }}<|im_end|>{% endif %}\n{% endfor %}"
    )
    said = (" yes", " yes", "yes", ">yes", "x>yes")
    assert_as_whole(Renderer(tokenizer), rows_of([(False, None, [(one, None), ("So.", None)]) for one in said]))


def test_a_word_of_its_own_beside_a_control_token(tmp_path: Path) -> None:
    tokenizer = models.with_control(models.trained(tmp_path, Path(__file__).read_text()), "chatml")
    tokenizer.add_tokens([AddedToken("foo", single_word=True, normalized=False, special=False)])
    tokenizer.add_special_tokens({"extra_special_tokens": ["END"]})  # type: ignore[dict-item]
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}END{% endgeneration %}"
        "{% else %}{{ m.content }}\n{% endif %}{% endfor %}"
    )
    assert_as_whole(
        Renderer(tokenizer),
        rows_of([(False, None, [("Hi", None), (one, None)]) for one in ("a", "a", "a foo", "foo")]),
    )


def test_a_tokenizer_that_sets_a_blank_before_every_word_is_not_cut_inside_a_text(tmp_path: Path) -> None:
    tokenizer = models.with_control(models.trained(tmp_path, Path(__file__).read_text()), "chatml")
    core = json.loads(tokenizer.backend_tokenizer.to_str())
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    core["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, space]}
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(core))
    rows = rows_of([(False, None, [("Why?", None), ("So it is.", None)])] * 3)
    with pytest.raises(InputError, match="blank before every word"):  # between `assistant\n` and the answer
        pieces_of(Renderer(tokenizer), rows[0])


def assert_as_whole(renderer: Renderer, rows: CuratedRows) -> None:
    """Every row, one after the other and again, is as if it were encoded by itself."""
    outlines = Outlines(renderer)
    for number in [*range(len(rows)), *range(len(rows))]:
        found, encoded = outlines.encode(rows, [number])
        try:
            whole = renderer.encode([pieces_of(renderer, rows[number])[0]])
        except InputError:
            assert not found
            continue
        if found:
            assert encoded.tokens.tolist() == whole.tokens.tolist(), number
            assert encoded.loss.tolist() == whole.loss.tolist(), number


def test_a_token_that_another_reaches_over_does_not_cut() -> None:
    end = AddedToken("<|end|>", special=True, normalized=False)
    plain = [end, AddedToken("<|begin|>", special=True, normalized=False), AddedToken(">>", special=False)]
    assert stands_alone(end, plain)
    for other in ("<|end|>\n", "<<|", "a<|end|>", "<<"):
        assert not stands_alone(end, [*plain, AddedToken(other, special=False)])
    for changed in ({"lstrip": True}, {"rstrip": True}, {"single_word": True}, {"normalized": True}):
        given: dict[str, Any] = {"normalized": False, **changed}
        assert not stands_alone(AddedToken("<|end|>", special=True, **given), plain)


def test_tools_that_a_template_writes_as_json_are_filled_in(tmp_path: Path) -> None:
    trained = models.trained(tmp_path, Path(__file__).read_text())
    said: list[tuple[str, str | None]] = [("Why?", None), ("Because.", None)]
    rows = rows_of([(False, [{**TOOL, "number": n}] * size, said) for n in range(3) for size in (1, 2)])
    for name in ("chatml", "llama3", "mistral"):  # each; indented; all together
        renderer = Renderer(models.with_control(copy.deepcopy(trained), name))
        outlines = Outlines(renderer)
        outlines.encode(rows, range(6))
        found, encoded = outlines.encode(rows, range(6))
        whole = renderer.encode([pieces_of(renderer, rows[number])[0] for number in found])
        assert found == [0, 1, 2, 3, 4, 5]
        assert np.array_equal(encoded.tokens, whole.tokens)
        assert np.array_equal(encoded.loss, whole.loss)
