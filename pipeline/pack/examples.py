r"""From a row to an example: the template's text in pieces, and the pieces' tokens with their targets.

A conversation is cut where an answer begins and ends, and the pieces are encoded apart. So the tokens before an answer
are the very tokens that a server sends as the prompt, whatever the answer begins with. (Encoding the whole text and
looking up offsets lets a byte-pair merge reach over the border: `assistant\n` + `    def …` begins with one token
`\n   `, which no prompt ends with.) Where else targets begin or end, inside a piece, nothing is cut: a token is a
target if all its characters are. So tokens never depend on what is learnt.

Text of a row that looks like a control token (`<|im_end|>` in a file about ChatML) is encoded as text, so that no
row can close its own message; the template `passthrough` is for rows that hold control tokens.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.pack.encoder import encoder_of, leading_blank
from pipeline.pack.piece import Encoded, Piece, within
from pipeline.pack.prompt_template import named_fields, row_fields
from pipeline.pack.render import Message, Rendered, Span, Template, plain_message
from pipeline.pack.shipped import PASSTHROUGH
from pipeline.pack.targets import Conversation, Targets, answers, target_spans

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

__all__ = ["END_OF_DOCUMENT", "Encoded", "Piece", "Renderer", "adds_bos", "render_prompt"]

END_OF_DOCUMENT = "<|endoftext|>"
"""Ends a text or code row where the tokenizer has it; else its end-of-sequence token does."""


def render_prompt(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Message],
    tools: str | None = None,
    metadata: str | None = None,
) -> list[int]:
    """The tokens that a server would send to the model to have the next answer written.

    Args:
        tokenizer: of the run (its `tokenizer` folder).
        messages: mappings with `role` and `content`, and `extra` (exact JSON of further keys) or the keys themselves.
        tools: exact JSON, as in the curated rows.
        metadata: exact JSON, as in the curated rows; a prompt template's further fields are in it.

    Raises:
        InputError: the template refuses the messages, or a field is missing.
    """
    renderer = _renderer(tokenizer, str(tokenizer.chat_template))
    pieces = renderer.conversation(messages, tools, metadata, add_generation_prompt=True)
    return [int(token) for token in renderer.encode([pieces]).tokens]


class Renderer:
    """Turns rows into pieces, and pieces into tokens, with one tokenizer and its chat template.

    Args:
        tokenizer: with its chat template.
        targets: what is learnt.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, targets: Targets | None = None) -> None:
        self.tokenizer = tokenizer
        self.targets = targets or Targets()
        source = str(tokenizer.chat_template)
        control = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
        self.template = Template(source, tokenizer.special_tokens_map, control, trusts=source == PASSTHROUGH)
        self.fields = named_fields(source)
        self.blanks = leading_blank(tokenizer)
        self._encoders: dict[tuple[bool, bool], Tokenizer] = {}
        self._bos = str(tokenizer.bos_token) if adds_bos(tokenizer) else None
        self._end = END_OF_DOCUMENT if END_OF_DOCUMENT in control else tokenizer.eos_token

    def learning(self, targets: Targets) -> Renderer:
        """The same with other targets."""
        other = copy(self)
        other.targets = targets
        return other

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

    def row(self, messages: Sequence[Message], tools: str | None = None, metadata: str | None = None) -> Conversation:
        """A row of the curated schema as the template takes it.

        Raises:
            InputError: a prompt template names a field that the row lacks.
        """
        fields = row_fields(self.fields, json.loads(metadata) if metadata else {}) if self.fields else {}
        plain = [plain_message(message) for message in messages]
        return Conversation(messages=plain, tools=json.loads(tools) if tools else None, fields=fields)

    def conversation(
        self,
        messages: Sequence[Message],
        tools: str | None = None,
        metadata: str | None = None,
        *,
        add_generation_prompt: bool = False,
    ) -> list[Piece]:
        """A conversation through the template; `add_generation_prompt` ends it with the head of an answer.

        Raises:
            InputError: the template refuses the messages, or no exact mask exists for them.
        """
        row = self.row(messages, tools, metadata)
        return self.prompt(row) if add_generation_prompt else self.example(row)[0]

    def prompt(self, row: Conversation) -> list[Piece]:
        """The pieces of what a server sends to have the next answer written.

        Raises:
            InputError: the template refuses the messages.
        """
        rendered = self.template.render(row.messages, row.tools, row.fields, add_generation_prompt=True)
        return self._pieces(rendered, answers(self.template, row, rendered).values(), [])

    def served(self, row: Conversation) -> list[int]:
        """The tokens of that prompt as `apply_chat_template` of transformers, and so most servers, make them."""
        apply: Any = self.tokenizer.apply_chat_template
        given = apply(list(row.messages), tools=row.tools, fields=row.fields, add_generation_prompt=True)
        return list(given["input_ids"])

    def example(self, row: Conversation, *, locate: bool = False) -> tuple[list[Piece], Rendered]:
        """The pieces of a whole row, and the text that they are cut from.

        Raises:
            InputError: the template refuses the messages, or no exact mask exists for them.
        """
        rendered = self.template.render(row.messages, row.tools, row.fields, locate=locate or self.targets.locate)
        found = answers(self.template, row, rendered)
        learnt: list[Span] = []
        if self.targets.loss != "all":
            learnt = target_spans(self.template, row, rendered, found, self.targets)
        return self._pieces(rendered, found.values(), learnt, self._cuts(row, rendered)), rendered

    def _cuts(self, row: Conversation, rendered: Rendered) -> list[Span]:
        """Where the fields stand that may be cut first: named fields, `input` and `output`, or roles."""
        roles = {"user": "input", "assistant": "output"}
        found = []
        for place in rendered.located or ():
            role = row.messages[place.message]["role"] if place.message >= 0 else ""
            names = {place.field} if place.message < 0 else {role, roles.get(role, role)}
            if (place.message < 0 or place.field == "content") and names & set(self.targets.fields):
                found.append((place.first, place.last))
        return sorted(found)

    def encode(self, rows: Sequence[Sequence[Piece]]) -> Encoded:
        """Encode the pieces of many rows in few batches; offsets are asked for only where a piece is learnt in part."""
        pieces = [piece for row in rows for piece in row]
        ids = array("I")  # in the order in which they come; it takes lists several times as fast as NumPy
        starts, sizes = [0] * len(pieces), [0] * len(pieces)
        masks: dict[int, NDArray[np.bool_]] = {}
        cuts: dict[int, list[tuple[int, int, int]]] = {}
        for index, encoding in self.encodings(pieces):
            own = encoding.ids
            starts[index], sizes[index] = len(ids), len(own)
            ids.fromlist(own)
            if pieces[index].partly:
                masks[index] = within(encoding.offsets, pieces[index].partly)
            for field, first, last in pieces[index].cuts:
                inside = np.flatnonzero(within(encoding.offsets, [(first, last)]))
                if len(inside):
                    cuts.setdefault(index, []).append((field, int(inside[0]), int(inside[-1]) + 1))
        per_piece = np.array(sizes, dtype=np.int64)
        row_of_piece = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        lengths = np.bincount(row_of_piece, weights=per_piece, minlength=len(rows)).astype(np.int64)
        loss = np.repeat(np.array([piece.target for piece in pieces], dtype=np.bool_), per_piece)
        ends = np.cumsum(per_piece)
        for index, mask in masks.items():
            loss[ends[index] - per_piece[index] : ends[index]] = mask
        loss[(np.cumsum(lengths) - lengths)[lengths > 0]] = False
        heads = ends - per_piece - np.repeat(np.cumsum(lengths) - lengths, [len(row) for row in rows])
        merged: list[dict[int, list[int]]] = [{} for _ in rows]
        for index in sorted(cuts):
            for field, first, last in cuts[index]:
                # A field whose text was cut into pieces goes from the first to the last of them.
                place = merged[row_of_piece[index]].setdefault(field, [int(heads[index]) + first, 0])
                place[1] = int(heads[index]) + last
        places = np.repeat(np.array(starts, dtype=np.int64) - (ends - per_piece), per_piece) + np.arange(len(ids))
        return Encoded(
            tokens=np.array(ids, dtype=np.uint32)[places],
            loss=loss,
            lengths=lengths,
            cuts=[[place for ends in one.values() for place in ends] for one in merged],
        )

    def tokens_of(self, text: str, *, inner: bool = False) -> list[int]:
        """The tokens of a text by itself, control tokens in it being such; `inner`: it goes on from another."""
        return list(self._encoder(literal=False, inner=inner).encode(text, add_special_tokens=False).ids)

    def encodings(self, pieces: Sequence[Piece], *, offsets: bool = False) -> Iterator[tuple[int, Any]]:
        """The number of each piece and its encoding, in an order of their own.

        Args:
            pieces: to encode.
            offsets: ask for the place of every token, not only in pieces that are learnt in part.
        """
        batches: dict[tuple[bool, bool, bool], list[int]] = {}
        for index, piece in enumerate(pieces):
            batches.setdefault((piece.literal, piece.inner, offsets or bool(piece.partly or piece.cuts)), []).append(
                index
            )
        for (literal, inner, placed), mine in batches.items():
            encoder = self._encoder(literal=literal, inner=inner)
            encode = encoder.encode_batch if placed else encoder.encode_batch_fast
            yield from zip(mine, encode([pieces[index].text for index in mine], add_special_tokens=False), strict=True)

    def _encoder(self, *, literal: bool, inner: bool) -> Tokenizer:
        if (found := self._encoders.get((literal, inner))) is None:
            found = self._encoders[literal, inner] = encoder_of(self.tokenizer, literal=literal, inner=inner)
        return found

    def _pieces(
        self, rendered: Rendered, generated: Iterable[Span], learnt: Sequence[Span], fields: Sequence[Span] = ()
    ) -> list[Piece]:
        """Cut a text where answers begin and end, and around what only looks like a control token.

        Args:
            rendered: the text.
            generated: where its answers stand.
            learnt: the targets' characters, in order.
            fields: characters that may be cut first.
        """
        text, literal = rendered.text, set(rendered.literal)
        borders = sorted({0, len(text), *(place for span in (*generated, *literal) for place in span)})
        pieces = []
        for first, last in pairwise(borders):
            inside = tuple((max(a, first) - first, min(b, last) - first) for a, b in learnt if a < last and b > first)
            whole = inside == ((0, last - first),)
            pieces.append(
                Piece(
                    text[first:last],
                    target=whole,
                    literal=(first, last) in literal,
                    partly=() if whole else inside,
                    inner=self._goes_on(rendered, first),
                    cuts=tuple(
                        (number, max(a, first) - first, min(b, last) - first)
                        for number, (a, b) in enumerate(fields)
                        if a < last and b > first
                    ),
                )
            )
        return pieces

    def _goes_on(self, rendered: Rendered, place: int) -> bool:
        """Whether no blank is set before what begins at `place`, as none would be in the whole text."""
        if place == 0 or self.blanks is None:
            return False
        goes_on = self.blanks == "first" or not self.template.control_ends(rendered, place)
        if goes_on and self.blanks == "words":
            raise InputError(
                "the tokenizer sets a blank before every word, so a text cannot be cut between control tokens",
                where=f"at {place} of {len(rendered.text)} characters",
                mend="use a template that writes a control token where an answer begins and ends, or another tokenizer",
            )
        return goes_on


def adds_bos(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the tokenizer sets its begin-of-sequence token in front of a text by itself."""
    ids = tokenizer("a")["input_ids"]
    return tokenizer.bos_token_id is not None and len(ids) > 1 and ids[0] == tokenizer.bos_token_id


@lru_cache(maxsize=4)
def _renderer(tokenizer: PreTrainedTokenizerBase, template: str) -> Renderer:
    """Kept, because its encoders take long to make; a template that was set anew makes another one."""
    return Renderer(tokenizer)
