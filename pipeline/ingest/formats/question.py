"""A context, a question and its answer, as a pair or as a chat: what `squad` and `columns` share."""

from __future__ import annotations

from pipeline.ingest.formats.conversation import Message

__all__ = ["asked"]


def asked(kind: str, context: str | None, question: str | None, answer: str, prompt: str) -> tuple[Message, ...]:
    """The messages of a question.

    Args:
        kind: `chat` makes the context a system message, to be rendered by a chat template; `pair` makes one prompt.
        context: what is known, if anything.
        question: what is asked, if anything; one of the two is there.
        answer: the assistant's.
        prompt: the prompt of a pair.
    """
    if kind == "pair" or question is None:
        return Message("user", prompt), Message("assistant", answer)
    system = (Message("system", context),) if context is not None else ()
    return *system, Message("user", question), Message("assistant", answer)
