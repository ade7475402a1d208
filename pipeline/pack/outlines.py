"""Rows of one shape, encoded by what differs between them.

A skeleton says where a template writes the contents, the tools, and what calls hold. So everything about such rows is
known before: where the text is cut into pieces (`examples`), which pieces are targets, and the tokens of what the
template itself writes between two control tokens. What is left to encode is the text around each content, from the
control token or cut before it to the one behind it. Texts of many rows are encoded as one, with a *border* between
them: a token of the encoder's own that no text holds. An encoder takes its added tokens out before anything else and
encodes what is between them apart, so that the tokens are those of each text alone; and one call for many is faster
than many calls.

What is learnt or may be cut begins and ends with such a text, or inside one at a content's ends. There the tokens' own
bytes tell which of them lie in it (`token_bytes`); rows whose tokens are not the bytes of their text, as normalisers
leave them, are encoded whole.

The first row of each shape is encoded as if it were the only one, and the second both ways: its shape has no outline
if they differ. Where a row cannot be compared (it has another key that the template asks for, or its tokens are not its
bytes) a later one is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import InputError
from pipeline.pack.calls import FILLED, form_of, fullness, to_json
from pipeline.pack.curated_rows import CuratedRows
from pipeline.pack.filled import Filled, Unproved
from pipeline.pack.outline import Outline, Outliner
from pipeline.pack.piece import Encoded
from pipeline.pack.stand_in import LookedInto
from pipeline.pack.stood_in import StoodIn

if TYPE_CHECKING:
    from pipeline.pack.examples import Renderer

__all__ = ["Outlines"]

_SHAPES = 4096
_Shape = tuple[bytes, int, str]
"""Two bytes a message, how many tools, and the `calls.form_of` the messages."""


class Outlines:
    """The outlines of one renderer's template, made as their shapes come.

    Args:
        renderer: with its targets.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._known: dict[_Shape, Outline | None] = {}
        self._tried: dict[_Shape, int] = {}
        self._roles: dict[str, int] = {}
        self._wanted: frozenset[str] = frozenset()
        """Keys of `calls.FILLED` that the template has asked for; what it does not ask for is not looked at."""
        self._outliner = outliner = Outliner(renderer)
        self._filled = Filled(renderer.tokenizer, outliner.border)

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
        outlines: list[Outline] = []
        texts: list[list[str]] = []
        if self._outliner.able and numbers:
            shapes = self._shapes(rows)
            quoting = self._outliner.special.search("\0".join(rows.contents)) is not None
            first = rows.first.tolist()
            for number in numbers:
                begin, end = first[number], first[number + 1]
                contents = rows.contents[begin:end]
                if quoting and self._outliner.special.search("\0".join(contents)):
                    continue
                known = self._known_of(rows, number, shapes[2 * begin : 2 * end], contents)
                if known is not None:
                    mine.append(number)
                    outlines.append(known[0])
                    texts.append(known[0].filled(known[1]))
        try:
            return mine, self._filled.encode(outlines, texts)
        except Unproved as error:
            proved = [place for place in range(len(mine)) if place not in error.rows]
            some = self._filled.encode([outlines[place] for place in proved], [texts[place] for place in proved])
            return [mine[place] for place in proved], some

    def _known_of(
        self, rows: CuratedRows, number: int, roles: bytes, contents: list[str]
    ) -> tuple[Outline, list[str]] | None:
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
        if (tools or form) and self._outliner.special.search("\0".join([form, *tools, *calls])):
            return None
        strings = [*contents, *tools, *calls]
        shape = roles, len(tools), form
        if shape not in self._known:
            # Many shapes never come again; where no row could be compared yet, ever fewer are looked at: 2, 3, 6, 11,
            # 20, 37, …, so that rows that can be, every second or third, are met.
            self._tried[shape] = tried = self._tried.get(shape, 0) + 1
            power = tried.bit_length() - 1
            if tried == 1 or (tried > 2 and tried != (1 << power) + power):
                return None
            wanted = self._wanted
            self._make(shape, rows[number], strings)
            if self._wanted != wanted:
                self._tried[shape] = 1
                return self._known_of(rows, number, roles, contents)
        if (outline := self._known.get(shape)) is None:
            return None
        if any(strings[one] != strings[one].strip() for one in outline.bare):
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
        renderer = copy(self._renderer)
        conversation = renderer.row(row["messages"], row["tools"])
        try:
            renderer.template = template = StoodIn(renderer.template, conversation.messages, shape[1], self._wanted)
            pieces = renderer.example(conversation)[0]
            told = template.tagged or template.finds_answers(conversation)
        except (LookedInto, InputError):
            self._known[shape] = None
            return
        if not self._wanted.issuperset(template.asked & FILLED):
            self._wanted |= template.asked & FILLED
            return
        if any((template.asked - FILLED).intersection(message) for message in conversation.messages):
            return
        outline = self._outliner.outline(pieces, template) if told else None
        if outline is None:
            self._known[shape] = None
            return
        if any(strings[one] != strings[one].strip() for one in outline.bare):
            return
        whole = self._renderer.encode([self._renderer.example(conversation)[0]])
        try:
            own = self._filled.encode([outline], [outline.filled(strings)])
        except Unproved:
            return
        same = all(
            np.array_equal(a, b)
            for a, b in ((own.tokens, whole.tokens), (own.loss, whole.loss), (own.lengths, whole.lengths))
        )
        self._known[shape] = outline if same and own.cuts == whole.cuts else None


def _written(tools: str) -> list[str] | None:
    """Each tool as the templates' filter `tojson` writes it; None where they are not a list of full objects."""
    found = json.loads(tools)
    if not isinstance(found, list) or not all(isinstance(tool, dict) and tool for tool in found):
        return None
    return list(map(to_json, found))
