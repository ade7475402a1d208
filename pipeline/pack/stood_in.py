"""A chat template with stand-ins for a row's strings: one character each, wherever the template writes it.

What is learnt of a row is found in its text (`targets`, `examples`). Here the same code finds it in a text that stands
for all rows of one shape, so that it is found once. Where it says that one text begins with another, or where an answer
ends, that holds of every row: the strings change nothing of what stands around them. Where it says that one does *not*
begin with another, that holds of some rows only (trimmed and as it was, a string without blanks around it is the same).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.pack.render import REASONING, Located, Message, Rendered, Template
from pipeline.pack.skeleton import Shown
from pipeline.pack.stand_in import LookedInto, Written
from pipeline.pack.targets import Conversation, answers

__all__ = ["StoodIn"]

_BASE = 0x100000


class StoodIn(Template):
    """A template that renders one row, or what comes first of it, with characters of the private plane 16 for strings.

    Args:
        template: of the row.
        messages: with any keys.
        tools: how many the row has.
        wanted: keys of messages that are filled in.

    Raises:
        LookedInto: the row cannot be shown.
    """

    def __init__(self, template: Template, messages: Sequence[Message], tools: int, wanted: frozenset[str]) -> None:
        self.__dict__.update(vars(template))
        shown = self.skeletons.shown(messages, tools, wanted)
        if shown is None:
            raise LookedInto
        self._shown: Shown = shown
        self._roles = [str(message["role"]) for message in messages]
        self._full = {
            number: bool(str(messages[message]["content" if field == "content" else "reasoning_content"]).strip())
            for number, (message, field) in shown.strings.items()
        }
        self._characters: dict[Written, str] = {}

    @property
    def asked(self) -> frozenset[str]:
        """Keys that the template has asked a message for which does not have them."""
        # Whichever of these a message has, transformers gives it the others too.
        return frozenset(self._shown.asked).union(REASONING)

    @property
    def strings(self) -> dict[int, tuple[str, str]]:
        """Number of a string that has a place → its message's role, and `content` or `reasoning`."""
        return {number: (self._roles[message], field) for number, (message, field) in self._shown.strings.items()}

    @property
    def written(self) -> dict[str, Written]:
        """What each character stands for."""
        return {character: written for written, character in self._characters.items()}

    def finds_answers(self, row: Conversation) -> bool:
        """Whether the place of every answer is told, without which it may be told of some rows of this shape."""
        asked = [message for message in row.messages if message["role"] == "assistant"]
        return len(answers(self, row, self.render(row.messages, row.tools, row.fields))) == len(asked)

    def render(
        self,
        messages: Sequence[Message],
        tools: Any = None,
        fields: Mapping[str, str] | None = None,
        *,
        add_generation_prompt: bool = False,
        locate: bool = False,
    ) -> Rendered:
        """As `Template.render` has it; of the messages only how many they are is looked at.

        Raises:
            LookedInto: the template looks into a string, or changes one whose place is asked for.
        """
        skeleton = self.skeletons.of(self._shown, len(messages), add_generation_prompt)
        if skeleton is None:
            raise LookedInto
        parts = [skeleton.literals[0]]
        for written, literal in zip(skeleton.written, skeleton.literals[1:], strict=True):
            parts += self._characters.setdefault(written, chr(_BASE + len(self._characters))), literal
        text = "".join(parts)
        located = []
        known = self.written if locate else {}
        for place, character in enumerate(text):
            if character not in known or known[character][0] not in self._shown.strings:
                continue
            number, way = known[character]
            if way and way.options is not None:
                raise LookedInto  # it is written as JSON, in which blanks are no blanks
            if self._full[number]:
                located.append(Located(*self._shown.strings[number], place, place + 1, 0))
        generated = [(first, last) for first, _, last, _ in skeleton.spans]
        return Rendered(text, generated, [], located if locate else None)
