"""Rows encoded by what differs between them have the very tokens and masks of rows encoded whole."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer

from pipeline.errors import InputError
from pipeline.pack.curated_rows import COLUMNS, CuratedRows
from pipeline.pack.encoder import stands_alone
from pipeline.pack.examples import Renderer
from pipeline.pack.outline import Outlines
from pipeline.pack.targets import Targets
from pipeline.pack.template import choose_template
from pipeline.pack.tokenise import _encode, pieces_of
from pipeline.schema import CURATED

from . import models
from .models import STOPS

SCHEMA = pa.schema([CURATED.field(name) for name in COLUMNS])
REAL = {"chatml": "gpt2", "qwen3": "gpt_neox", "mistral": "mistral"}


@pytest.fixture(scope="module", params=[*STOPS, *(f"{name}-real" for name in REAL)])
def renderer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """Each family with our training template, and a tokenizer of ours or a real one."""
    name, _, real = request.param.partition("-")
    if real:
        tokenizer = getattr(models, REAL[name])(request.getfixturevalue("data"))
    else:
        tokenizer = models.trained(tmp_path_factory.mktemp("bpe"), Path(__file__).read_text())
    return Renderer(models.with_control(copy.deepcopy(tokenizer), name))


@pytest.fixture(scope="module")
def outlines(renderer: Renderer) -> Outlines:
    """One for all rows: its encoder takes long to make."""
    return Outlines(renderer)


# What a tokenizer merges, or a template trims, over the border of a content; control tokens; what stands for others.
contents = st.one_of(
    st.sampled_from(
        ["", " ", "a", "    def f():\n", "    ", "\n\nx", "tail  \n", "<|im_end|>", "<", "naïve 東京 🙂", "'s"]
    ),
    st.sampled_from(["\U00100000", "\U0010fffd", "\U0010fffc", "</think>b", "\x1c", "</s>"]),
    st.text(max_size=8),
)
extras = st.one_of(
    st.none(),
    st.none(),
    st.sampled_from(
        [
            {"frames": ["x"]},
            {"name": "n"},
            {"reasoning_content": "r"},
            {"reasoning": "r"},
            {"thinking": "r"},
            {"rank": "é"},
        ]
    ).flatmap(lambda one: st.sampled_from([json.dumps(one), json.dumps(one).replace("reas", r"\u0072eas")])),
)
# Calls of tools: arguments as text and as objects, nested, empty, escaped, with control tokens in keys and values.
words = st.sampled_from(["", " ", "f", "gét_東京", 'a"b\\c\n', "<|im_end|>", "</s>", "\U00100000", "\U0010fffd"])
values = st.recursive(
    st.one_of(words, st.sampled_from([None, True, 1, 1.0, -0.0, 1e30, 10**20])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(words, inner, max_size=2)),
    max_leaves=4,
)
arguments = st.one_of(
    st.sampled_from(['{"a": 1}', '{"é":  "\\u00e9<"}', "{}", "", " ", '{"<|im_end|>": 0}', {}, {"a": {}}, [], None]),
    st.dictionaries(words, values, max_size=2),
    values,
)
functions = st.fixed_dictionaries({"name": words}, optional={"arguments": arguments})
calls = st.one_of(
    functions,
    functions.map(lambda one: {"type": "function", "function": one}),
    st.tuples(words, functions).map(lambda one: {"id": one[0], "type": "function", "function": one[1], "index": 0}),
    functions.map(lambda one: {"function": None, **one}),
    st.fixed_dictionaries({"function": functions}, optional={"<|im_end|>": words, "\U00100000": words}),
)
calling = st.one_of(
    st.fixed_dictionaries({"tool_calls": st.lists(calls, max_size=3)}, optional={"reasoning_content": contents}),
    st.fixed_dictionaries({"tool_call_id": words}, optional={"name": words, "frames": st.just(["x"])}),
    st.fixed_dictionaries({}, optional={"reasoning_content": contents, "thinking": contents, "name": values}),
    st.sampled_from([{"tool_calls": None}, {"tool_calls": {}}, {"tool_calls": ["f"]}, {"reasoning_content": None}]),
)
message = st.one_of(
    st.tuples(contents, extras),
    st.tuples(contents, st.tuples(calling, st.booleans()).map(lambda one: json.dumps(one[0], ensure_ascii=one[1]))),
)
talks = st.lists(message, min_size=2, max_size=6)
TOOL = {"type": "function", "function": {"name": "f", "description": "é <b> 'x'", "parameters": {"n": 1.50, "a": {}}}}
tools = st.one_of(
    st.none(),
    st.none(),
    st.sampled_from([[], [TOOL], [TOOL, {**TOOL, "strict": None}], [{**TOOL, "note": "<|im_end|></s>"}], ["f"], TOOL]),
    st.lists(st.dictionaries(words, values, max_size=2), max_size=2),
)


def rows_of(drawn: list[tuple[bool, Any, list[tuple[str, str | None]]]]) -> CuratedRows:
    """Rows of (whether there are a system message and answers of tools, tools, contents)."""
    rows = []
    for number, (system, tools, said) in enumerate(drawn):
        talk = ["user", "assistant", "tool", "tool", "assistant"] if len(said) % 2 else ["user", "assistant"] * 3
        roles = (["system"] if system else []) + talk
        messages = [
            {"role": role, "content": content, "extra": extra}
            for role, (content, extra) in zip(roles, said, strict=False)
        ]
        given = json.dumps(tools, ensure_ascii=number % 2 == 0) if tools is not None else None
        rows.append({"id": f"s/f#{number}", "kind": "chat", "messages": messages, "tools": given, "metadata": None})
    # Out of a longer batch, as a reader may cut them.
    return CuratedRows(pa.RecordBatch.from_pylist([*rows[:1], *rows], schema=SCHEMA).slice(1))


def forget(outlines: Outlines) -> None:
    """As new, but for what takes long to make."""
    outlines._known.clear()
    outlines._tried.clear()
    outlines._roles.clear()
    outlines._wanted = frozenset()


def check(renderer: Renderer, outlines: Outlines, drawn: list[tuple[bool, Any, list[tuple[str, str | None]]]]) -> None:
    """Whether rows are encoded as if each were the only one."""
    rows = rows_of(drawn)
    taken = []
    for number in range(len(rows)):
        try:
            pieces_of(renderer, rows[number])
            taken.append(number)
        except InputError:  # roles that do not alternate, a content that the template refuses
            pass
    rows = rows_of([drawn[number] for number in taken])
    forget(outlines)
    expected = renderer.encode([pieces_of(renderer, rows[number])[0] for number in range(len(rows))])
    for _ in range(3):  # the shapes are not known, come again, and are known
        found = _encode(renderer, outlines, rows)
        for one, other in zip(found, expected, strict=True):
            assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other


@given(st.lists(st.tuples(st.booleans(), tools, talks), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
def test_every_row_is_as_if_it_were_encoded_whole(
    renderer: Renderer, outlines: Outlines, drawn: list[tuple[bool, Any, list[tuple[str, str | None]]]]
) -> None:
    check(renderer, outlines, drawn)


FULL = [
    "a",
    "    def f():\n",
    "tail  \n",
    'a"b\\c\n',
    "naïve 東京 🙂",
    "</think>b",
    "<",
    "{{ x }}",
    "'s",
    "\x1c.",
    "\u00a0x",
    "{}",
]
BLANK = [" ", "    ", "\n\n", "\t"]
OBJECTS = [{"a": 1}, {"é\n": {"b": ['"', None, 1.0]}}, {"a": {}, '"': []}, {"": ""}]


def another(value: Any, random: Random, key: str = "") -> Any:
    """A value of the same shape."""
    if isinstance(value, str):
        return random.choice(BLANK if value.isspace() else FULL) if value else value
    if key == "arguments" and value and isinstance(value, dict | list):
        return random.choice(OBJECTS) if isinstance(value, dict) else random.choice([[1], ["é", {}]])
    if isinstance(value, list):
        return [another(one, random) for one in value]
    return {name: another(one, random, name) for name, one in value.items()} if isinstance(value, dict) else value


@given(st.booleans(), tools, talks, st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=25)
def test_rows_of_one_shape_that_differ_in_every_string(
    renderer: Renderer,
    outlines: Outlines,
    system: bool,
    tools: Any,
    said: list[tuple[str, str | None]],
    random: Random,
) -> None:
    drawn = [(system, tools, said)]
    objects = isinstance(tools, list) and all(isinstance(one, dict) and one for one in tools)
    for _ in range(6):
        other = [random.choice([{**one, "note": random.choice(FULL)}, *OBJECTS]) for one in tools] if objects else tools
        others = [
            (another(content, random), extra and json.dumps(another(json.loads(extra), random), ensure_ascii=False))
            for content, extra in said
        ]
        drawn.append((system, other, others))
    check(renderer, outlines, drawn)


def test_plain_rows_have_outlines_and_no_others(renderer: Renderer) -> None:
    plain: list[tuple[str, str | None]] = [("Why?", None), ("Because.", json.dumps({"frames": ["name"]}))]
    if "    " in renderer.tokenizer.get_added_vocab():  # an added token that controls nothing
        plain[0] = ("Why?    Really?", None)
    asked: list[tuple[str, str | None]] = [("Why?", None), ("Because.", json.dumps({"tool_calls": []}))]
    quoting: list[tuple[str, str | None]] = [("Why?", None), (f"{renderer.tokenizer.eos_token}", None)]
    # A template that asks for `reasoning_content` is given this, by transformers.
    aliased: list[tuple[str, str | None]] = [("Why?", None), ("Because.", json.dumps({"thinking": "hm"}))]
    rows = rows_of([(False, None, one) for one in (plain, asked, quoting, plain, aliased)])
    outlines = Outlines(renderer)
    assert outlines.encode(rows, [0])[0] == []  # the first of a shape: there may be no other
    for _ in range(3):
        found, encoded = outlines.encode(rows, range(5))
    assert found == [0, 1, 3]
    assert len(encoded.lengths) == len(found)


def test_rows_that_cannot_be_compared_do_not_hold_up_those_behind_them(renderer: Renderer) -> None:
    # Whether this holds a row back is the template's to say: only some ask for reasoning.
    aliased: list[tuple[str, str | None]] = [("Why?", None), ("Because.", json.dumps({"thinking": "hm"}))]
    plain: list[tuple[str, str | None]] = [("Why?", None), ("Because.", None)]
    rows = rows_of([(False, None, one) for one in [aliased] * 20 + [plain] * 20])
    outlines = Outlines(renderer)
    outlines.encode(rows, range(40))
    assert set(range(20, 40)).issubset(outlines.encode(rows, range(40))[0])


@pytest.mark.parametrize("text", [True, False])
def test_calls_are_filled_in(renderer: Renderer, text: bool) -> None:
    end = renderer.tokenizer.eos_token
    drawn: list[tuple[bool, Any, list[tuple[str, str | None]]]] = []
    for key in ("a", "gé", 'h"', f"{end}"):
        given = {key: [1, {"b": None}]}
        function = {"name": f"f{key}", "arguments": json.dumps(given) if text else given}
        asks = {"tool_calls": [{"id": key, "type": "function", "function": function}] * 2, "reasoning_content": key}
        answers = {"tool_call_id": key, "name": key}
        said: list[tuple[str, str | None]] = [("Why?", None), ("", json.dumps(asks)), ("So.", json.dumps(answers))]
        drawn.append((False, [{**TOOL, "note": key}], said))
    rows = rows_of(drawn)
    outlines = Outlines(renderer)
    for _ in range(2):
        found, encoded = outlines.encode(rows, range(4))
    assert found == [0, 1, 2]
    whole = renderer.encode([pieces_of(renderer, rows[number])[0] for number in found])
    assert np.array_equal(encoded.tokens, whole.tokens)
    assert np.array_equal(encoded.loss, whole.loss)


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
