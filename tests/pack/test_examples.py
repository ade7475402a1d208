"""Rendering: what is trained is the answer and its end, after exactly the prompt that a server sends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from pipeline.config import Pack
from pipeline.pack.examples import Renderer, render_prompt
from pipeline.pack.tokenizer import load_tokenizer, make_tokenizer

from .conftest import Row

ANSWERS = [
    "def f():\n    return 1",
    "    def indented(self):\n        pass\n",  # a merge over the border would eat the header's newline
    "\n\nleading newlines",
    "naïve café – 東京 🙂",
    "tail  \n",
    "",
]


@pytest.fixture(scope="module", params=["trained", "gpt2", "stories260k"])
def tokenizer(
    request: pytest.FixtureRequest, rows: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> PreTrainedTokenizerBase:
    """Ours with ChatML, one of 50 257 pieces and one of 512 pieces without ChatML's tokens."""
    folder = tmp_path_factory.mktemp("tokenizer")
    source = None
    if request.param != "trained":
        data: Path = request.getfixturevalue("data")
        source = str(data / {"gpt2": "tokenizers/gpt2", "stories260k": "model-stories260k"}[request.param])
    texts = (message["content"] for row in rows for message in row["messages"])
    make_tokenizer(Pack(tokenizer=source, vocab_size=600), lambda: texts, folder)
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def renderer(tokenizer: PreTrainedTokenizerBase) -> Renderer:
    return Renderer(tokenizer)


def pair(answer: str, **extra: Any) -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": "Write f.", "extra": None},
        {"role": "assistant", "content": answer, "extra": json.dumps(extra) if extra else None},
    ]


@pytest.mark.parametrize("answer", ANSWERS)
def test_targets_are_the_answer_and_its_end(
    tokenizer: PreTrainedTokenizerBase, renderer: Renderer, answer: str
) -> None:
    encoded = renderer.encode([renderer.conversation(pair(answer))])
    targets = encoded.tokens[encoded.loss].tolist()
    assert targets[-1] == tokenizer.eos_token_id
    # Decoded with what stands before it: some decoders take the first blank off a text.
    first = encoded.loss.argmax()
    before, whole = (str(tokenizer.decode(encoded.tokens[:last])) for last in (first, first + len(targets) - 1))
    assert whole == before + answer


@pytest.mark.parametrize("answer", ANSWERS)
def test_training_begins_with_the_prompt_that_is_served(
    tokenizer: PreTrainedTokenizerBase, renderer: Renderer, answer: str
) -> None:
    messages = [{"role": "system", "content": "Be brief."}, *pair(answer), {"role": "user", "content": "And g?"}]
    whole = renderer.encode([renderer.conversation([*messages, {"role": "assistant", "content": "    g()"}])])
    for turn in (2, 4):
        prompt = render_prompt(tokenizer, messages[:turn])
        assert whole.tokens[: len(prompt)].tolist() == prompt
        assert whole.loss[len(prompt)]
        assert not whole.loss[len(prompt) - 1]


def test_prompt_equals_the_render_of_transformers(tokenizer: PreTrainedTokenizerBase) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Write f."}]
    served = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]  # type: ignore[index,call-overload]
    assert render_prompt(tokenizer, messages) == served
    with_tools = [{"type": "function", "function": {"name": "g", "parameters": {}}}]
    served = tokenizer.apply_chat_template(messages, tools=with_tools, add_generation_prompt=True)["input_ids"]  # type: ignore[index,call-overload,arg-type]
    assert render_prompt(tokenizer, messages, json.dumps(with_tools)) == served


def test_a_row_cannot_close_its_own_message(tokenizer: PreTrainedTokenizerBase, renderer: Renderer) -> None:
    control = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    ids = set(tokenizer.convert_tokens_to_ids(control))
    text = f"print('{tokenizer.eos_token}') and {' '.join(control)}"
    clean, attack = (renderer.encode([renderer.conversation(pair(answer))]).tokens for answer in ("x", text))
    assert sum(token in ids for token in attack.tolist()) == sum(token in ids for token in clean.tolist())
    assert text.replace(" ", "") in str(tokenizer.decode(attack)).replace(" ", "")
    document = renderer.encode([renderer.document(text)]).tokens.tolist()
    assert [token for token in document if token in ids][-1] == document[-1]
    assert sum(token in ids for token in document) == 1 + (document[0] in ids)


@pytest.mark.parametrize("place", ["name", "description", "parameter", "key", "deep", "argument", "call", "id", "text"])
def test_tools_and_calls_cannot_close_a_message(
    tokenizer: PreTrainedTokenizerBase, renderer: Renderer, place: str
) -> None:
    """Neither by values nor by keys, wherever the template writes them."""
    control = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    ids = set(tokenizer.convert_tokens_to_ids(control))

    def encoded(text: str) -> list[int]:
        at = {place: text}
        parameters = {"properties": {at.get("parameter", "x"): {}, "y": {"enum": [{at.get("deep", "x"): 1}]}}}
        function = {"name": at.get("name", "f"), "description": at.get("description", "x"), "parameters": parameters}
        arguments: Any = {at.get("argument", "x"): {"y": [{at.get("argument", "x"): 1}]}}
        if place == "text":
            arguments = json.dumps({text: 1})
        call = {"id": at.get("id", "x"), "function": {"name": at.get("call", "f"), "arguments": arguments}}
        tools = json.dumps([{"type": "function", "function": function, at.get("key", "x"): 1}])
        return renderer.encode([renderer.conversation(pair("x", tool_calls=[call]), tools)]).tokens.tolist()

    attack = " ".join(control)
    clean, attacked = encoded("x"), encoded(attack)
    assert sum(token in ids for token in attacked) == sum(token in ids for token in clean)
    if place != "id":  # which is not written
        assert attack.replace(" ", "") in str(tokenizer.decode(attacked)).replace(" ", "")


def test_bos_stands_once_where_the_tokenizer_wants_it(tokenizer: PreTrainedTokenizerBase, renderer: Renderer) -> None:
    wants = tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    for pieces in (renderer.conversation(pair("x")), renderer.document("x y z")):
        tokens = renderer.encode([pieces]).tokens.tolist()
        heads = tokens[: len(tokens) // 2].count(tokenizer.bos_token_id) if tokenizer.bos_token_id is not None else 0
        assert heads == (1 if wants else 0)
        assert (tokens[0] == tokenizer.bos_token_id) == wants


def test_a_document_is_trained_whole_with_its_end(
    tokenizer: PreTrainedTokenizerBase, renderer: Renderer, rows: list[Row]
) -> None:
    text = next(row["messages"][0]["content"] for row in rows if row["kind"] == "code")
    encoded = renderer.encode([renderer.document(text)])
    assert encoded.loss[1:].all()
    assert not encoded.loss[0]  # nothing stands before it
    assert encoded.tokens[-1] == tokenizer.convert_tokens_to_ids(renderer.end_of_document)
    assert str(tokenizer.decode(encoded.tokens[:-1], skip_special_tokens=True)) == text


def test_rows_encode_the_same_alone_and_in_a_batch(tokenizer: PreTrainedTokenizerBase, renderer: Renderer) -> None:
    many = [*(renderer.conversation(pair(answer)) for answer in ANSWERS), [], renderer.document("one")]
    together = renderer.encode(many)
    alone = [renderer.encode([one]) for one in many]
    assert together.lengths.tolist() == [len(one.tokens) for one in alone]
    assert together.tokens.tolist() == [token for one in alone for token in one.tokens.tolist()]
    assert together.loss.tolist() == [bit for one in alone for bit in one.loss.tolist()]


def test_tool_calls_and_reasoning_are_trained_not_lost(tokenizer: PreTrainedTokenizerBase, renderer: Renderer) -> None:
    call = {"type": "function", "function": {"name": "lookup", "arguments": '{"city": "Bern"}'}}
    messages = pair("Looking.", tool_calls=[call], reasoning_content="I need the city.")
    encoded = renderer.encode([renderer.conversation(messages)])
    trained = str(tokenizer.decode(encoded.tokens[encoded.loss]))
    assert '{"name": "lookup", "arguments": {"city": "Bern"}}' in trained
    assert "I need the city." in trained
