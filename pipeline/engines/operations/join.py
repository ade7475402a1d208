"""A row's messages as one text."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow
from pipeline.engines.launch import Out, launcher
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

    work = np.diff(contents.bounds[lists])

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        launcher().run(join_rows, work, *contents, lists, places, Out(lengths), Out(output))

    return write_texts(len(messages), loop)


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
