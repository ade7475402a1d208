"""Rows encoded by what differs between them have the very tokens and masks of rows encoded whole."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.pack.examples import Renderer
from pipeline.pack.outlines import Outlines
from pipeline.pack.tokenise import pieces_of

from . import models
from .drawn_rows import FULL, OBJECTS, TOOL, another, check, rows_of, talks, tools
from .models import STOPS

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


@given(st.lists(st.tuples(st.booleans(), tools, talks), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
def test_every_row_is_as_if_it_were_encoded_whole(
    renderer: Renderer, outlines: Outlines, drawn: list[tuple[bool, Any, list[tuple[str, str | None]]]]
) -> None:
    check(renderer, outlines, drawn)


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
    for drawn in ([aliased] * 20 + [plain] * 20, [plain, aliased] * 20, [plain, aliased, aliased] * 20):
        rows = rows_of([(False, None, one) for one in drawn])
        outlines = Outlines(renderer)
        outlines.encode(rows, range(len(drawn)))
        wanted = {number for number, one in enumerate(drawn) if one is plain}
        assert wanted.issubset(outlines.encode(rows, range(len(drawn)))[0])


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
