"""Which characters of a rendered conversation are to be learnt: `pack.loss`, `mask_reasoning`, `train_on_eos`.

What the assistant writes is what stands between the template's generation tags. A template without tags is asked as a
server asks it: its text up to an answer, with the head of that answer, is the prompt. The answer is what the whole text
has after the prompt, up to the last control token of that turn. This is exact where the whole text begins with the
prompt and with the text that ends at that turn; where it does not, the template writes earlier turns otherwise than it
has them written, no mask is exact, and the row is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Literal

from pipeline.config import Pack, Roles
from pipeline.errors import InputError
from pipeline.pack.render import REASONING, Message, Rendered, Span, Template

__all__ = ["Conversation", "Targets", "answers", "target_spans"]


@dataclass(frozen=True, kw_only=True)
class Targets:
    """The recipe's keys that say what is learnt; the defaults are the recipe's."""

    loss: Literal["answer", "all", "last_answer"] | tuple[str, ...] = "answer"
    """A tuple: roles."""
    mask_reasoning: bool = False
    train_on_eos: Literal["turn", "last", "none"] = "turn"
    fields: tuple[str, ...] = ()
    """`pack.truncation_field`: what is cut first is located."""

    @classmethod
    def of(cls, pack: Pack) -> Targets:
        """What a recipe asks for."""
        loss = tuple(pack.loss.roles) if isinstance(pack.loss, Roles) else pack.loss
        return cls(
            loss=loss,
            mask_reasoning=pack.mask_reasoning,
            train_on_eos=pack.train_on_eos,
            fields=tuple(pack.truncation_fields),
        )

    @property
    def locate(self) -> bool:
        """Whether the places of the row's strings are needed."""
        return self.mask_reasoning or bool(self.fields) or isinstance(self.loss, tuple)


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """A row as a template takes it."""

    messages: Sequence[Message]
    tools: Any = None
    fields: Mapping[str, str] | None = None


def answers(template: Template, row: Conversation, rendered: Rendered) -> dict[int, Span]:
    """Number of each assistant's message → where its generated text stands; without those whose place is not exact.

    Where the template has more or fewer blocks than there are answers, the numbers are the blocks'.
    """
    numbers = _answered(row)
    if template.tagged:
        return dict(
            zip(numbers if len(numbers) == len(rendered.generated) else count(), rendered.generated, strict=False)
        )
    found = {number: _answer_at(template, row, rendered, number) for number in numbers}
    return {number: span for number, span in found.items() if span is not None}


def _answer_at(template: Template, row: Conversation, rendered: Rendered, number: int) -> Span | None:
    """Where the answer in message `number` stands, by the text before it and the text up to its end; None: nowhere."""
    prompt = template.render(row.messages[:number], row.tools, row.fields, add_generation_prompt=True).text
    turn = template.render(row.messages[: number + 1], row.tools, row.fields).text
    if not (rendered.text.startswith(prompt) and turn.startswith(prompt)):
        return None
    if not rendered.text.startswith(turn):
        # Blanks after the end token may be what differs: only up to that token do the two have to agree.
        turn = turn.rstrip()
        if not rendered.text.startswith(turn):
            return None
    ends = template.control_spans(rendered, len(prompt), len(turn))
    last = ends[-1][1] if ends else len(turn)
    return (len(prompt), last) if not rendered.text[last : len(turn)].strip() else None


def target_spans(
    template: Template, row: Conversation, rendered: Rendered, found: Mapping[int, Span], targets: Targets
) -> list[Span]:
    """The characters to learn, as spans in order that do not overlap; not for `loss: all`.

    Args:
        template: of `rendered`.
        row: that was rendered.
        rendered: the whole text.
        found: its `answers`.
        targets: what is learnt.

    Raises:
        InputError: no exact mask exists for the row.
    """
    roles = targets.loss if isinstance(targets.loss, tuple) else ("assistant",)
    turns = _asked_for(template, row, rendered, found, targets) if "assistant" in roles else []
    others = {number for number, one in enumerate(row.messages) if one["role"] in roles and one["role"] != "assistant"}
    reasoned = targets.mask_reasoning and any(message.get(key) for message in row.messages for key in REASONING)
    if (rendered.located is None and (others or reasoned)) or (rendered.apart and reasoned):
        raise _unlocated(row)
    places = rendered.located or []
    turns += [
        _with_end(template, rendered, place.first, place.last)
        for place in places
        if place.field == "content" and place.message in others
    ]
    turns.sort()
    spans = []
    for number, turn in enumerate(turns):
        last = number + 1 == len(turns)
        keep_end = targets.train_on_eos == "turn" or (targets.train_on_eos == "last" and last)
        spans.append(turn if keep_end else _without_end(template, rendered, turn))
    if targets.mask_reasoning:
        for place in places:
            if place.field == "reasoning":
                spans = _without(spans, place.first, place.last)
    return [(first, last) for first, last in spans if first < last]


def _answered(row: Conversation) -> list[int]:
    return [number for number, message in enumerate(row.messages) if message["role"] == "assistant"]


def _asked_for(
    template: Template, row: Conversation, rendered: Rendered, found: Mapping[int, Span], targets: Targets
) -> list[Span]:
    """The answers that `loss` names."""
    numbers = _answered(row)
    wanted = numbers[-1:] if targets.loss == "last_answer" else numbers
    if not template.tagged:
        if missing := [number for number in wanted if number not in found]:
            raise _inexact(row, missing[0])
        return [found[number] for number in wanted]
    if targets.loss != "last_answer" or not wanted:
        if len(found) < len(wanted):
            raise _unmarked(row, len(found), len(wanted))
        return list(found.values())
    prompt = template.render(row.messages[: wanted[0]], row.tools, row.fields, add_generation_prompt=True).text
    if not rendered.text.startswith(prompt):
        raise _inexact(row, wanted[0])
    return [span for span in found.values() if span[0] >= len(prompt)]


def _with_end(template: Template, rendered: Rendered, first: int, last: int) -> Span:
    """The span, with the control token that follows it at once."""
    ends = template.control_spans(rendered, last, len(rendered.text))
    return (first, ends[0][1]) if ends and ends[0][0] == last else (first, last)


def _without_end(template: Template, rendered: Rendered, turn: Span) -> Span:
    """The turn less the control token that ends it."""
    ends = template.control_spans(rendered, *turn)
    return (turn[0], ends[-1][0]) if ends and ends[-1][1] == turn[1] else turn


def _without(spans: list[Span], first: int, last: int) -> list[Span]:
    pieces = [part for a, b in spans for part in ((a, min(b, first)), (max(a, last), b))]
    return [(a, b) for a, b in pieces if a < b]


def _inexact(row: Conversation, number: int) -> InputError:
    return InputError(
        f"no exact mask exists: the chat template writes message {number} (assistant) otherwise once more follows "
        "than when it is the last, so what is trained is not what would be generated",
        where="roles: " + ", ".join(str(message["role"]) for message in row.messages),
        mend="choose a training template (`pack.template: qwen3`, `chatml`, …: `curate-and-train lint-template` says "
        "which fit), or `pack.loss: last_answer`, or put {% generation %} … {% endgeneration %} around the answer",
    )


def _unmarked(row: Conversation, found: int, wanted: int) -> InputError:
    return InputError(
        f"the chat template marks {found} of {wanted} answers with generation tags: the others would not be learnt",
        where="roles: " + ", ".join(str(message["role"]) for message in row.messages),
        mend="put {% generation %} … {% endgeneration %} around every answer; where only the last is meant to be "
        "learnt, `pack.loss: last_answer`",
    )


def _unlocated(row: Conversation) -> InputError:
    return InputError(
        "no exact mask exists: the chat template changes the texts of messages, so their places cannot be told",
        where="roles: " + ", ".join(str(message["role"]) for message in row.messages),
        mend="choose a template that writes contents as they are, or `pack.loss: answer` without `mask_reasoning`",
    )
