"""What rows are compared by: the whole of them, their prompts or their answers, in the normal form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.curate.messages import contents_of, extras_of, one_array, rows_of, whole_texts
from pipeline.engines import Engine
from pipeline.engines.conversations import follow
from pipeline.schema import MESSAGES

__all__ = ["ANSWERS", "Compared", "On", "compared", "read_texts"]

On: TypeAlias = Literal["row", "prompt", "answer"]

ANSWERS = ("assistant", "positive", "negative")
"""Roles whose messages are a row's answers; all its other messages are its prompt."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The part of each row that is compared.

    Attributes:
        messages: `schema.MESSAGES` [rows].
        tools: large_string [rows], or null.
    """

    messages: pa.ListArray
    tools: pa.LargeStringArray

    def texts(self, engine: Engine) -> pa.LargeStringArray:
        """All that the part says: large_string [rows]."""
        return whole_texts(self.messages, self.tools, engine)

    def normal(self, engine: Engine) -> pa.LargeStringArray:
        """The normal form of all that the part says: large_string [rows]."""
        return engine.normalise(self.texts(engine))

    def only(self, rows: NDArray[np.bool_], engine: Engine) -> Compared:
        """Some of the rows; not copied where they are all."""
        if rows.all():
            return self
        messages = self.messages.filter(pa.array(rows))
        follow(messages, [self.messages], np.flatnonzero(rows), engine)
        return Compared(messages=messages, tools=self.tools.filter(pa.array(rows)))


def compared(table: pa.Table, on: On) -> Compared:
    """Choose the messages that rows are compared by.

    The tools belong to the prompt. A row that says nothing in the part is compared as a whole (so are texts and code,
    which have no parts): rows are not alike because all of them lack something.

    Args:
        table: with the columns `messages` and `tools` of `schema.ROWS`.
        on: the part.
    """
    messages, tools = one_array(table["messages"]), one_array(table["tools"])
    if on == "row":
        return Compared(messages=messages, tools=tools)
    flat, row = messages.flatten(), rows_of(messages)
    answers = _bools(pc.is_in(flat.field("role"), pa.array(ANSWERS)))
    chosen = answers if on == "answer" else ~answers
    blank = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(contents_of(messages))), 0)
    says = ~_bools(blank) | _bools(extras_of(messages).is_valid())
    whole = np.bincount(row[chosen & says], minlength=len(messages)) == 0
    if on == "prompt":
        whole &= ~_bools(tools.is_valid())
    chosen = chosen | whole[row]
    offsets = np.zeros(len(messages) + 1, np.int32)
    np.cumsum(np.bincount(row[chosen], minlength=len(messages)), out=offsets[1:])
    return Compared(
        messages=pa.ListArray.from_arrays(pa.array(offsets), flat.filter(pa.array(chosen)), type=MESSAGES),
        tools=tools if on == "prompt" else pc.if_else(pa.array(whole), tools, pa.scalar(None, tools.type)),
    )


def read_texts(
    documents: Path, rows: NDArray[np.int64], on: On, engine: Engine, *, slice_bytes: int
) -> Iterator[tuple[slice, pa.LargeStringArray]]:
    """Read the normal forms of some rows of a part, some at a time.

    Args:
        documents: file of `schema.DOCUMENTS`.
        rows: ascending.
        on: the part of a row that is compared.
        engine: that computes.
        slice_bytes: of texts at once, or one longer text.

    Yields:
        Which of `rows`, and their texts.
    """
    with pq.ParquetFile(documents) as file:
        first = 0
        for group in range(file.num_row_groups):
            end = first + file.metadata.row_group(group).num_rows
            low, high = np.searchsorted(rows, [first, end])
            if high > low:
                table = file.read_row_group(group, columns=["messages", "tools"])
                texts = compared(table.take(pa.array(rows[low:high] - first)), on).normal(engine)
                ends = np.cumsum(pc.binary_length(texts).to_numpy()) // slice_bytes
                for at, until in pairwise([0, *(np.flatnonzero(np.diff(ends)) + 1).tolist(), len(texts)]):
                    yield slice(low + at, low + until), texts[at:until]
            first = end


def _bools(array: pa.Array) -> NDArray[np.bool_]:
    values: NDArray[np.bool_] = array.to_numpy(zero_copy_only=False)
    return values
