"""What is known beforehand of all rows of one shape: where they are cut, what is learnt, the tokens of what stays."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.pack.calls import FILLED, to_json
from pipeline.pack.encoder import free_character, stands_alone
from pipeline.pack.piece import Piece
from pipeline.pack.stand_in import Written
from pipeline.pack.stood_in import StoodIn
from pipeline.pack.targets import Targets

if TYPE_CHECKING:
    from pipeline.pack.examples import Renderer

__all__ = ["Outline", "Outliner", "Part", "Place"]

_CONTENT = "\U00100000"
"""Stands for a content in a template's text; skeletons are made of nothing that holds it."""


class Place(NamedTuple):
    """In a row's text: so many bytes of what the template writes, and of what is written in so many rooms before."""

    fixed: int
    rooms: int


class Part(NamedTuple):
    """Of a text with contents: what is learnt of it, or may be cut."""

    first: Place
    last: Place
    cut: bool


class Outline(NamedTuple):
    """Of the rows of one shape."""

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
    inside: list[Part]
    """In their order."""
    bare: list[int]
    """Numbers of strings whose places are known only where no blanks stand around them."""

    def filled(self, strings: Sequence[str]) -> list[str]:
        """The parts of a row: its strings, as the template writes them, in their rooms."""
        parts = self.parts.copy()
        parts[1::2] = [way.of(strings[number]) if way else strings[number] for number, way in self.written]
        return parts


class Outliner:
    """Makes the outlines of one renderer's rows.

    Args:
        renderer: with its targets.

    Attributes:
        border: a character that no token holds, between texts that are encoded as one.
        special: finds what no string may hold that is filled in: control tokens, also within JSON, and stand-ins.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        added = renderer.tokenizer.added_tokens_decoder.values()
        # Two characters that a text with neither in it cannot hold: what stands for contents, and the border.
        self.border = free_character(renderer.tokenizer, but=_CONTENT)
        self._control = control = [one.content for one in added if one.special]
        if renderer.blanks == "always":  # set behind each of them: no text with one may be filled in
            self._control = control = [one.content for one in added]
        quoted = [to_json(text)[1:-1] for text in control]
        sought = dict.fromkeys([*control, *quoted, self.border, _CONTENT])
        self.special = re.compile("|".join(map(re.escape, sought)))
        apart = sorted((one.content for one in added if stands_alone(one, added)), key=len, reverse=True)
        self._apart = re.compile(f"({'|'.join(map(re.escape, apart))})" if apart else "((?!))")

    @property
    def able(self) -> bool:
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

    def outline(self, pieces: Sequence[Piece], template: StoodIn) -> Outline | None:
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
        text = self.border.join(texts)
        rooms = [place for place, one in enumerate(text) if one in written]
        literals = [text[a + 1 : b] for a, b in zip([-1, *rooms], [*rooms, len(text)], strict=True)]
        # An answer that no control token ends, ends before the blanks of its content.
        ended = template.tagged or not any(piece.text[-1:] in written for piece in pieces)
        seams = self._partly or self._renderer.blanks == "always"
        if (self._partly and not ended) or (seams and self._forms(literals)):
            return None
        if self._renderer.blanks == "always" and any(token in one for token in self._control for one in literals):
            return None  # a blank is set behind it, too

        def at(place: int) -> Place:
            before = bisect_left(rooms, place)
            return Place(len(text[:place].encode()) - sum(len(text[one].encode()) for one in rooms[:before]), before)

        return Outline(
            parts=[part for literal in literals for part in (literal, "")][:-1],
            written=[written[text[place]] for place in rooms],
            asked=template.asked - FILLED,
            sizes=np.array(sizes, np.int64),
            targets=np.array(targets, np.bool_),
            constants=np.array(constants, np.uint32),
            inside=[Part(at(a), at(b), field >= 0) for a, b, field in spans],
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
