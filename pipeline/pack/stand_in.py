"""What a template sees in place of a row's values, so that what it writes of them can be filled in.

A stand-in can be written, joined to text, trimmed, written as JSON and asked whether it is empty; whatever else is done
with it stops the rendering. An object of a call or a tool can only be written as JSON, and asked what kind of value it
is. A message stops the rendering at a look at keys that it may not be asked for, or notes which keys it is asked for.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from pipeline.pack.calls import to_json

__all__ = ["Asked", "JsonStandIn", "LookedInto", "Places", "StandIn", "Unlooked", "Way", "Written", "filters", "tests"]

_BASE = 0x100000
"""Of the characters that stand in a rendered text for values."""
_WHATEVER = {"sequence": True, "iterable": True, "defined": True} | dict.fromkeys(
    ("none", "undefined", "number", "integer", "float", "boolean", "true", "false"), False
)
"""What any text and any object answers; Jinja calls a mapping a sequence too."""


class LookedInto(Exception):
    """Of a stand-in, something was asked that not all values of its shape answer alike."""


class Way(NamedTuple):
    """How a template writes a value, where that is not as it is."""

    trimmed: bool = False
    """Without the blanks around it."""
    options: tuple[tuple[str, Any], ...] | None = None
    """Of `tojson`, with which it is written."""
    parsed: bool = False
    """The value is an object, which is given as JSON."""

    def of(self, text: str) -> str:
        """What is written of a value."""
        text = text.strip() if self.trimmed else text
        if self.options is None:
            return text
        value = json.loads(text) if self.parsed else text
        return json.dumps(value, **{"ensure_ascii": False, **dict(self.options)}) if self.options else to_json(value)


Written = tuple[int, Way | None]
"""Number of the value, and how it is written; None: as it is."""


class Places:
    """Characters that stand in a rendered text for what is written of values."""

    def __init__(self) -> None:
        self._characters: dict[Written, str] = {}

    def clear(self) -> None:
        """Forget them."""
        self._characters.clear()

    def finalize(self, value: Any) -> Any:
        """Jinja's `finalize`: what is written of a value."""
        return "".join(map(self._character, value.stand_in_parts)) if isinstance(value, StandIn) else value

    def found(self, text: str) -> list[tuple[int, Written]]:
        """Where in a text something stands, in order, and what."""
        known = {character: part for part, character in self._characters.items()}
        return [(place, known[one]) for place, one in enumerate(text) if ord(one) >= _BASE]

    def _character(self, part: str | Written) -> str:
        return part if isinstance(part, str) else self._characters.setdefault(part, chr(_BASE + len(self._characters)))


class _Closed:
    """Everything that Python asks of an object and is not answered raises `LookedInto`.

    That is no error that Jinja would take for "there is no such attribute". What it has itself is named as no key of an
    argument is: a template would be given it.
    """

    def __getattr__(self, name: str) -> NoReturn:
        raise LookedInto

    def _looked_into(self, *_: Any) -> NoReturn:
        raise LookedInto

    __str__ = __repr__ = __format__ = __len__ = __iter__ = __hash__ = __index__ = _looked_into
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _looked_into
    __contains__ = __getitem__ = __call__ = __mul__ = __rmul__ = __mod__ = __rmod__ = _looked_into


class StandIn(_Closed):
    """A text, or texts joined.

    Args:
        number: of the value.
        text: the value of the row that is rendered.
    """

    def __init__(self, number: int, text: str) -> None:
        self.stand_in_parts: list[str | Written] = [(number, None)]
        self.stand_in_full = bool(text)
        self.stand_in_full_trimmed = bool(text.strip())

    def __bool__(self) -> bool:
        return self.stand_in_full

    def __add__(self, other: Any) -> StandIn:
        return _joined(self, other)

    def __radd__(self, other: Any) -> StandIn:
        return _joined(other, self)


class JsonStandIn(_Closed):
    """An object or a list, of which the row gives the JSON.

    Args:
        number: of the value.
        value: of the row that is rendered.
    """

    def __init__(self, number: int, value: dict[str, Any] | list[Any]) -> None:
        self.stand_in_number = number
        self.stand_in_full = bool(value)
        self.stand_in_mapping = isinstance(value, dict)

    def __bool__(self) -> bool:
        return self.stand_in_full


class Unlooked(dict[str, Any]):
    """A message with keys that nothing may ask for, nor for all keys."""

    def __init__(self, given: Mapping[str, Any], unlooked: frozenset[str]) -> None:
        super().__init__(given)
        self._unlooked = unlooked

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(self._checked(key))

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._checked(key))

    def get(self, key: str, default: Any = None) -> Any:
        """`dict.get`."""
        return super().get(self._checked(key), default)

    def _checked(self, key: Any) -> Any:
        if key in self._unlooked:
            raise LookedInto
        return key

    def _looked_into(self, *_: Any) -> NoReturn:
        raise LookedInto

    __str__ = __repr__ = __format__ = __len__ = __iter__ = __reversed__ = _looked_into
    __eq__ = __ne__ = __or__ = __ror__ = _looked_into
    keys = values = items = copy = _looked_into


class Asked(Unlooked):
    """A message that notes in `asked` which keys it is asked for and does not have."""

    def __init__(self, given: Mapping[str, Any], asked: set[str]) -> None:
        super().__init__(given, frozenset())
        self._given, self._asked = frozenset(given), asked

    def _checked(self, key: Any) -> Any:
        if not isinstance(key, str):
            raise LookedInto
        if key not in self._given:
            self._asked.add(key)
        return key


def tests(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Jinja's tests, for stand-ins too."""
    return {name: _asked(name, test) for name, test in theirs.items()}


def filters(theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Jinja's filters, of which `trim` and `tojson` take stand-ins."""
    return {**theirs, "trim": _trimming(theirs["trim"]), "tojson": _as_json(theirs["tojson"])}


def _joined(*values: Any) -> StandIn:
    if not all(isinstance(value, str | StandIn) for value in values):
        raise LookedInto
    parts = [part for value in values for part in (value.stand_in_parts if isinstance(value, StandIn) else [value])]
    full = any(bool(value) for value in values)
    return _made(parts, full, full)


def _made(parts: list[str | Written], full: bool, full_trimmed: bool) -> StandIn:
    made = object.__new__(StandIn)
    made.stand_in_parts, made.stand_in_full, made.stand_in_full_trimmed = parts, full, full_trimmed
    return made


def _asked(name: str, test: Any) -> Any:
    @functools.wraps(test)
    def answer(*values: Any, **named: Any) -> Any:
        if not any(isinstance(value, StandIn | JsonStandIn) for value in (*values, *named.values())):
            return test(*values, **named)
        if len(values) != 1 or named:
            raise LookedInto
        (value,) = values
        text = isinstance(value, StandIn)
        answers = {**_WHATEVER, "string": text, "mapping": not text and value.stand_in_mapping}
        if name not in answers:
            raise LookedInto
        return answers[name]

    return answer


def _as_json(tojson: Any) -> Any:
    @functools.wraps(tojson)
    def written(value: Any, *options: Any, **named: Any) -> Any:
        every = isinstance(value, list) and value and all(isinstance(one, JsonStandIn) for one in value)
        if not every and not isinstance(value, StandIn | JsonStandIn):
            return tojson(value, *options, **named)
        if options or (every and named):
            raise LookedInto
        given = tuple(sorted(named.items()))
        if every:
            inner = [part for one in value for part in (", ", (one.stand_in_number, None))]
            return _made(["[", *inner[1:], "]"], True, True)
        if isinstance(value, JsonStandIn):
            return _made([(value.stand_in_number, Way(options=given, parsed=True) if given else None)], True, True)
        part = value.stand_in_parts[0]
        if len(value.stand_in_parts) != 1 or isinstance(part, str) or (part[1] and part[1].options is not None):
            raise LookedInto
        return _made([(part[0], Way(trimmed=part[1] is not None, options=given))], True, True)

    return written


def _trimming(trim: Any) -> Any:
    @functools.wraps(trim)
    def trimmed(value: Any, chars: str | None = None) -> Any:
        if not isinstance(value, StandIn):
            return trim(value, chars)
        part = value.stand_in_parts[0]
        if chars is not None or len(value.stand_in_parts) != 1:
            raise LookedInto
        if not isinstance(part, str) and part[1] is None:
            part = (part[0], Way(trimmed=True))
        return _made([part], value.stand_in_full_trimmed, value.stand_in_full_trimmed)

    return trimmed
