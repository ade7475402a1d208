"""Rows of one shape, encoded by what differs between them.

A skeleton says where a template writes the contents, the tools, and what calls hold. So everything about such rows is
known before: where the text is cut into pieces (`examples`), which pieces are targets, and the tokens of what the
template itself writes between two control tokens. What is left to encode is the text around each content, from the
control token or cut before it to the one behind it. Texts of many rows are encoded as one, with a *border* between
them: a token of the encoder's own that no text holds. An encoder takes its added tokens out before anything else and
encodes what is between them apart, so that the tokens are those of each text alone; and one call for many is faster
than many calls.

The first row of each shape is encoded as if it were the only one, and the second both ways: its shape has no outline
if they differ.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.pack.calls import FILLED, form_of, fullness, to_json
from pipeline.pack.curated_rows import CuratedRows
from pipeline.pack.encoder import free_character, stands_alone, with_border
from pipeline.pack.piece import Encoded
from pipeline.pack.skeleton import Skeleton
from pipeline.pack.stand_in import Written

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from pipeline.pack.examples import Renderer

__all__ = ["Outlines"]

_SHAPES = 4096
_TRIES = 4
"""Rows of a shape that are looked at until one can be compared. The first is not: many shapes never come again."""
_CHARACTERS = 2048
"""Of texts that are encoded as one, or a little more: the encoder's memory for longer ones leaves the caches."""
_Shape = tuple[bytes, int, str]
"""Two bytes a message, how many tools, and the `calls.form_of` the messages."""
_CONTENT = "\U00100000"
"""Stands for a content in a template's text; skeletons are made of nothing that holds it."""


class _Outline(NamedTuple):
    parts: list[str]
    """At even places what the template writes, with borders in it, at odd places room for contents."""
    written: list[Written]
    """What is written in this room: numbers of messages, and behind them of tools and of strings of calls."""
    asked: frozenset[str]
    """Other keys of messages that the template asks for: in rows with one of them it may write something else."""
    sizes: NDArray[np.int64]
    """Tokens of each segment; -1: those of a text with contents."""
    targets: NDArray[np.bool_]
    """Of each segment."""
    constants: NDArray[np.uint32]
    """Tokens of the other segments."""

    def filled(self, strings: Sequence[str]) -> str:
        parts = self.parts.copy()
        parts[1::2] = [way.of(strings[number]) if way else strings[number] for number, way in self.written]
        return "".join(parts)


class Outlines:
    """The outlines of one renderer's template, made as their shapes come.

    Args:
        renderer: with its targets.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._known: dict[_Shape, _Outline | None] = {}
        self._tried: dict[_Shape, int] = {}
        self._roles: dict[str, int] = {}
        self._wanted: frozenset[str] = frozenset()
        """Keys of `calls.FILLED` that the template has asked for; what it does not ask for is not looked at."""
        added = renderer.tokenizer.added_tokens_decoder.values()
        # Two characters that a text with neither in it cannot hold: what stands for contents, and the border.
        self._border = free_character(renderer.tokenizer, but=_CONTENT)
        control = [one.content for one in added if one.special]
        quoted = [to_json(text)[1:-1] for text in control]
        sought = dict.fromkeys([*control, *quoted, self._border, _CONTENT])
        self._special = re.compile("|".join(map(re.escape, sought)))
        apart = sorted((one.content for one in added if stands_alone(one, added)), key=len, reverse=True)
        self._apart = re.compile(f"({'|'.join(map(re.escape, apart))})" if apart else "((?!))")

    @property
    def _able(self) -> bool:
        """Whether what is learnt is what stands between the template's tags, and nothing else is asked of its text."""
        renderer, targets = self._renderer, self._renderer.targets
        plain = renderer.template.tagged and not (renderer.template.trusts or renderer.fields or renderer.blanks)
        return plain and not targets.locate and targets.loss in ("answer", "all") and targets.train_on_eos == "turn"

    def encode(self, rows: CuratedRows, numbers: Sequence[int]) -> tuple[list[int], Encoded]:
        """Encode those of the rows whose shape has an outline.

        Args:
            rows: of which some are encoded.
            numbers: of conversations.

        Returns:
            The numbers of the encoded rows, in their order, and their tokens.

        Raises:
            InputError: the template refuses a row, or no exact mask exists for it.
        """
        mine: list[int] = []
        outlines: list[_Outline] = []
        texts: list[str] = []
        if self._able and numbers:
            shapes = self._shapes(rows)
            quoting = self._special.search("\0".join(rows.contents)) is not None
            first = rows.first.tolist()
            for number in numbers:
                begin, end = first[number], first[number + 1]
                contents = rows.contents[begin:end]
                if quoting and self._special.search("\0".join(contents)):
                    continue
                known = self._known_of(rows, number, shapes[2 * begin : 2 * end], contents)
                if known is not None:
                    mine.append(number)
                    outlines.append(known[0])
                    texts.append(known[0].filled(known[1]))
        return mine, self._encoded(outlines, texts)

    def _known_of(
        self, rows: CuratedRows, number: int, roles: bytes, contents: list[str]
    ) -> tuple[_Outline, list[str]] | None:
        """A row's outline, and the strings that are filled in; None where it has none."""
        tools = _written(given) if (given := rows.tools[number]) else []
        if tools is None:
            return None
        form, calls = "", list[str]()
        messages: list[dict[str, Any]] = []
        if rows.may_have(self._wanted)[number]:
            extras = rows.extras[rows.first[number] : rows.first[number + 1]]
            messages = [json.loads(extra) if extra else {} for extra in extras]
            form, calls = form_of(messages, self._wanted)
        if (tools or form) and self._special.search("\0".join([form, *tools, *calls])):
            return None
        strings = [*contents, *tools, *calls]
        shape = roles, len(tools), form
        if shape not in self._known:
            self._tried[shape] = self._tried.get(shape, 0) + 1
            if self._tried[shape] == 1:
                return None
            wanted = self._wanted
            self._make(shape, rows[number], strings)
            if self._wanted != wanted:
                return self._known_of(rows, number, roles, contents)
        if (outline := self._known.get(shape)) is None:
            return None
        others = any(map(outline.asked.intersection, messages)) if messages else rows.may_have(outline.asked)[number]
        return None if others else (outline, strings)

    def _shapes(self, rows: CuratedRows) -> bytes:
        """Two bytes a message: its role, and whether its content is empty or blank."""
        if len(self._tried) >= _SHAPES or len(self._roles) >= _SHAPES:
            self._known.clear()
            self._tried.clear()
            self._roles.clear()
        for role in set(rows.roles).difference(self._roles):
            self._roles[role] = len(self._roles)
        codes = np.fromiter(map(self._roles.__getitem__, rows.roles), np.uint16, len(rows.roles)) * np.uint16(3)
        codes += np.fromiter(map(fullness, rows.contents), np.uint16, len(rows.contents))
        return codes.tobytes()

    def _make(self, shape: _Shape, row: dict[str, Any], strings: Sequence[str]) -> None:
        """Learn the outline of a shape from a row, or that it has none; neither where the row cannot tell."""
        conversation = self._renderer.row(row["messages"], row["tools"])
        skeleton = self._renderer.template.skeleton(conversation.messages, shape[1], self._wanted)
        if skeleton is None:
            self._known[shape] = None
            return
        if not self._wanted.issuperset(skeleton.asked & FILLED):
            self._wanted |= skeleton.asked & FILLED
            return
        if any((skeleton.asked - FILLED).intersection(message) for message in conversation.messages):
            if self._tried[shape] > _TRIES:
                self._known[shape] = None
            return
        outline = self._outline(skeleton)
        whole = self._renderer.encode([self._renderer.example(conversation)[0]])
        own = self._encoded([outline], [outline.filled(strings)])
        same = all(
            np.array_equal(a, b)
            for a, b in ((own.tokens, whole.tokens), (own.loss, whole.loss), (own.lengths, whole.lengths))
        )
        self._known[shape] = outline if same else None

    def _outline(self, skeleton: Skeleton) -> _Outline:
        """Cut what the template writes where answers begin and end, and at its control tokens."""
        text = _CONTENT.join(skeleton.literals)
        learnt = {(first, last) for first, _, last, _ in skeleton.spans}
        texts: list[str] = []
        sizes: list[int] = []
        targets: list[bool] = []
        constants: list[int] = []
        for piece in pairwise(sorted({0, len(text), *(place for span in learnt for place in span)})):
            for segment in self._apart.split(text[slice(*piece)]):
                if not segment:
                    continue
                targets.append(piece in learnt)
                if _CONTENT in segment:
                    texts.append(segment)
                    sizes.append(-1)
                else:
                    tokens = self._renderer.tokens_of(segment)
                    constants += tokens
                    sizes.append(len(tokens))
        literals = self._border.join(texts).split(_CONTENT)
        return _Outline(
            parts=[part for literal in literals for part in (literal, "")][:-1],
            written=skeleton.written,
            asked=skeleton.asked - FILLED,
            sizes=np.array(sizes, np.int64),
            targets=np.array(targets, np.bool_),
            constants=np.array(constants, np.uint32),
        )

    def _encoded(self, outlines: Sequence[_Outline], texts: Sequence[str]) -> Encoded:
        """Rows from what differs between them."""
        if not outlines:
            none = np.empty(0, np.int64)
            return Encoded(none.astype(np.uint32), none.astype(np.bool_), none, [])
        encoder, border = self._encoder
        chunks: list[str] = []
        waiting: list[str] = []
        size = 0
        for text in texts:
            waiting += text, self._border
            size += len(text)
            if size >= _CHARACTERS:
                chunks.append("".join(waiting))
                waiting, size = [], 0
        chunks.append("".join(waiting))
        flat = array("I")  # it takes lists several times as fast as NumPy
        for encoding in encoder.encode_batch_fast(chunks, add_special_tokens=False):
            flat.fromlist(encoding.ids)
        ids = np.array(flat, np.uint32)
        borders = np.flatnonzero(ids == border)
        sizes = np.concatenate([one.sizes for one in outlines])
        variable = sizes < 0
        sizes[variable] = np.diff(borders, prepend=-1) - 1
        tokens = np.empty(int(sizes.sum()), np.uint32)
        place = np.repeat(variable, sizes)
        tokens[place] = ids[ids != border]
        tokens[~place] = np.concatenate([one.constants for one in outlines])
        loss = np.repeat(np.concatenate([one.targets for one in outlines]), sizes)
        segments = np.array([len(one.sizes) for one in outlines], np.int64)
        total = np.concatenate([[0], np.cumsum(sizes)])
        ends = np.cumsum(segments)
        first = total[ends - segments]
        lengths = total[ends] - first
        loss[first[lengths > 0]] = False
        return Encoded(tokens=tokens, loss=loss, lengths=lengths, cuts=[[] for _ in outlines])

    @cached_property
    def _encoder(self) -> tuple[Tokenizer, int]:
        return with_border(self._renderer.tokenizer, self._border)


def _written(tools: str) -> list[str] | None:
    """Each tool as the templates' filter `tojson` writes it; None where they are not a list of full objects."""
    found = json.loads(tools)
    if not isinstance(found, list) or not all(isinstance(tool, dict) and tool for tool in found):
        return None
    return list(map(to_json, found))
