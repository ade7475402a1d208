"""A chat template applied to a row: the text, and where in it the row's own words stand.

What has to be found again in the text is set between marks, characters of the private plane 16 that occur nowhere in
the row or the template. The marks are taken out of the result and their places kept. A template can behave
otherwise because of a mark (it compares, cuts or counts), so the text is held against the one rendered without marks,
and a place is only given where both are the same.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

from pipeline.errors import InputError
from pipeline.pack.skeleton import Skeletons

__all__ = ["REASONING", "Located", "Message", "Rendered", "Span", "Template", "plain_message"]

Message = Mapping[str, Any]
Span = tuple[int, int]
"""Of characters: from the first, to before the last."""

GENERATION = re.compile(r"\{%[-+]?\s*generation\s*[-+]?%\}")
REASONING = ("reasoning_content", "thinking", "reasoning")
"""Keys under which a message holds its reasoning; the first is the usual one."""
_PRIVATE = 0x100000


class _Mark(NamedTuple):
    """What a mark stands at."""

    message: int
    field: str
    lead: int
    opens: bool


class Located(NamedTuple):
    """A place of the text that shows one of the row's strings, without the blanks around it."""

    message: int
    """Number of the message; -1 for a named field of the row."""
    field: str
    """`content`, `reasoning`, or the field's name."""
    first: int
    last: int
    lead: int
    """Blanks of the string before `first`."""


class Rendered(NamedTuple):
    """A row's text."""

    text: str
    generated: list[Span]
    """What stands between the template's generation tags."""
    literal: list[Span]
    """Text of the row that looks like a control token and is none."""
    located: list[Located] | None
    """Where the row's strings stand; None where that was not asked for, or cannot be told."""
    apart: bool = False
    """The template has cut a string apart: it stands somewhere, and is not in `located`."""


class Template:
    """A chat template with the tokenizer's names for its special tokens.

    Args:
        source: Jinja text.
        special: `bos_token`, `eos_token`, … as the tokenizer has them.
        control: the tokenizer's control tokens.
        trusts: what looks like a control token in a row is one.
    """

    def __init__(
        self, source: str, special: Mapping[str, Any], control: Sequence[str], *, trusts: bool = False
    ) -> None:
        self.source = source
        self.trusts = trusts
        self.tagged = GENERATION.search(source) is not None
        self._special = dict(special)
        self.skeletons = Skeletons(source, special, tagged=self.tagged)
        ordered = sorted(control, key=len, reverse=True)
        self._longest = len(ordered[0]) if ordered else 0
        self._control = re.compile("|".join(map(re.escape, ordered)) or "(?!)")

    def render(
        self,
        messages: Sequence[Message],
        tools: Any = None,
        fields: Mapping[str, str] | None = None,
        *,
        add_generation_prompt: bool = False,
        locate: bool = False,
    ) -> Rendered:
        """Render a conversation.

        Args:
            messages: with the keys that templates expect (`plain_message`).
            tools: a list of JSON schemas, or None.
            fields: further strings of the row, which a prompt template names.
            add_generation_prompt: end with the head of an answer.
            locate: find the places of contents, reasoning and fields.

        Raises:
            InputError: the template refuses the messages, or does not let text stand as it is.
        """
        messages, tools, fields = [dict(message) for message in messages], tools or None, dict(fields or {})
        if not (locate or tools) and (known := self.skeletons.filled(messages, fields, add_generation_prompt)):
            # What the template never looks at cannot hold what looks like a control token in the text.
            strings = "\0".join([*(message["content"] for message in messages), *fields.values()])
            if self.trusts or self._control.search(strings) is None:
                return Rendered(*known, [], None)
        texts = "\0".join(_strings([messages, tools, fields]))
        marked = locate or (not self.trusts and self._control.search(texts) is not None)
        head = {"add_generation_prompt": add_generation_prompt, "roles": [message["role"] for message in messages]}

        def whole() -> tuple[str, list[Span]]:
            return self._jinja(messages, tools, fields, **head)

        if not marked:
            if tools:
                return Rendered(*whole(), [], None)
            return Rendered(*self.skeletons.render(messages, fields, add_generation_prompt, whole), [], None)
        bare, spans = whole()
        texts += self.source
        free = (chr(code) for code in count(_PRIVATE) if chr(code) not in texts)
        quotes = next(free), next(free)
        given = messages, tools, fields
        if not self.trusts:
            given = _replaced(given, lambda text: self._control.sub(_between(quotes), text))
        places: dict[str, _Mark] = {}
        if locate:
            given = _wrapped(*given, free, places)
        text, spans_marked = self._jinja(*given, **head)
        clean, at, found, literal, apart = _unmarked(text, quotes, places)
        generated = [(at(first), at(last)) for first, last in spans_marked]
        if (clean, generated) == (bare, spans):
            return Rendered(bare, spans, literal, found if locate else None, apart)
        if locate:  # the contents' marks changed something: their places are not known, the rest may still be
            return self.render(messages, tools, fields, add_generation_prompt=add_generation_prompt)
        raise InputError(
            "the chat template does not let a row's text stand that looks like a control token",
            where=_where(messages),
            mend="give a template that writes contents as they are, or leave such rows out of the source",
        )

    def control_spans(self, rendered: Rendered, first: int, last: int) -> list[Span]:
        """Control tokens that the template wrote between two places."""
        quoted = set(rendered.literal)
        found = (match.span() for match in self._control.finditer(rendered.text, first, last))
        return [span for span in found if span not in quoted]

    def control_ends(self, rendered: Rendered, place: int) -> bool:
        """Whether a control token of the template ends at `place`."""
        spans = self.control_spans(rendered, max(0, place - self._longest), place)
        return bool(spans) and spans[-1][1] == place

    def _jinja(self, messages: Any, tools: Any, fields: Any, **options: Any) -> tuple[str, list[Span]]:
        import jinja2
        from transformers.utils import chat_template_utils

        roles = options.pop("roles")
        render: Any = chat_template_utils.render_jinja_template  # annotated as if it returned a string
        try:
            texts, spans = render(
                conversations=[messages],
                tools=tools,
                chat_template=self.source,
                return_assistant_tokens_mask=self.tagged,
                fields=fields,
                **options,
                **self._special,
            )
        except (jinja2.TemplateError, TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise InputError(
                f"the chat template refuses a conversation: {error}",
                where="roles: " + ", ".join(map(str, roles)),
                mend="give a template that takes it (`pack.template: my.jinja`), or leave such rows out of the source",
            ) from None
        return texts[0], [tuple(span) for span in spans[0]] if self.tagged else []


def plain_message(message: Message) -> dict[str, Any]:
    """A message as templates expect it: the keys of `extra` (exact JSON) beside role and content."""
    extra = message.get("extra")
    own = {key: value for key, value in message.items() if key != "extra" and value is not None}
    return {**(json.loads(extra) if extra else {}), **own}


def _where(messages: Sequence[Message]) -> str:
    return "roles: " + ", ".join(str(message["role"]) for message in messages)


def _between(marks: tuple[str, str]) -> Any:
    return lambda found: f"{marks[0]}{found[0]}{marks[1]}"


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return [text for item in value for text in _strings(item)] if isinstance(value, list | tuple) else []


def _replaced(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(key): _replaced(item, change) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_replaced(item, change) for item in value)
    return value


def _wrapped(
    messages: Any, tools: Any, fields: Any, free: Iterable[str], places: dict[str, _Mark]
) -> tuple[Any, Any, Any]:
    """Set each content, reasoning and field between two marks of its own, inside the blanks around it.

    Templates strip blanks off a text; they do not strip a mark, so a mark outside would keep blanks alive.
    """
    marks = iter(free)

    def wrap(text: Any, message: int, field: str) -> Any:
        core = text.strip() if isinstance(text, str) else ""
        if not core:
            return text
        first, last = next(marks), next(marks)
        lead = len(text) - len(text.lstrip())
        places[first], places[last] = (_Mark(message, field, lead, opens) for opens in (True, False))
        return text[:lead] + first + core + last + text[lead + len(core) :]

    messages = [
        {
            key: wrap(value, number, "reasoning" if key in REASONING else key)
            if key == "content" or key in REASONING
            else value
            for key, value in message.items()
        }
        for number, message in enumerate(messages)
    ]
    return messages, tools, {key: wrap(value, -1, key) for key, value in fields.items()}


def _unmarked(
    text: str, quotes: tuple[str, str], places: Mapping[str, _Mark]
) -> tuple[str, Callable[[int], int], list[Located], list[Span], bool]:
    """Take the marks out.

    Returns:
        The text, a function from places with marks to places without, what stood between marks, and whether one of a
        string's two marks is missing.
    """
    marks = re.compile("[" + "".join([*quotes, *places]) + "]")
    removed = [found.start() for found in marks.finditer(text)]
    located: list[Located] = []
    literal: list[Span] = []
    opened: dict[_Mark | None, int] = {}
    alone = 0  # ends of strings without their beginnings
    for number, place in enumerate(removed):
        clean = place - number
        if text[place] in quotes:
            key, opens = None, text[place] == quotes[0]  # what looks like a control token
        else:
            mark = places[text[place]]
            key, opens = mark._replace(opens=True), mark.opens
        if opens:
            alone += key is not None and key in opened
            opened[key] = clean
        elif (first := opened.pop(key, None)) is None:  # the template has cut the string apart
            alone += key is not None
        elif key is None:
            literal.append((first, clean))
        else:
            located.append(Located(key.message, key.field, first, clean, key.lead))
    apart = alone > 0 or any(key is not None for key in opened)
    return marks.sub("", text), lambda place: place - bisect_left(removed, place), located, literal, apart
