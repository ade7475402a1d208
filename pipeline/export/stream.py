"""The examples of a split as they lie in its bins, a record batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.pack.bins import Bins

__all__ = ["Examples", "examples", "narrowed"]


class Examples(NamedTuple):
    """Whole bins: examples one after another."""

    tokens: NDArray[np.uint32]
    """Shape (T,)."""
    loss: NDArray[np.bool_]
    """Shape (T,); the token is a target, and the first of an example never is."""
    lengths: NDArray[np.int64]
    """Shape (examples,), summing to T; none is 0."""
    sizes: NDArray[np.int64]
    """Shape (bins,), examples of each bin, summing to `examples`."""

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each example begins in `tokens`, shape (examples,)."""
        starts: NDArray[np.int64] = np.cumsum(self.lengths) - self.lengths
        return starts


def examples(bins: Bins) -> Iterator[Examples]:
    """All bins in the order of their files; about two million tokens are in memory at once."""
    for batch in bins.batches():
        filled, sizes = (
            np.diff(batch.column(name).offsets.to_numpy().astype(np.int64)) for name in ("tokens", "starts")
        )
        starts = batch.column("starts").flatten().to_numpy().astype(np.int64)
        starts += np.repeat(np.cumsum(filled) - filled, sizes)
        tokens = batch.column("tokens").flatten().to_numpy()
        yield Examples(
            tokens=tokens,
            loss=batch.column("loss").flatten().to_numpy(zero_copy_only=False),
            lengths=np.diff(np.append(starts, len(tokens))),
            sizes=sizes,
        )


def narrowed(tokens: NDArray[np.uint32], dtype: type[np.integer]) -> NDArray[np.integer]:
    """The tokens in the type of a format.

    Raises:
        InputError: an id does not fit; nothing is ever wrapped.
    """
    most = np.iinfo(dtype).max
    if len(tokens) and int(tokens.max()) > most:
        raise InputError(
            f"token id {int(tokens.max())} does not fit into {np.dtype(dtype).name}, which ends at {most}",
            where="the run's bins",
            mend="ids exceed the vocabulary that the run names: pack again with the right tokenizer",
        )
    return tokens.astype(dtype)
