r"""From a row to an example: the template's text in pieces, and the pieces' tokens with their targets.

A conversation is cut where the template's `{% generation %}` blocks begin and end, and the pieces are encoded apart.
So the tokens before an answer are the very tokens that a server sends as the prompt, whatever the answer begins
with, and a token is a target exactly if its piece is. (Encoding the whole text and looking up offsets lets a byte-pair
merge reach over the border: `assistant\n` + `    def …` begins with one token `\n   `, which no prompt ends with.)

Text of a row that looks like a control token (`<|im_end|>` in a file about ChatML) is encoded as text, so that no
row can close its own message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

__all__ = ["END_OF_DOCUMENT", "Encoded", "Piece", "Renderer", "render_prompt"]

END_OF_DOCUMENT = "<|endoftext|>"
"""Ends a text or code row where the tokenizer has it; else its end-of-sequence token does."""


class Piece(NamedTuple):
    """Text that is encoded by itself."""

    text: str
    target: bool
    literal: bool = False
    """Control tokens in it are text."""


class Encoded(NamedTuple):
    """Examples one after another."""

    tokens: NDArray[np.uint32]
    """Shape (T,)."""
    loss: NDArray[np.bool_]
    """Shape (T,); the first token of an example has nothing before it and is no target."""
    lengths: NDArray[np.int64]
    """Shape (rows,), summing to T."""


def render_prompt(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, Any]], tools: str | None = None
) -> list[int]:
    """The tokens that a server would send to the model to have the next answer written.

    Args:
        tokenizer: of the run (its `tokenizer` folder).
        messages: mappings with `role` and `content`, and `extra` (exact JSON of further keys) or the keys themselves.
        tools: exact JSON, as in the curated rows.

    Raises:
        InputError: the template refuses the messages.
    """
    renderer = _renderer(tokenizer)
    pieces = renderer.conversation(messages, tools, add_generation_prompt=True)
    return [int(token) for token in renderer.encode([pieces]).tokens]


class Renderer:
    """Turns rows into pieces, and pieces into tokens, with one tokenizer and its chat template."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        control = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
        self._control = re.compile("|".join(map(re.escape, sorted(control, key=len, reverse=True))) or "(?!)")
        self._encoders = _encoder(tokenizer, literal=False), _encoder(tokenizer, literal=True)
        self._bos = str(tokenizer.bos_token) if adds_bos(tokenizer) else None
        self._end = END_OF_DOCUMENT if END_OF_DOCUMENT in control else tokenizer.eos_token

    @property
    def end_of_document(self) -> str | None:
        """The token that ends a text or code row."""
        return self._end

    def document(self, text: str) -> list[Piece]:
        """A text or code row: the text and an end token; the front mark where the tokenizer sets one itself."""
        pieces = [Piece(text, target=True, literal=True)]
        if self._bos:
            pieces.insert(0, Piece(self._bos, target=False))
        if self._end:
            pieces.append(Piece(str(self._end), target=True))
        return pieces

    def conversation(
        self, messages: Sequence[Mapping[str, Any]], tools: str | None = None, *, add_generation_prompt: bool = False
    ) -> list[Piece]:
        """A conversation through the template; `add_generation_prompt` ends it with the head of an answer.

        Raises:
            InputError: the template refuses the messages.
        """
        given: tuple[Any, Any] = ([_plain(message) for message in messages], json.loads(tools) if tools else None)
        marks = self._marks(given)
        if marks:
            given = self._marked(given, marks)
        text, spans = self._render(*given, add_generation_prompt=add_generation_prompt)
        pieces = []
        at = 0
        for first, last in spans:
            pieces += [Piece(text[at:first], target=False), Piece(text[first:last], target=True)]
            at = last
        pieces.append(Piece(text[at:], target=False))
        if marks:
            pieces = [part for piece in pieces for part in _split(piece, marks)]
        return [piece for piece in pieces if piece.text]

    def encode(self, rows: Sequence[Sequence[Piece]]) -> Encoded:
        """Encode the pieces of many rows in one batch (a second one where there is literal text)."""
        pieces = [piece for row in rows for piece in row]
        ids: list[NDArray[np.uint32]] = [np.empty(0, np.uint32)] * len(pieces)
        for literal, encoder in enumerate(self._encoders):
            mine = [index for index, piece in enumerate(pieces) if piece.literal == literal]
            if not mine:
                continue
            batch = encoder.encode_batch_fast([pieces[index].text for index in mine], add_special_tokens=False)
            for index, encoding in zip(mine, batch, strict=True):
                ids[index] = np.array(encoding.ids, dtype=np.uint32)
        per_piece = np.array([len(piece) for piece in ids], dtype=np.int64)
        row_of_piece = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        lengths = np.bincount(row_of_piece, weights=per_piece, minlength=len(rows)).astype(np.int64)
        loss = np.repeat(np.array([piece.target for piece in pieces], dtype=np.bool_), per_piece)
        loss[(np.cumsum(lengths) - lengths)[lengths > 0]] = False
        return Encoded(tokens=np.concatenate([np.empty(0, np.uint32), *ids]), loss=loss, lengths=lengths)

    def _render(
        self, messages: Any, tools: Any, *, add_generation_prompt: bool
    ) -> tuple[str, Sequence[tuple[int, int]]]:
        """The rendered text, and where in it the generation blocks lie."""
        import jinja2
        from transformers.utils import chat_template_utils

        render: Any = chat_template_utils.render_jinja_template  # annotated as if it returned a string
        try:
            texts, spans = render(
                conversations=[messages],
                tools=tools,
                chat_template=self.tokenizer.chat_template,
                return_assistant_tokens_mask=True,
                add_generation_prompt=add_generation_prompt,
                **self.tokenizer.special_tokens_map,
            )
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            raise InputError(
                f"the chat template refuses a conversation: {error}",
                where="roles: " + ", ".join(str(message["role"]) for message in messages),
                mend="give a template that takes it (`pack.template: my.jinja`), or leave such rows out of the source",
            ) from None
        return texts[0], spans[0]

    def _marks(self, value: Any) -> tuple[str, str] | None:
        """Two characters to set around control tokens, if any string in `value` holds one; neither occurs in it."""
        text = "\0".join(_strings(value))
        if not self._control.search(text):
            return None
        free = (chr(code) for code in count(0x100000) if chr(code) not in text)
        return next(free), next(free)

    def _marked(self, value: Any, marks: tuple[str, str]) -> Any:
        if isinstance(value, str):
            return self._control.sub(lambda found: f"{marks[0]}{found[0]}{marks[1]}", value)
        if isinstance(value, dict):
            return {key: self._marked(item, marks) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._marked(item, marks) for item in value)
        return value


def adds_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer sets its begin-of-sequence token in front of a text by itself."""
    ids = tokenizer("a")["input_ids"]
    return tokenizer.bos_token_id is not None and len(ids) > 1 and ids[0] == tokenizer.bos_token_id


@lru_cache(maxsize=4)
def _renderer(tokenizer: PreTrainedTokenizerBase) -> Renderer:
    return Renderer(tokenizer)


def _encoder(tokenizer: PreTrainedTokenizerBase, *, literal: bool) -> Tokenizer:
    """A copy of the tokenizer's core that neither cuts nor pads."""
    from tokenizers import Tokenizer

    encoder = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    encoder.no_truncation()
    encoder.no_padding()
    encoder.encode_special_tokens = literal
    return encoder


def _plain(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as templates expect it: the keys of `extra` beside role and content."""
    extra = message.get("extra")
    own = {key: value for key, value in message.items() if key != "extra" and value is not None}
    return {**(json.loads(extra) if extra else {}), **own}


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [text for item in value for text in _strings(item)] if isinstance(value, list | tuple) else []


def _split(piece: Piece, marks: tuple[str, str]) -> list[Piece]:
    """Cut a piece at the marks; what stands between them is literal."""
    parts = re.split(f"{marks[0]}([^{marks[1]}]*){marks[1]}", piece.text)
    # A template may cut a string apart between two marks; a mark that is left alone goes.
    return [
        Piece(part.replace(marks[0], "").replace(marks[1], ""), piece.target, literal=bool(number % 2))
        for number, part in enumerate(parts)
    ]
