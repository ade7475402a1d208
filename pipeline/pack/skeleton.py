"""What a chat template makes of a conversation of one shape, rendered once and then filled in.

Jinja takes as long for a row as the tokenizer does. But a template mostly writes contents as they are, so rows with the
same roles differ in nothing else. Here a template is rendered with *stand-ins* for the contents (`stand_in`), which
stop the rendering at whatever is done with them that not all contents of the shape answer alike. What comes out shows
where each content goes. Other keys of a message (the frames of a dialogue, the rank of an answer) stop the rendering at
any look, so that a template which looks at none has a skeleton whatever they hold. A template that looks into a
content, takes a block's text as a value, or asks for the time or a random number has none, and every row is rendered.
The first row of each shape is rendered both ways, and its shape has no skeleton if they differ.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import count, pairwise
from typing import Any, NamedTuple

from pipeline.pack.calls import filled_in, form_of, fullness
from pipeline.pack.stand_in import Asked, JsonStandIn, LookedInto, Places, StandIn, Unlooked, Written, filters, tests

__all__ = ["Shown", "Skeleton", "Skeletons"]

Span = tuple[int, int]
Render = Callable[[], tuple[str, list[Span]]]

_PRIVATE = re.compile("[\U00100000-\U0010ffff]")
"""What stands in a rendered text for values is of these."""
_SHAPES = 4096
_UNTOLD = re.compile(r"strftime_now|\brandom\b|\blipsum\b")


class Skeleton(NamedTuple):
    """The text that a template writes around the contents of a row."""

    literals: list[str]
    """One more than contents."""
    written: list[Written]
    """What stands between two literals: the number of a string, and how it is written."""
    spans: list[tuple[int, int, int, int]]
    """What the generation tags enclose: place (a content counts as one character) and contents before it, of the
    beginning and of the end."""

    def filled(self, strings: Sequence[str]) -> tuple[str, list[Span]]:
        """The text with a row's strings in it, and what the generation tags enclose."""
        parts = [self.literals[0]]
        longer = [0]  # than the characters that stood for them
        for (number, way), literal in zip(self.written, self.literals[1:], strict=True):
            string = way.of(strings[number]) if way else strings[number]
            parts += string, literal
            longer.append(longer[-1] + len(string) - 1)
        return "".join(parts), [(first + longer[a], last + longer[b]) for first, a, last, b in self.spans]


class Shown(NamedTuple):
    """A row with stand-ins for its strings."""

    messages: list[Asked]
    tools: list[JsonStandIn]
    asked: set[str]
    """The keys that the template has asked a message for which has none of them."""
    strings: dict[int, tuple[int, str]]
    """Number of a string → message, and `content` or `reasoning`."""


class Skeletons:
    """The skeletons of one template, made as their shapes come.

    Args:
        source: Jinja text.
        special: the names of special tokens, as the template has them.
        tagged: the template has generation tags.
    """

    def __init__(self, source: str, special: Mapping[str, Any], *, tagged: bool) -> None:
        self._source, self._special, self._tagged = source, dict(special), tagged
        self._known: dict[Any, Skeleton | None] = {}
        self._template: Any = None
        self._places = Places()
        self._none = (_UNTOLD.search(source) or _PRIVATE.search(source)) is not None

    def filled(
        self, messages: Sequence[Mapping[str, Any]], fields: Mapping[str, str], prompt: bool
    ) -> tuple[str, list[Span]] | None:
        """The text and what stands between generation tags; None where the shape is not known or has no skeleton.

        Args:
            messages: of a row without tools, with any keys.
            fields: further strings of the row.
            prompt: `add_generation_prompt`.
        """
        if self._none or not all(_plain(message) for message in messages):
            return None
        skeleton = self._known.get(_shape(messages, fields, prompt))
        return skeleton.filled(_strings(messages, fields)) if skeleton else None

    def render(
        self, messages: Sequence[Mapping[str, Any]], fields: Mapping[str, str], prompt: bool, whole: Render
    ) -> tuple[str, list[Span]]:
        """The same for any row: one of a shape that is not known is rendered by `whole`, and makes the shape known."""
        found = whole()
        shape = _shape(messages, fields, prompt) if all(_plain(message) for message in messages) else None
        if self._none or shape is None or shape in self._known:
            return found
        shown = [_shown(message, number) for number, message in enumerate(messages)]
        named = {name: StandIn(number, value) for number, (name, value) in enumerate(fields.items(), len(messages))}
        skeleton = self._made(shown, [], named, prompt)
        if len(self._known) >= _SHAPES:
            self._known.clear()
        right = skeleton is not None and skeleton.filled(_strings(messages, fields)) == found
        self._known[shape] = skeleton if right else None
        return found

    def shown(self, messages: Sequence[Mapping[str, Any]], tools: int, wanted: frozenset[str]) -> Shown | None:
        """What the template sees of a row, whatever other keys its messages have; None where it cannot be shown.

        Args:
            messages: with any keys.
            tools: how many the row has.
            wanted: keys of messages that are filled in: their strings come after the contents and the tools' JSON.
        """
        if _PRIVATE.search(form_of(messages, wanted)[0]):
            return None
        asked: set[str] = set()
        numbers = count(len(messages) + tools)

        def leaf(value: Any) -> Any:
            if type(value) is str:
                return StandIn(next(numbers), value)
            return JsonStandIn(next(numbers), value) if isinstance(value, dict | list) else value

        shown, strings = [], dict[int, tuple[int, str]]()
        for number, message in enumerate(messages):
            strings[number] = number, "content"
            more = filled_in(message, wanted, leaf)
            if (reasoning := more.get("reasoning_content")) is not None:
                more["thinking"] = reasoning  # as transformers has it
                if isinstance(reasoning, StandIn):
                    strings[reasoning.stand_in_parts[0][0]] = number, "reasoning"  # type: ignore[index]
            shown.append(
                Asked({**more, "role": message["role"], "content": StandIn(number, message["content"])}, asked)
            )
        given = [JsonStandIn(number, {"type": "function"}) for number in range(len(messages), len(messages) + tools)]
        return Shown(shown, given, asked, strings)

    def of(self, shown: Shown, first: int, prompt: bool) -> Skeleton | None:
        """A new skeleton of the first messages of what is shown; the keys asked for are added to `shown.asked`.

        Args:
            shown: of these skeletons.
            first: how many messages.
            prompt: `add_generation_prompt`.
        """
        return self._made(shown.messages[:first], shown.tools, {}, prompt)

    def _made(
        self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Any], fields: Mapping[str, Any], prompt: bool
    ) -> Skeleton | None:
        """The skeleton of a row whose values are stand-ins."""
        if self._none or any(_PRIVATE.search(message["role"]) for message in messages):
            return None
        given: dict[str, Any] = {
            "messages": messages,
            "tools": tools or None,
            "documents": None,
            "add_generation_prompt": prompt,
            "fields": fields,
        }
        self._places.clear()
        blocks: list[str] = []
        spans: list[Span] = []
        try:
            template, tracker = self._compiled()
            with tracker(blocks, spans):
                for block in template.generate(**given, **self._special):
                    blocks.append(block)
            text = "".join(blocks)
            found = self._places.found(text)
        except Exception:  # a stand-in was looked into, or the template refuses the row, or writes such a character
            return None
        places = [place for place, _ in found]
        ends = [-1, *places, len(text)]

        def before(place: int) -> int:
            return sum(one < place for one in places)

        return Skeleton(
            literals=[text[a + 1 : b] for a, b in pairwise(ends)],
            written=[part for _, part in found],
            spans=[(a, before(a), b, before(b)) for a, b in spans] if self._tagged else [],
        )

    def _compiled(self) -> tuple[Any, Any]:
        """The template in an environment of its own, like that of transformers but for what stand-ins need."""
        if self._template is None:
            from jinja2 import nodes
            from transformers.utils import chat_template_utils

            theirs: Any = chat_template_utils._compile_jinja_template(self._source)
            environment = theirs.environment.overlay(finalize=self._places.finalize)
            blocks = (nodes.Macro, nodes.AssignBlock, nodes.FilterBlock)
            calls = len(list(environment.parse(self._source).find_all(nodes.CallBlock)))
            if next(environment.parse(self._source).find_all(blocks), None) or calls != self._tags():
                self._none = True
                raise LookedInto
            environment.tests, environment.filters = tests(environment.tests), filters(environment.filters)
            (tracker,) = [one for one in environment.extensions.values() if hasattr(one, "activate_tracker")]
            self._template = environment.from_string(self._source), tracker.activate_tracker
        return self._template  # type: ignore[no-any-return]

    def _tags(self) -> int:
        return len(re.findall(r"\{%[-+]?\s*generation\s*[-+]?%\}", self._source))


def _plain(message: Mapping[str, Any]) -> bool:
    return type(message.get("content")) is str and type(message.get("role")) is str


def _strings(messages: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> list[str]:
    return [*(message["content"] for message in messages), *fields.values()]


def _shape(messages: Sequence[Mapping[str, Any]], fields: Mapping[str, str], prompt: bool) -> Hashable:
    """What rows of one skeleton have in common."""
    return (
        prompt,
        tuple((message["role"], fullness(message["content"]), _others(message)) for message in messages),
        tuple((name, fullness(value)) for name, value in fields.items()),
    )


def _others(message: Mapping[str, Any]) -> frozenset[str]:
    """The keys of a message beside role and content."""
    return frozenset(message) - {"role", "content"} if len(message) > 2 else frozenset()


def _shown(message: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A message as a skeleton's template sees it."""
    shown = {"role": message["role"], "content": StandIn(number, message["content"])}
    others = _others(message)
    return Unlooked(shown, others) if others else shown
