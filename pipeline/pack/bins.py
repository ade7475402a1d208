"""Read bins: memory-mapped, any bin at once, without transformers or Dask.

    bins = Bins.open(run.path("packed/train"))
    tokens, loss, starts, rows = bins.get(17)

A bin holds whole examples one after another: full token ids, neither shifted nor padded. `loss[i]` says that token
`i` is a target, to be predicted from the tokens before it *in its own example*; the first token of an example has
none and is never a target, so a shift over the whole bin cannot train across a border.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline import fingerprint
from pipeline.errors import RunDirectoryError
from pipeline.run import Manifest
from pipeline.schema import BINS

__all__ = ["Bin", "Bins"]


class Bin(NamedTuple):
    """A packed sequence of T tokens in S examples."""

    tokens: NDArray[np.uint32]
    """Shape (T,)."""
    loss: NDArray[np.bool_]
    """Shape (T,); the token is a target."""
    starts: NDArray[np.uint32]
    """Shape (S,); where each example begins; `starts[0] == 0`."""
    rows: list[str]
    """The row id of each example, S of them."""


class Bins:
    """The bins of one split, over all its files in the order of their names."""

    def __init__(self, folder: Path, files: list[Path]) -> None:
        self.folder = folder
        self.files = files
        self._batches: list[pa.RecordBatch] = []
        for file in files:
            # The map lives as long as the batches that point into it.
            reader = pa.ipc.open_file(pa.memory_map(str(file)))
            if not reader.schema.equals(BINS):
                raise RunDirectoryError(
                    "the file does not hold bins", where=str(file), mend="delete the packed folder and pack again"
                )
            self._batches += [reader.get_batch(number) for number in range(reader.num_record_batches)]
        # ends[k]: bins in the batches up to and with k.
        self._ends = np.cumsum([batch.num_rows for batch in self._batches], dtype=np.int64)

    @classmethod
    def open(cls, folder: Path) -> Bins:
        """Map the bins in `folder` (`packed/train`, …); a split may hold none.

        Raises:
            RunDirectoryError: the folder has no bins file, or a file that holds something else.
        """
        files = sorted(folder.glob("bins-*.arrow"))
        if not files:
            raise RunDirectoryError(
                "there are no bins here", where=str(folder), mend="run `curate-and-train pack RECIPE` first"
            )
        try:
            return cls(folder, files)
        except pa.ArrowInvalid as error:
            raise RunDirectoryError(
                f"a bins file is damaged: {error}", where=str(folder), mend="delete the packed folder and pack again"
            ) from None

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def get(self, index: int) -> Bin:
        """Bin `index`; `tokens` and `starts` are read-only views of the file.

        Raises:
            IndexError: there is no such bin.
        """
        batch, row = self._place(index)
        tokens, loss, starts, rows = (_element(batch.column(name), row) for name in BINS.names)
        return Bin(
            tokens=tokens.to_numpy(),
            loss=loss.to_numpy(zero_copy_only=False),
            starts=starts.to_numpy(),
            rows=rows.to_pylist(),
        )

    def example(self, index: int, number: int) -> Bin:
        """One example of bin `index` by itself; `tokens` is a read-only view of the file.

        Raises:
            IndexError: there is no such bin, or no such example in it.
        """
        batch, row = self._place(index)
        tokens, loss, starts, rows = (_element(batch.column(name), row) for name in BINS.names)
        if not 0 <= number < len(starts):
            raise IndexError(f"example {number} of {len(starts)} in bin {index}")
        begin = starts[number].as_py()
        end = starts[number + 1].as_py() if number + 1 < len(starts) else len(tokens)
        return Bin(
            tokens=tokens.slice(begin, end - begin).to_numpy(),
            loss=loss.slice(begin, end - begin).to_numpy(zero_copy_only=False),
            starts=np.zeros(1, np.uint32),
            rows=[rows[number].as_py()],
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All bins in their order, as record batches of `schema.BINS` that point into the files."""
        yield from self._batches

    def length(self, index: int) -> int:
        """Tokens in bin `index`.

        Raises:
            IndexError: there is no such bin.
        """
        batch, row = self._place(index)
        return len(_element(batch.column("tokens"), row))

    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where examples lie, over all bins: of the tokens only their number is read.

        Returns:
            The number of the first example of each bin, shape (bins + 1,); the tokens of each example, shape (n,).
        """
        counts, lengths = [np.zeros(1, np.int64)], [np.empty(0, np.int64)]
        for batch in self._batches:
            examples, tokens = (_lengths(batch.column(name)) for name in ("starts", "tokens"))
            starts = batch.column("starts").flatten().to_numpy().astype(np.int64)
            ends = np.append(starts[1:], 0)
            if len(starts):
                ends[np.cumsum(examples)[examples > 0] - 1] = tokens[examples > 0]
            counts.append(examples)
            lengths.append(ends - starts if len(starts) else starts)
        return np.cumsum(np.concatenate(counts)), np.concatenate(lengths)

    @cached_property
    def fingerprint(self) -> str:
        """Of the files' contents; from the manifest where there is one, else by reading the files."""
        manifest = Manifest.read(self.folder.parent)
        known = {Path(part["name"]): part["blake3"] for part in manifest.parts} if manifest else {}
        return fingerprint.of_value(
            [
                [file.name, known.get(Path(*file.parts[-3:])) or fingerprint.of_file(file)]
                for file in (path.absolute() for path in self.files)
            ]
        )

    def _place(self, index: int) -> tuple[pa.RecordBatch, int]:
        if not 0 <= index < len(self):
            raise IndexError(f"bin {index} of {len(self)}")
        number = int(np.searchsorted(self._ends, index, side="right"))
        batch = self._batches[number]
        return batch, index - (int(self._ends[number]) - batch.num_rows)


def _element(column: pa.ListArray, row: int) -> pa.Array:
    """The values of list `row`, without a copy."""
    first, last = column.offsets[row].as_py(), column.offsets[row + 1].as_py()
    return column.values.slice(first, last - first)


def _lengths(column: pa.ListArray) -> NDArray[np.int64]:
    offsets: NDArray[np.int64] = column.offsets.to_numpy().astype(np.int64)
    return np.diff(offsets)
