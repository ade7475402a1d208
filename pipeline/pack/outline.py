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
if they differ.
"""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from copy import copy
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.pack.calls import FILLED, form_of, fullness, to_json
from pipeline.pack.curated_rows import CuratedRows
from pipeline.pack.encoder import free_character, stands_alone, with_border
from pipeline.pack.piece import Encoded, Piece
from pipeline.pack.stand_in import LookedInto, Written
from pipeline.pack.stood_in import StoodIn
from pipeline.pack.targets import Targets
from pipeline.pack.token_bytes import token_bytes

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from pipeline.pack.examples import Renderer

__all__ = ["Outlines"]

_SHAPES = 4096
_CHARACTERS = 1024
"""Of texts that are encoded as one, or a little more: the encoder's memory for longer ones leaves the caches."""
_Shape = tuple[bytes, int, str]
"""Two bytes a message, how many tools, and the `calls.form_of` the messages."""
_CONTENT = "\U00100000"
"""Stands for a content in a template's text; skeletons are made of nothing that holds it."""


class _Place(NamedTuple):
    """In a row's text: so many bytes of what the template writes, and of what is written in so many rooms before."""

    fixed: int
    rooms: int


class _Part(NamedTuple):
    """Of a text with contents: what is learnt of it, or may be cut."""

    first: _Place
    last: _Place
    cut: bool


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
    inside: list[_Part]
    """In their order."""
    bare: list[int]
    """Numbers of strings whose places are known only where no blanks stand around them."""

    def filled(self, strings: Sequence[str]) -> list[str]:
        parts = self.parts.copy()
        parts[1::2] = [way.of(strings[number]) if way else strings[number] for number, way in self.written]
        return parts


class _Unproved(Exception):
    """Tokens of some rows are not the bytes of their text."""

    def __init__(self, rows: set[int]) -> None:
        self.rows = rows


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
        self._control = control = [one.content for one in added if one.special]
        if renderer.blanks == "always":  # set behind each of them: no text with one may be filled in
            self._control = control = [one.content for one in added]
        quoted = [to_json(text)[1:-1] for text in control]
        sought = dict.fromkeys([*control, *quoted, self._border, _CONTENT])
        self._special = re.compile("|".join(map(re.escape, sought)))
        apart = sorted((one.content for one in added if stands_alone(one, added)), key=len, reverse=True)
        self._apart = re.compile(f"({'|'.join(map(re.escape, apart))})" if apart else "((?!))")

    @property
    def _able(self) -> bool:
        """Whether strings change nothing around them: none is a control token, and no blank is set inside them."""
        renderer = self._renderer
        added = renderer.tokenizer.added_tokens_decoder.values()
        inexact = renderer.blanks == "always" and (self._partly or any(one.normalized for one in added))
        inexact |= renderer.blanks == "words"
        return not (renderer.template.trusts or renderer.fields or inexact)

    @property
    def _partly(self) -> bool:
        """Whether more is asked of the text than what stands between the template's tags."""
        targets = self._renderer.targets
        whole = Targets(loss="all" if targets.loss == "all" else "answer")
        return not self._renderer.template.tagged or targets != whole

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
        texts: list[list[str]] = []
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
        try:
            return mine, self._encoded(outlines, texts)
        except _Unproved as error:
            proved = [place for place in range(len(mine)) if place not in error.rows]
            some = self._encoded([outlines[place] for place in proved], [texts[place] for place in proved])
            return [mine[place] for place in proved], some

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
            # Many shapes never come again; where no row could be compared yet, ever fewer are looked at.
            self._tried[shape] = tried = self._tried.get(shape, 0) + 1
            if tried == 1 or tried & (tried - 1):
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
        outline = self._outline(pieces, template) if told else None
        if outline is None:
            self._known[shape] = None
            return
        if any(strings[one] != strings[one].strip() for one in outline.bare):
            return
        whole = self._renderer.encode([self._renderer.example(conversation)[0]])
        try:
            own = self._encoded([outline], [outline.filled(strings)])
        except _Unproved:
            return
        same = all(
            np.array_equal(a, b)
            for a, b in ((own.tokens, whole.tokens), (own.loss, whole.loss), (own.lengths, whole.lengths))
        )
        self._known[shape] = outline if same and own.cuts == whole.cuts else None

    def _outline(self, pieces: Sequence[Piece], template: StoodIn) -> _Outline | None:
        """Cut what the template writes at its control tokens too; None where a text's tokens depend on more than it."""
        texts: list[str] = []
        sizes: list[int] = []
        targets: list[bool] = []
        constants: list[int] = []
        spans: list[tuple[int, int, int]] = []
        """First and last character in the joined texts; number of what may be cut, -1: learnt."""
        written = template.written
        begins = True
        for piece in pieces:
            place = 0
            for segment in self._apart.split(piece.text):
                if not segment:
                    continue
                first, last = place, place + len(segment)
                place = last
                varies = any(one in written for one in segment)
                blank = self._blank(piece, begins, segment)
                begins = False
                if blank and (segment[0] in written or segment[0] in " ▁"):
                    return None
                learnt = [(0, len(piece.text))] if piece.target else piece.partly
                targets.append(any(a <= first and last <= b for a, b in learnt))
                inside = [(-1, a, b) for a, b in learnt if not targets[-1] and a < last and b > first]
                inside += [(field, a, b) for field, a, b in piece.cuts if a < last and b > first]
                if varies:
                    head = sum(map(len, texts)) + len(texts) + len(blank) - first
                    spans += [(max(a, first) + head, min(b, last) + head, field) for field, a, b in inside]
                    texts.append(blank + segment)
                    sizes.append(-1)
                elif inside:
                    return None
                else:
                    tokens = self._renderer.tokens_of(blank + segment, inner=self._renderer.blanks is not None)
                    constants += tokens
                    sizes.append(len(tokens))
        text = self._border.join(texts)
        rooms = [place for place, one in enumerate(text) if one in written]
        literals = [text[a + 1 : b] for a, b in zip([-1, *rooms], [*rooms, len(text)], strict=True)]
        # An answer that no control token ends, ends before the blanks of its content.
        ended = template.tagged or not any(piece.text[-1:] in written for piece in pieces)
        seams = self._partly or self._renderer.blanks == "always"
        if (self._partly and not ended) or (seams and self._forms(literals)):
            return None
        if self._renderer.blanks == "always" and any(token in one for token in self._control for one in literals):
            return None  # a blank is set behind it, too

        def at(place: int) -> _Place:
            before = bisect_left(rooms, place)
            return _Place(len(text[:place].encode()) - sum(len(text[one].encode()) for one in rooms[:before]), before)

        return _Outline(
            parts=[part for literal in literals for part in (literal, "")][:-1],
            written=[written[text[place]] for place in rooms],
            asked=template.asked - FILLED,
            sizes=np.array(sizes, np.int64),
            targets=np.array(targets, np.bool_),
            constants=np.array(constants, np.uint32),
            inside=[_Part(at(a), at(b), field >= 0) for a, b, field in spans],
            bare=[number for number, way in written.values() if way is None and self._sought(number, template)],
        )

    def _blank(self, piece: Piece, begins: bool, segment: str) -> str:
        """The blank that is set before a segment; the border's encoder sets none."""
        blanks = self._renderer.blanks
        if blanks is None or piece.inner or (blanks == "first" and not begins) or self._apart.fullmatch(segment):
            return ""
        return " "

    def _sought(self, number: int, template: StoodIn) -> bool:
        """Whether what is learnt or cut depends on where a string stands, without the blanks around it."""
        targets = self._renderer.targets
        role, field = template.strings.get(number, ("", ""))
        if field == "reasoning":
            return targets.mask_reasoning
        named = {role, {"user": "input", "assistant": "output"}.get(role, role)}
        learnt = isinstance(targets.loss, tuple) and role in targets.loss and role != "assistant"
        return field == "content" and (learnt or not named.isdisjoint(targets.fields))

    def _forms(self, literals: Sequence[str]) -> bool:
        """Whether a control token may stand partly in what the template writes, partly in the contents between."""
        return any(
            any(literal in token for literal in literals[1:-1])
            or any(literal.endswith(token[:cut]) for literal in literals[:-1] for cut in range(1, len(token)))
            or any(literal.startswith(token[cut:]) for literal in literals[1:] for cut in range(1, len(token)))
            for token in self._control
        )

    def _encoded(self, outlines: Sequence[_Outline], filled: Sequence[list[str]]) -> Encoded:
        """Rows from what differs between them.

        Raises:
            _Unproved: what is learnt of some rows, or may be cut, cannot be told.
        """
        if not outlines:
            none = np.empty(0, np.int64)
            return Encoded(none.astype(np.uint32), none.astype(np.bool_), none, [])
        encoder, border = self._encoder
        texts = ["".join(parts) + self._border for parts in filled]
        chunks: list[str] = []
        waiting: list[str] = []
        size = 0
        for text in texts:
            waiting.append(text)
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
        cuts: list[list[int]] = [[] for _ in outlines]
        if any(one.inside for one in outlines):
            among = np.append(np.flatnonzero(place), 0)[np.cumsum(ids != border) - (ids != border)]  # all the tokens
            for row, begin, end, cut in self._inside(outlines, filled, texts, flat):
                if begin == end:
                    continue
                if cut:
                    cuts[row] += int(among[begin] - first[row]), int(among[end - 1] - first[row]) + 1
                else:
                    loss[among[begin] : among[end - 1] + 1] = True
        loss[first[lengths > 0]] = False
        return Encoded(tokens=tokens, loss=loss, lengths=lengths, cuts=cuts)

    def _inside(
        self, outlines: Sequence[_Outline], filled: Sequence[list[str]], texts: Sequence[str], ids: array[int]
    ) -> Iterator[tuple[int, int, int, bool]]:
        """What is learnt inside texts, or may be cut: row, first and last of the encoded tokens, whether it is cut.

        Raises:
            _Unproved: tokens are not the bytes of their text.
        """
        pieces = list(map(self._bytes.__getitem__, ids))
        data = list(map(str.encode, texts))
        if b"".join(pieces) != b"".join(data):
            raise _Unproved(self._unproved(outlines, data, pieces, ids))
        ends = np.cumsum(np.fromiter(map(len, pieces), np.int64, len(pieces)))
        begins = np.concatenate([[0], ends[:-1]])
        rows, cuts, places = [], [], []
        base = 0
        for row, (outline, parts) in enumerate(zip(outlines, filled, strict=True)):
            if outline.inside:
                before = list(accumulate((len(text.encode()) for text in parts[1::2]), initial=base))
                for part in outline.inside:
                    rows.append(row)
                    cuts.append(part.cut)
                    places.append([fixed + before[rooms] for fixed, rooms in part[:2]])
            base += len(data[row])
        first, last = np.array(places, np.int64).T
        begin, end = np.searchsorted(begins, first), np.searchsorted(ends, last, side="right")
        yield from zip(rows, begin.tolist(), np.maximum(begin, end).tolist(), cuts, strict=True)

    def _unproved(
        self, outlines: Sequence[_Outline], data: Sequence[bytes], pieces: Sequence[bytes], ids: array[int]
    ) -> set[int]:
        """The rows whose tokens are not the bytes of their text."""
        borders = np.flatnonzero(np.array(ids) == self._encoder[1])
        last = borders[np.cumsum([int((one.sizes < 0).sum()) for one in outlines]) - 1] + 1
        spans = zip([0, *last.tolist()], last.tolist(), data, strict=False)
        return {row for row, (a, b, own) in enumerate(spans) if b"".join(pieces[a:b]) != own}

    @cached_property
    def _encoder(self) -> tuple[Tokenizer, int]:
        return with_border(self._renderer.tokenizer, self._border)

    @cached_property
    def _bytes(self) -> list[bytes]:
        return token_bytes(self._encoder[0])


def _written(tools: str) -> list[str] | None:
    """Each tool as the templates' filter `tojson` writes it; None where they are not a list of full objects."""
    found = json.loads(tools)
    if not isinstance(found, list) or not all(isinstance(tool, dict) and tool for tool in found):
        return None
    return list(map(to_json, found))
