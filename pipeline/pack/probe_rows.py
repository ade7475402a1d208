"""What a template writes of the conversations that it takes, and which of their answers are learnt.

Each string of a probe occurs once in its conversation, so a string that is not in the text was lost, and an answer
whose words are in no learnt span is not learnt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipeline.errors import InputError
from pipeline.pack.examples import Renderer
from pipeline.pack.probe import row_of
from pipeline.pack.render import Message, Span
from pipeline.pack.shipped import fitting
from pipeline.pack.targets import answers, target_spans
from pipeline.pack.verdict import Finding

__all__ = ["learnt", "written"]

Taken = Mapping[str, tuple[Sequence[Mapping[str, Any]], Any]]
"""Name → messages and tools of the conversations that the template takes."""


def written(renderer: Renderer, taken: Taken) -> Finding:
    """Whether the text holds every message, every call and every tool."""
    lost = []
    for name, (messages, tools) in taken.items():
        row = row_of(renderer, messages, tools)
        text = renderer.template.render(row.messages, row.tools, row.fields).text
        roles = [str(message["role"]) for message in messages if not all(part in text for part in _said(message))]
        roles += ["tools"] if tools and not all(tool["function"]["description"] in text for tool in tools) else []
        lost += [f"{', '.join(dict.fromkeys(roles))} (with {name})"] if roles else []
    if not lost:
        return Finding(check="written", state="pass", found="every message, call and tool is in the text")
    return Finding(
        check="written",
        state="warn",
        found="not in the text: " + "; ".join(lost),
        mend="rows that have it lose it: leave them out, or choose one of "
        + ", ".join(fitting(renderer.tokenizer.get_vocab())),
    )


def learnt(renderer: Renderer, taken: Taken) -> Finding:
    """Whether as many answers are learnt as `pack.loss` asks for, in every conversation."""
    loss = renderer.targets.loss
    if loss == "all" or (isinstance(loss, tuple) and "assistant" not in loss):
        return Finding(check="answers_learnt", state="pass", found="`pack.loss` asks for no answers")
    bad = [f"{why} (with {name})" for name, one in taken.items() if (why := _unlearnt(renderer, *one))]
    if not bad:
        return Finding(check="answers_learnt", state="pass", found="as many as there are")
    return Finding(
        check="answers_learnt",
        state="fail",
        found="; ".join(bad),
        mend="put {% generation %} … {% endgeneration %} around all that the assistant writes, calls included, in "
        "every turn; where only the last answer is meant to be learnt, `pack.loss: last_answer`",
    )


def _unlearnt(renderer: Renderer, messages: Sequence[Message], tools: Any) -> str:
    """Why too few or too many answers of a conversation are learnt; empty where it is right, or rows are refused."""
    row = row_of(renderer, messages, tools)
    targets = renderer.targets
    rendered = renderer.template.render(row.messages, row.tools, row.fields, locate=targets.locate)
    found = answers(renderer.template, row, rendered)
    wanted = [message for message in messages if message["role"] == "assistant"]
    wanted = wanted[-1:] if targets.loss == "last_answer" else wanted
    if renderer.template.tagged and len(found) < len(wanted):
        return f"of {len(wanted)} answers {len(found)} {'is' if len(found) == 1 else 'are'} between generation tags"
    try:
        spans = list(_joined(target_spans(renderer.template, row, rendered, found, targets)))
    except InputError:  # no exact mask: such a row is refused, and `history_rewritten` says so
        return ""
    texts = [rendered.text[first:last] for first, last in spans]
    here = sum(
        all(any(part in text for text in texts) for part in _said(message) if part in rendered.text)
        for message in wanted
    )
    if here < len(wanted):
        return f"of {len(wanted)} answers {here} {'is' if here == 1 else 'are'} learnt as a whole"
    roles = targets.loss if isinstance(targets.loss, tuple) else ()
    others = [message for message in messages if message["role"] in roles and message["role"] != "assistant"]
    if len(spans) != len(wanted) + len(others):
        return f"{len(spans)} stretches are learnt, of {len(wanted) + len(others)} messages"
    return ""


def _said(message: Message) -> list[str]:
    """What a message says: its content, and the names and arguments of its calls."""
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    parts = [part for call in calls for part in (call["name"], *call["arguments"].values())]
    return [part for part in (message["content"], *parts) if part]


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    """Spans that touch are one."""
    first, last = -1, -1
    for a, b in sorted(spans):
        if a != last:
            if last > first:
                yield first, last
            first = a
        last = b
    if last > first:
        yield first, last
