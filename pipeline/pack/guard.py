"""What a set of masks must not be: all ones, all zeros, without an end token, behind two begin-of-sequence tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.pack.piece import Encoded
from pipeline.pack.targets import Targets

__all__ = ["MASKS", "check_rows", "check_run"]

MASKS = ("conversations", "learnt", "ended")
"""Counted of a part: rows of messages, those with a target, those with an end token among their targets."""


def check_rows(
    encoded: Encoded,
    ids: Sequence[str],
    conversation: NDArray[np.bool_],
    targets: Targets,
    *,
    bos_id: int | None,
    stop_ids: Sequence[int],
) -> dict[str, int]:
    """Look at the masks of rows that were encoded at once, and count `MASKS`.

    Args:
        encoded: the rows.
        ids: theirs, for the message.
        conversation: shape (rows,); not text or code, which are targets as a whole.
        targets: what the recipe learns.
        bos_id: the tokenizer's begin-of-sequence token.
        stop_ids: tokens that end an answer.

    Raises:
        InputError: a row begins with two begin-of-sequence tokens, or has no context where it should.
    """
    lengths = encoded.lengths
    first = np.cumsum(lengths) - lengths
    long = lengths > 1
    if bos_id is not None:
        heads = np.flatnonzero(long)
        twice = heads[(encoded.tokens[first[heads]] == bos_id) & (encoded.tokens[first[heads] + 1] == bos_id)]
        if len(twice):
            raise InputError(
                "the begin-of-sequence token stands twice",
                where=f"row {ids[twice[0]]}",
                mend="take it out of the rows, or out of the template (`curate-and-train lint-template`)",
            )
    row = np.repeat(np.arange(len(lengths)), lengths)
    learnt = np.bincount(row[encoded.loss], minlength=len(lengths))
    everything = conversation & long & (learnt == lengths - 1)
    if targets.loss != "all" and everything.any():
        raise InputError(
            "the mask is all ones: every token of a conversation is a target, and nothing is context",
            where=f"row {ids[int(np.argmax(everything))]}",
            mend="`pack.loss: all` if that is meant; else a template that marks only what the assistant writes",
        )
    ends = np.bincount(row[encoded.loss & np.isin(encoded.tokens, stop_ids)], minlength=len(lengths))
    return {
        "conversations": int(conversation.sum()),
        "learnt": int((conversation & (learnt > 0)).sum()),
        "ended": int((conversation & (ends > 0)).sum()),
    }


def check_run(counts: Mapping[str, int], targets: Targets) -> None:
    """Refuse masks that are all zeros, and an end token that is never learnt, over all rows of a run.

    Raises:
        InputError: one of the two.
    """
    if counts["conversations"] and not counts["learnt"]:
        wanted = f"loss: {targets.loss}" if isinstance(targets.loss, str) else f"roles: {', '.join(targets.loss)}"
        raise InputError(
            f"every mask is all zeros: none of {counts['conversations']} conversations has a target",
            where=f"pack.{wanted}",
            mend="let `pack.loss` name what the rows have: answers of the assistant, or `{roles: […]}`",
        )
    if counts["learnt"] and not counts["ended"] and targets.train_on_eos != "none":
        raise InputError(
            f"the end token is never learnt, in none of {counts['learnt']} conversations: the model would never stop",
            where="pack.template",
            mend="end each answer with the end token, in the template or, with `passthrough`, in the rows; "
            "or say that it is meant: `pack.train_on_eos: none`",
        )
