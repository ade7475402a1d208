"""What a chat template makes of a conversation of one shape, rendered once and then filled in.

Jinja takes as long for a row as the tokenizer does. But a template mostly writes contents as they are, so rows with the
same roles differ in nothing else. Here a template is rendered with *stand-ins* for the contents: objects that can be
written, joined to text, trimmed and asked whether they are empty, which is part of the shape, and that stop the
rendering at whatever else is done with them. What comes out shows where each content goes. Other keys of a message
(the frames of a dialogue, the rank of an answer) stop the rendering at any look, so that a template which looks at none
has a skeleton whatever they hold. A template that looks into a content, takes a block's text as a value, or asks for
the time or a random number has none, and every row is rendered. The first row of each shape is rendered both ways, and
its shape has no skeleton if they differ.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple, NoReturn

__all__ = ["Skeleton", "Skeletons"]

Span = tuple[int, int]
Render = Callable[[], tuple[str, list[Span]]]

_BASE = 0x100000
"""Of the characters that stand in a skeleton for contents: two each, as it is and without the blanks around it."""
_SHAPES = 4096
_UNTOLD = re.compile(r"strftime_now|\brandom\b|\blipsum\b")
_TESTS = {"string": True, "sequence": True, "iterable": True, "defined": True} | dict.fromkeys(
    ("none", "undefined", "mapping", "number", "integer", "float", "boolean", "true", "false"), False
)
"""What any string answers."""


class Skeleton(NamedTuple):
    """The text that a template writes around the contents of a row."""

    literals: list[str]
    """One more than contents."""
    contents: list[tuple[int, bool]]
    """Number of the string that stands between two literals, and whether without the blanks around it."""
    spans: list[tuple[int, int, int, int]]
    """What the generation tags enclose: place (a content counts as one character) and contents before it, of the
    beginning and of the end."""
    asked: frozenset[str] = frozenset()
    """Of `asking`: the keys of messages that the template asks for, beside role and content."""

    def filled(self, strings: Sequence[str]) -> tuple[str, list[Span]]:
        """The text with a row's strings in it, and what the generation tags enclose."""
        parts = [self.literals[0]]
        longer = [0]  # than the characters that stood for them
        for (number, trimmed), literal in zip(self.contents, self.literals[1:], strict=True):
            string = strings[number].strip() if trimmed else strings[number]
            parts += string, literal
            longer.append(longer[-1] + len(string) - 1)
        return "".join(parts), [(first + longer[a], last + longer[b]) for first, a, last, b in self.spans]


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
        self._none = _UNTOLD.search(source) is not None or _private(source)

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
        skeleton = self._made(messages, fields, prompt)
        if len(self._known) >= _SHAPES:
            self._known.clear()
        right = skeleton is not None and skeleton.filled(_strings(messages, fields)) == found
        self._known[shape] = skeleton if right else None
        return found

    def asking(self, messages: Sequence[tuple[str, str]], tools: int) -> Skeleton | None:
        """A new skeleton for rows of one shape, whatever other keys they have, but those that it `asked` for.

        Args:
            messages: role and content of each.
            tools: how many the row has; where the template writes one as JSON, its number comes after the messages'.
        """
        if self._none:
            return None
        asked: set[str] = set()
        plain = [{"role": role, "content": content} for role, content in messages]
        made = self._made(plain, {}, False, asked, [_Tool(len(plain) + number) for number in range(tools)])
        return made and made._replace(asked=frozenset(asked))

    def _made(
        self,
        messages: Sequence[Mapping[str, Any]],
        fields: Mapping[str, str],
        prompt: bool,
        asked: set[str] | None = None,
        tools: Sequence[_Tool] = (),
    ) -> Skeleton | None:
        if any(_private(message["role"]) for message in messages):
            return None
        stand_ins = [_StandIn((number, False), message["content"]) for number, message in enumerate(messages)]
        others = [_StandIn((number, False), value) for number, value in enumerate(fields.values(), len(messages))]
        given: dict[str, Any] = {
            "messages": [_shown(message, one, asked) for message, one in zip(messages, stand_ins, strict=True)],
            "tools": list(tools) or None,
            "documents": None,
            "add_generation_prompt": prompt,
            "fields": dict(zip(fields, others, strict=True)),
        }
        blocks: list[str] = []
        spans: list[Span] = []
        try:
            template, tracker = self._compiled()
            with tracker(blocks, spans):
                for block in template.generate(**given, **self._special):
                    blocks.append(block)
        except Exception:  # a stand-in was looked into, or the template refuses the row
            return None
        text = "".join(blocks)
        places = [place for place, character in enumerate(text) if ord(character) >= _BASE]
        ends = [-1, *places, len(text)]

        def before(place: int) -> int:
            return sum(one < place for one in places)

        return Skeleton(
            literals=[text[a + 1 : b] for a, b in pairwise(ends)],
            contents=[((ord(text[place]) - _BASE) // 2, ord(text[place]) % 2 == 1) for place in places],
            spans=[(a, before(a), b, before(b)) for a, b in spans] if self._tagged else [],
        )

    def _compiled(self) -> tuple[Any, Any]:
        """The template in an environment of its own, like that of transformers but for what stand-ins need."""
        if self._template is None:
            from jinja2 import nodes
            from transformers.utils import chat_template_utils

            theirs: Any = chat_template_utils._compile_jinja_template(self._source)
            environment = theirs.environment.overlay(finalize=_written)
            blocks = (nodes.Macro, nodes.AssignBlock, nodes.FilterBlock)
            calls = len(list(environment.parse(self._source).find_all(nodes.CallBlock)))
            if next(environment.parse(self._source).find_all(blocks), None) or calls != self._tags():
                self._none = True
                raise _LookedInto
            environment.tests = {name: _asked(name, test) for name, test in environment.tests.items()}
            ours = {"trim": _trimming, "tojson": _as_json}
            changed = {name: change(environment.filters[name]) for name, change in ours.items()}
            environment.filters = {**environment.filters, **changed}
            (tracker,) = [one for one in environment.extensions.values() if hasattr(one, "activate_tracker")]
            self._template = environment.from_string(self._source), tracker.activate_tracker
        return self._template  # type: ignore[no-any-return]

    def _tags(self) -> int:
        return len(re.findall(r"\{%[-+]?\s*generation\s*[-+]?%\}", self._source))


class _LookedInto(Exception):
    """Of a stand-in, something was asked that not all contents of its shape answer alike."""


class _StandIn:
    """A content, or contents and texts joined.

    Everything that Python asks of an object and is not answered here raises `_LookedInto`; its name is no error that
    Jinja would take for "there is no such attribute".
    """

    def __init__(self, part: tuple[int, bool], content: str) -> None:
        self._parts: list[str | tuple[int, bool]] = [part]
        self._full = bool(content)
        self._full_trimmed = bool(content.strip())

    def __bool__(self) -> bool:
        return self._full

    def __add__(self, other: Any) -> _StandIn:
        return _joined(self, other)

    def __radd__(self, other: Any) -> _StandIn:
        return _joined(other, self)

    def __getattr__(self, name: str) -> NoReturn:
        raise _LookedInto

    def _looked_into(self, *_: Any) -> NoReturn:
        raise _LookedInto

    __str__ = __repr__ = __format__ = __len__ = __iter__ = __hash__ = __index__ = _looked_into
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _looked_into
    __contains__ = __getitem__ = __call__ = __mul__ = __rmul__ = __mod__ = __rmod__ = _looked_into


class _Tool:
    """A tool, which can only be written, as JSON."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __bool__(self) -> bool:
        return True

    def __getattr__(self, name: str) -> NoReturn:
        raise _LookedInto

    def _looked_into(self, *_: Any) -> NoReturn:
        raise _LookedInto

    __str__ = __repr__ = __format__ = __len__ = __iter__ = __hash__ = __index__ = _looked_into
    __eq__ = __ne__ = __contains__ = __getitem__ = _looked_into


class _Unlooked(dict[str, Any]):
    """A message with keys that nothing may ask for, nor for all keys."""

    def __init__(self, given: Mapping[str, Any], unlooked: frozenset[str]) -> None:
        super().__init__(given)
        self._unlooked = unlooked

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(self._checked(key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._checked(key))

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(self._checked(key), default)

    def _checked(self, key: Any) -> Any:
        if key in self._unlooked:
            raise _LookedInto
        return key

    def _looked_into(self, *_: Any) -> NoReturn:
        raise _LookedInto

    __str__ = __repr__ = __format__ = __len__ = __iter__ = __reversed__ = _looked_into
    __eq__ = __ne__ = __or__ = __ror__ = _looked_into
    keys = values = items = copy = _looked_into


class _Asked(_Unlooked):
    """A message that notes which other keys it is asked for, and has none."""

    def __init__(self, given: Mapping[str, Any], asked: set[str]) -> None:
        super().__init__(given, frozenset())
        self._asked = asked

    def _checked(self, key: Any) -> Any:
        if not isinstance(key, str):
            raise _LookedInto
        if key not in ("role", "content"):
            self._asked.add(key)
        return key


def _joined(*values: Any) -> _StandIn:
    if not all(isinstance(value, str | _StandIn) for value in values):
        raise _LookedInto
    whole = object.__new__(_StandIn)
    whole._parts = [part for value in values for part in (value._parts if isinstance(value, _StandIn) else [value])]
    whole._full = any(bool(value) for value in values)
    whole._full_trimmed = whole._full
    return whole


def _written(value: Any) -> Any:
    """Jinja's `finalize`: what is written of a value."""
    if not isinstance(value, _StandIn):
        return value
    return "".join(part if isinstance(part, str) else chr(_BASE + 2 * part[0] + int(part[1])) for part in value._parts)


def _asked(name: str, test: Any) -> Any:
    @functools.wraps(test)
    def answer(*values: Any, **named: Any) -> Any:
        if any(isinstance(value, _Tool) for value in (*values, *named.values())):
            raise _LookedInto
        if not any(isinstance(value, _StandIn) for value in (*values, *named.values())):
            return test(*values, **named)
        if len(values) != 1 or name not in _TESTS:
            raise _LookedInto
        return _TESTS[name]

    return answer


def _as_json(tojson: Any) -> Any:
    @functools.wraps(tojson)
    def written(value: Any, *options: Any, **named: Any) -> Any:
        if not isinstance(value, _Tool):
            return tojson(value, *options, **named)
        if options or named:
            raise _LookedInto
        return _StandIn((value.number, False), "{}")

    return written


def _trimming(trim: Any) -> Any:
    @functools.wraps(trim)
    def trimmed(value: Any, chars: str | None = None) -> Any:
        if not isinstance(value, _StandIn):
            return trim(value, chars)
        if chars is not None or len(value._parts) != 1:
            raise _LookedInto
        (part,) = value._parts
        one = object.__new__(_StandIn)
        one._parts = [(part[0], True)] if isinstance(part, tuple) else [part]
        one._full = one._full_trimmed = value._full_trimmed
        return one

    return trimmed


def _plain(message: Mapping[str, Any]) -> bool:
    return type(message.get("content")) is str and type(message.get("role")) is str


def _strings(messages: Sequence[Mapping[str, Any]], fields: Mapping[str, str]) -> list[str]:
    return [*(message["content"] for message in messages), *fields.values()]


def _shape(messages: Sequence[Mapping[str, Any]], fields: Mapping[str, str], prompt: bool) -> Hashable:
    """What rows of one skeleton have in common."""
    return (
        prompt,
        tuple((message["role"], _fullness(message["content"]), _others(message)) for message in messages),
        tuple((name, _fullness(value)) for name, value in fields.items()),
    )


def _others(message: Mapping[str, Any]) -> frozenset[str]:
    """The keys of a message beside role and content."""
    return frozenset(message) - {"role", "content"} if len(message) > 2 else frozenset()


def _shown(message: Mapping[str, Any], content: _StandIn, asked: set[str] | None) -> dict[str, Any]:
    """A message as a skeleton's template sees it."""
    shown = {"role": message["role"], "content": content}
    if asked is not None:
        return _Asked(shown, asked)
    others = _others(message)
    return _Unlooked(shown, others) if others else shown


def _fullness(text: str) -> tuple[bool, bool]:
    return text != "", bool(text) and not text.isspace()


def _private(text: str) -> bool:
    return any(ord(character) >= _BASE for character in text)
