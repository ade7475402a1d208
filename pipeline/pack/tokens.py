"""Token parts: one row an example, Arrow IPC, memory-mapped; written by `tokenise`, gathered by `pack`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numba
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["TOKENS", "Survey", "TokenRows", "list_array", "token_batch"]

TOKENS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("tokens", pa.list_(pa.uint32()), nullable=False),
        pa.field("loss", pa.list_(pa.bool_()), nullable=False),  # the token is a target
        pa.field("characters", pa.int64(), nullable=False),  # of the row's contents
        pa.field("cuts", pa.list_(pa.uint32()), nullable=False),  # first and last token of each `truncation_field`
    ]
)
"""Rows in the order of the curated parts; of any length, 0 included."""


class Survey(NamedTuple):
    """Numbers about n rows, in their order; each of shape (n,)."""

    lengths: NDArray[np.int64]
    """Tokens."""
    targets: NDArray[np.int64]
    """Of a whole row."""
    characters: NDArray[np.int64]
    """Of the row's contents."""

    @property
    def fertility(self) -> NDArray[np.float64]:
        """Characters of contents a token; 0 for a row without tokens."""
        return np.divide(self.characters, self.lengths, out=np.zeros(len(self.lengths)), where=self.lengths != 0)


class TokenRows:
    """The examples of one split, over all its parts; what is not asked for stays on disk."""

    def __init__(self, batches: Sequence[pa.RecordBatch]) -> None:
        self._batches = batches
        self._begin = np.cumsum([0, *(batch.num_rows for batch in batches)], dtype=np.int64)
        self._offsets = [batch.column("tokens").offsets.to_numpy().astype(np.int64) for batch in batches]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Map every part in `folder`, in the order of their names."""
        readers = [pa.ipc.open_file(pa.memory_map(str(path))) for path in sorted(folder.glob("part-*.arrow"))]
        return cls([reader.get_batch(number) for reader in readers for number in range(reader.num_record_batches)])

    def __len__(self) -> int:
        return int(self._begin[-1])

    def survey(self) -> Survey:
        """Measure every row; one pass over the masks, a batch of rows in memory."""
        lengths, targets, characters = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for batch, offsets in zip(self._batches, self._offsets, strict=True):
            length = np.diff(offsets)
            loss = batch.column("loss").values.to_numpy(zero_copy_only=False)
            before = np.concatenate([[0], np.cumsum(loss, dtype=np.int64)])
            lengths.append(length)
            targets.append(before[offsets[1:]] - before[offsets[:-1]])
            characters.append(batch.column("characters").to_numpy())
        return Survey(np.concatenate(lengths), np.concatenate(targets), np.concatenate(characters))

    def ids(self, rows: NDArray[np.int64]) -> pa.Array:
        """The ids of rows, in the order asked for."""
        found, places = [pa.array([], pa.string())], [np.empty(0, np.int64)]
        for number, mine in self._by_batch(rows):
            found.append(self._batches[number].column("id").take(pa.array(rows[mine] - self._begin[number])))
            places.append(mine)
        return pa.concat_arrays(found).take(pa.array(np.argsort(np.concatenate(places))))

    def cuts(self, rows: NDArray[np.int64]) -> list[list[tuple[int, int]]]:
        """The token ranges of each row that `truncate` cuts first, in their order."""
        found: list[list[tuple[int, int]]] = [[] for _ in range(len(rows))]
        for number, mine in self._by_batch(rows):
            lists = self._batches[number].column("cuts").take(pa.array(rows[mine] - self._begin[number])).to_pylist()
            for place, flat in zip(mine.tolist(), lists, strict=True):
                found[place] = list(zip(flat[::2], flat[1::2], strict=True))
        return found

    def first_tokens(self, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
        """The first token of each row; rows must not be empty."""
        return self.gather(rows, np.ones(len(rows), np.int64))[0]

    def gather(
        self, rows: NDArray[np.int64], lengths: NDArray[np.int64], begin: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.bool_]]:
        """`lengths[i]` tokens of `rows[i]`, one row after another, and their masks.

        Args:
            rows: shape (n,).
            lengths: shape (n,), each at most what the row has from there.
            begin: shape (n,), the first token to take; None: the row's first.

        Returns:
            Two arrays of shape (sum of lengths,).
        """
        ends = np.cumsum(lengths)
        total = int(ends[-1]) if len(ends) else 0
        tokens, loss = np.empty(total, np.uint32), np.empty(total, np.bool_)
        for number, mine in self._by_batch(rows):
            batch = self._batches[number]
            masks = batch.column("loss")
            first = self._offsets[number][rows[mine] - self._begin[number]]
            if begin is not None:
                first = first + begin[mine]
            _copy(
                batch.column("tokens").values.to_numpy(),
                np.frombuffer(masks.values.buffers()[1], dtype=np.uint8),
                first,
                masks.values.offset,
                ends[mine] - lengths[mine],
                lengths[mine],
                tokens,
                loss,
            )
        return tokens, loss

    def _by_batch(self, rows: NDArray[np.int64]) -> Iterable[tuple[int, NDArray[np.int64]]]:
        """Each batch that holds some of `rows`, and which of them."""
        batch_of = np.searchsorted(self._begin, rows, side="right") - 1
        order = np.argsort(batch_of, kind="stable")
        numbers, first = np.unique(batch_of[order], return_index=True)
        return zip(numbers.tolist(), np.split(order, first[1:]), strict=True) if len(rows) else ()


def token_batch(
    ids: Sequence[str],
    tokens: NDArray[np.uint32],
    loss: NDArray[np.bool_],
    lengths: NDArray[np.int64],
    characters: NDArray[np.int64],
    cuts: Sequence[Sequence[int]] | None = None,
) -> pa.RecordBatch:
    """A batch of `TOKENS` from flat arrays; `cuts` has a row's ranges one after another."""
    return pa.RecordBatch.from_arrays(
        [
            pa.array(ids, pa.string()),
            list_array(pa.array(tokens), lengths),
            list_array(pa.array(loss), lengths),
            pa.array(characters, pa.int64()),
            pa.array(cuts if cuts is not None else [[]] * len(ids), pa.list_(pa.uint32())),
        ],
        schema=TOKENS,
    )


def list_array(values: pa.Array, lengths: NDArray[np.integer[Any]]) -> pa.ListArray:
    """Cut a flat array into lists of `lengths`."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _copy(
    tokens: NDArray[np.uint32],
    bitmap: NDArray[np.uint8],
    first: NDArray[np.int64],
    bit_offset: int,
    to: NDArray[np.int64],
    lengths: NDArray[np.int64],
    tokens_out: NDArray[np.uint32],
    loss_out: NDArray[np.bool_],
) -> None:
    for row in range(len(first)):
        for step in range(lengths[row]):
            source = first[row] + step
            bit = source + bit_offset
            tokens_out[to[row] + step] = tokens[source]
            loss_out[to[row] + step] = (bitmap[bit >> 3] >> (bit & 7)) & 1
