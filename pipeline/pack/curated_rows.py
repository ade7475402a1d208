"""Curated rows as columns: what most rows need of a message is its role and its content."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["COLUMNS", "CuratedRows"]

COLUMNS = ["id", "kind", "messages", "tools", "metadata"]
"""Of `schema.CURATED`, what is read."""


class CuratedRows:
    """Rows that are encoded at once.

    Args:
        batch: with `COLUMNS`.
    """

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        flat = batch["messages"].flatten()
        self._roles, self._contents, self._extras = (flat.field(name) for name in ("role", "content", "extra"))
        self.ids: list[str] = _texts(batch["id"])
        self.kinds: list[str] = _texts(batch["kind"])
        self.roles: list[str] = _texts(self._roles)
        """Of each message, shape (messages,)."""
        self.contents: list[str] = _texts(self._contents)
        """Of each message."""
        sizes = pc.list_value_length(batch["messages"]).to_numpy(zero_copy_only=False)
        self.first: NDArray[np.int64] = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        """Shape (rows + 1,): row `i` has the messages `first[i] … first[i + 1] - 1`."""
        self._having: dict[frozenset[str], list[bool]] = {}
        self._held: dict[str, NDArray[np.bool_]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """A row as `to_pylist` would give it."""
        begin, end = self.first[number : number + 2].tolist()
        extras = self._extras[begin:end].to_pylist()
        keys = zip(self.roles[begin:end], self.contents[begin:end], extras, strict=True)
        return {
            "id": self.ids[number],
            "kind": self.kinds[number],
            "messages": [dict(zip(("role", "content", "extra"), one, strict=True)) for one in keys],
            "tools": self.tools[number],
            "metadata": self._batch["metadata"][number].as_py(),
        }

    @cached_property
    def row_of(self) -> NDArray[np.int64]:
        """The row of each message."""
        return np.repeat(np.arange(len(self)), np.diff(self.first))

    @cached_property
    def tools(self) -> list[str | None]:
        """Of each row: exact JSON, or None."""
        return _texts(self._batch["tools"])

    @cached_property
    def characters(self) -> NDArray[np.int64]:
        """Of each row's contents."""
        sizes = np.fromiter(map(len, self.contents), np.int64, len(self.contents))
        total = np.concatenate([[0], np.cumsum(sizes)])
        found: NDArray[np.int64] = np.diff(total[self.first])
        return found

    @property
    def bytes(self) -> int:
        """Of all contents."""
        return int(pc.sum(pc.binary_length(self._contents)).as_py() or 0)

    def rows_with(self, role: str) -> int:
        """How many rows have a message of this role."""
        mine = pc.equal(self._roles, role).to_numpy(zero_copy_only=False)
        return len(np.unique(self.row_of[mine]))

    @cached_property
    def extras(self) -> list[str | None]:
        """Of each message: exact JSON of its other keys, or None."""
        return _texts(self._extras)

    @cached_property
    def _joined(self) -> tuple[NDArray[np.int32], Any]:
        """Where each `extra` begins, and all of them."""
        offsets = np.frombuffer(self._extras.buffers()[1], np.int32)[self._extras.offset :][: len(self._extras) + 1]
        return offsets, self._extras.buffers()[2].slice(offsets[0], offsets[-1] - offsets[0]).to_pybytes()

    def may_have(self, keys: frozenset[str]) -> list[bool]:
        r"""Whether `extra` of each row's messages may have one of these keys.

        It is exact JSON: a key is there between quotes, or (`\u0074ools`) with an escape in it.
        """
        if keys not in self._having:
            found = np.zeros(len(self), np.bool_)
            if self._extras.null_count < len(self._extras):
                for text in (r"\u00", *(f'"{key}"' for key in sorted(keys))):
                    found |= self._holding(text)
            self._having[keys] = found.tolist()
        return self._having[keys]

    def _holding(self, text: str) -> NDArray[np.bool_]:
        """Whether `extra` of each row's messages holds a text; shape (rows,)."""
        if text not in self._held:
            found = self._held[text] = np.zeros(len(self), np.bool_)
            (offsets, data), sought = self._joined, text.encode()
            place = data.find(sought)
            while place >= 0:
                message = int(np.searchsorted(offsets, offsets[0] + place, side="right")) - 1
                found[self.row_of[message]] = True
                place = data.find(sought, int(offsets[message + 1] - offsets[0]))
        return self._held[text]


def _texts(array: pa.Array) -> list[Any]:
    """`to_pylist` of a column of text, several times as fast."""
    return list(array.to_numpy(zero_copy_only=False))
