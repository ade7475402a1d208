"""A row's messages as one text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.engines.launch import bounds_of, launcher
from pipeline.engines.write import write_texts
from pipeline.text.join import join_contents
from pipeline.text.kernel import compiled

__all__ = ["join"]


def join(messages: pa.ListArray) -> pa.LargeStringArray:
    r"""Make one text of every row: its messages' contents with `\n\n` between two.

    Args:
        messages: n lists of `schema.MESSAGE`.

    Returns:
        n texts; `""` for a row without messages. Where every row is one message they are the contents themselves.
    """
    lists = messages.offsets.to_numpy().astype(np.int64)
    if np.all(np.diff(lists) == 1):
        return messages.flatten().field("content")
    contents = from_arrow(messages.values.field("content"))

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        join_rows(0, len(messages), *contents, lists, places, lengths, output)

    texts = write_texts(len(messages), loop)
    if launcher().parallel:
        _follow(from_arrow(texts), contents, lists)
    return texts


def _follow(texts: TextColumn, contents: TextColumn, lists: np.ndarray) -> None:
    """Join the contents where copies of them are, too: of the host's, which it needs, none travels for it."""
    between = from_arrow(pa.array(["\n\n"], pa.large_string()))
    wanted = np.arange(lists[0], lists[-1])
    pieces = np.column_stack((wanted, np.full(len(wanted), contents.rows)))
    inside = np.ones(pieces.shape, np.bool_)
    inside[lists[1:][np.diff(lists) > 0] - lists[0] - 1, 1] = False  # nothing stands behind the last of a row
    lengths = np.column_stack((np.diff(contents.bounds)[lists[0] : lists[-1]], np.full(len(wanted), 2)))
    parts = TextColumn(texts.buffer, bounds_of(lengths[inside]))
    launcher().follow(parts, [contents, between], pieces[inside])


@compiled
def join_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    lists: np.ndarray,
    places: np.ndarray,
    lengths: np.ndarray,
    output: np.ndarray,
) -> None:
    """Join contents `lists[i]…lists[i + 1] - 1`: with empty `places` measure the `lengths`, else write."""
    for row in range(first, last):
        at = places[row] if len(places) else -1
        length = join_contents(buffer, bounds, lists[row], lists[row + 1], output, at)
        if len(places) == 0:
            lengths[row] = length
