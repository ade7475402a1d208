"""Small conversations that a chat template is tried on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors import InputError
from pipeline.pack.examples import Renderer
from pipeline.pack.targets import Conversation

__all__ = ["ASK", "CONVERSATIONS", "REASONED", "Probe", "refusal", "row_of"]

Messages = Sequence[Mapping[str, Any]]

ASK, _ANSWER = {"role": "user", "content": "Is it on?"}, {"role": "assistant", "content": "Yes."}
REASONED = {**_ANSWER, "reasoning_content": "The lamp is lit."}
_SYSTEM = {"role": "system", "content": "Be brief."}
_MORE = [{"role": "user", "content": "Still?"}, {"role": "assistant", "content": "No."}]
_CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "a1b2c3d4e", "type": "function", "function": {"name": "look", "arguments": {"at": "lamp"}}}],
}
_RESULT = {"role": "tool", "content": "lit", "tool_call_id": "a1b2c3d4e", "name": "look"}
_TOOLS = [{"type": "function", "function": {"name": "look", "description": "See.", "parameters": {}}}]

CONVERSATIONS: dict[str, tuple[Messages, Any]] = {
    "one turn": ([ASK, _ANSWER], None),
    "several turns": ([ASK, _ANSWER, *_MORE], None),
    "a system prompt": ([_SYSTEM, ASK, _ANSWER], None),
    "reasoning": ([ASK, REASONED, *_MORE], None),
    "tools": ([ASK, _CALL, _RESULT, _ANSWER, *_MORE], _TOOLS),
    "an answer first": ([_SYSTEM, {"role": "assistant", "content": "Hello."}, ASK, _ANSWER], None),
    "an answer first with tools": ([_SYSTEM, {"role": "assistant", "content": "Hello."}, ASK, _ANSWER], _TOOLS),
}
"""What it holds → messages and tools; the first is what every template has to take."""


class Probe:
    """A conversation as it is trained, and as a server has its last answer written."""

    def __init__(self, renderer: Renderer, messages: Messages, tools: Any = None) -> None:
        row = row_of(renderer, messages, tools)
        before = Conversation(messages=row.messages[:-1], tools=row.tools, fields=row.fields)
        self.answer = str(row.messages[-1]["content"])
        self.pieces, _ = renderer.example(row)
        encoded = renderer.encode([self.pieces])
        self.tokens, self.loss = encoded.tokens.tolist(), encoded.loss.tolist()
        self.prompt = renderer.encode([renderer.prompt(before)]).tokens.tolist()
        special = {index for index, token in renderer.tokenizer.added_tokens_decoder.items() if token.special}
        targets = [token for token, target in zip(self.tokens, self.loss, strict=True) if target]
        self.stops = sorted({token for token in targets if token in special})
        ends = bool(targets) and targets[-1] in special
        self.end = str(renderer.tokenizer.convert_ids_to_tokens(targets[-1])) if ends else ""
        """The token that ends the answer, if it is learnt."""

    @property
    def trained(self) -> str:
        """The text of the targets."""
        parts = (
            [piece.text] if piece.target else [piece.text[first:last] for first, last in piece.partly]
            for piece in self.pieces
        )
        return "".join(text for part in parts for text in part)


def row_of(renderer: Renderer, messages: Messages, tools: Any) -> Conversation:
    """The conversation as a row; `passthrough`'s rows bring their end token with them."""
    end = str(renderer.tokenizer.eos_token or "") if renderer.template.trusts else ""
    given = [
        {**message, "content": message["content"] + end} if message["role"] == "assistant" else message
        for message in messages
    ]
    metadata = json.dumps(dict.fromkeys(renderer.fields, "on"))
    return renderer.row(given, json.dumps(tools) if tools else None, metadata)


def refusal(renderer: Renderer, messages: Messages, tools: Any) -> str:
    """Why the template does not take a conversation; empty where it does."""
    try:
        row = row_of(renderer, messages, tools)
        renderer.template.render(row.messages, row.tools, row.fields)
        renderer.prompt(Conversation(messages=row.messages[:-1], tools=row.tools, fields=row.fields))
    except InputError as error:
        return error.what.removeprefix("the chat template refuses a conversation: ")
    return ""
