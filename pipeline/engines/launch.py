"""Where loops over rows run: on the processor, unless an engine says otherwise for the time of an operation.

A *loop over rows* is a compiled function `loop(first, last, …)` that runs a kernel on the rows `first…last - 1` of its
arguments. Every operation is host code over such loops and Arrow columns, and the same for all engines. An engine's
*launcher* decides what runs a loop and where its arrays live: the processor calls it once, for all rows, on the arrays
as they are; a GPU calls it from thousands of threads, for a row (or a segment of a long one) each, on copies in its own
memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

import numpy as np

from pipeline.engines.columns import TextColumn
from pipeline.engines.segments import WHOLE, Segments
from pipeline.engines.write import NOWHERE

__all__ = ["Host", "Launcher", "Loop", "Out", "Scratch", "Some", "bounds_of", "launched_by", "launcher"]

Loop = Callable[..., None]
"""A loop over rows, as above."""


class Out(NamedTuple):
    """An argument that a loop writes, every value of it that is read afterwards.

    Attributes:
        array: What it is on the host.
        bounds: Of texts, int64 (n + 1): row k is `array[bounds[k]:bounds[k + 1]]`.
    """

    array: np.ndarray
    bounds: np.ndarray | None = None


class Some(NamedTuple):
    """An argument that a loop writes in part; the rest of it stays as it is."""

    array: np.ndarray


class Scratch(NamedTuple):
    """An argument that a loop uses for one row and forgets: as many as rows are worked on at a time.

    Attributes:
        shape: Its shape, given the bytes of the longest row; nowhere does it shrink as they grow.
        kind: Of its values.
    """

    shape: Callable[[int], tuple[int, ...]]
    kind: type[np.generic]

    def make(self, longest: int) -> np.ndarray:
        """One of them, in memory that costs nothing until it is touched."""
        return np.empty(self.shape(longest), self.kind)


class Launcher(Protocol):
    """Runs loops over rows."""

    parallel: bool
    """Rows are worked on side by side, so that none can be written behind the one before it in a single pass."""

    def cut(self, work: np.ndarray) -> Segments:
        """Say how to cut the long rows for a loop that can work on segments.

        Args:
            work: int64 (n), the bytes of each row.
        """

    def run(self, loop: Loop, work: np.ndarray, *arguments: Any, segments: Segments = WHOLE) -> None:
        """Run a loop on every row.

        Args:
            loop: To be run on the rows `0…n - 1`.
            work: int64 (n), the bytes that each row reads.
            arguments: Its arguments behind `first` and `last`: integers, arrays that it reads, `Out`, `Some` and
                `Scratch`.
            segments: Where rows are cut, these are what the loop and `work` mean by rows.
        """

    def pack(
        self,
        loop: Loop,
        work: np.ndarray,
        room: np.ndarray,
        kinds: Sequence[type[np.generic]],
        *arguments: Any,
        stays: bool = False,
        segments: Segments = WHOLE,
    ) -> tuple[list[Any], np.ndarray]:
        """Run a loop that can only tell what a row comes to by writing it, and return the rows one behind the other.

        Args:
            loop: Its last arguments are `places`, `lengths` and as many outputs as there are `kinds`; row k is written
                from `places[k]` on, or behind the row before it if `places` is empty, and `lengths[k]` says how many
                values it has.
            work: As of `run`.
            room: int64 (n), how many values each row has at most.
            kinds: Of the values of each output.
            arguments: The loop's arguments before `places`.
            stays: The outputs are read by other loops only, so the host needs no copy of them.
            segments: As of `run`, for `room` too; what is returned are whole rows.

        Returns:
            The outputs, arrays save those that stay where they are, which only loops take; and int64 (n + 1): row k is
            `output[bounds[k]:bounds[k + 1]]` of each.
        """

    def follow(self, result: TextColumn, sources: Sequence[TextColumn], places: np.ndarray) -> None:
        """Put copies that are kept elsewhere together as the host put its texts together.

        Args:
            result: n texts.
            sources: m texts in all.
            places: int64 (n): text k is the text `places[k]` of the sources, counted through all of them.
        """

    def leave(self, reason: str, rows: int) -> None:
        """Note that an operation computes so many rows on the host, with a library that is only there."""


class Host:
    """The processor: one call a loop."""

    parallel = False

    def cut(self, work: np.ndarray) -> Segments:
        """One thread reads everything: rows stay whole."""
        return WHOLE

    def run(self, loop: Loop, work: np.ndarray, *arguments: Any, segments: Segments = WHOLE) -> None:
        """Run a loop on every row, one after another."""
        loop(0, len(work), *on_host(arguments, int(work.max(initial=0))))

    def pack(
        self,
        loop: Loop,
        work: np.ndarray,
        room: np.ndarray,
        kinds: Sequence[type[np.generic]],
        *arguments: Any,
        stays: bool = False,
        segments: Segments = WHOLE,
    ) -> tuple[list[Any], np.ndarray]:
        """Write each row behind the one before it."""
        total = int(room.sum())  # memory that is never touched costs nothing
        lengths, outputs = np.empty(len(work), np.int64), [np.empty(total, kind) for kind in kinds]
        self.run(loop, work, *arguments, NOWHERE, Out(lengths), *map(Out, outputs))
        bounds = segments.bounds(bounds_of(lengths))
        return [output[: bounds[-1]] for output in outputs], bounds

    def follow(self, result: TextColumn, sources: Sequence[TextColumn], places: np.ndarray) -> None:
        """There are no copies elsewhere."""

    def leave(self, reason: str, rows: int) -> None:
        """Everything is computed here."""


def on_host(arguments: Sequence[Any], longest: int) -> list[Any]:
    """The arguments of a loop as the processor takes them, scratch made for the longest row."""
    return [
        one.make(longest) if isinstance(one, Scratch) else one.array if isinstance(one, Out | Some) else one
        for one in arguments
    ]


def bounds_of(lengths: np.ndarray) -> np.ndarray:
    """Where each of n rows begins if they lie one behind the other, and where the last ends: int64 (n + 1)."""
    bounds = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=bounds[1:])
    return bounds


_CURRENT: ContextVar[Launcher] = ContextVar("launcher", default=Host())  # noqa: B039  (it has no state)


def launcher() -> Launcher:
    """What runs the loops of the operation that is under way."""
    return _CURRENT.get()


@contextmanager
def launched_by(one: Launcher) -> Iterator[None]:
    """Have loops run by this launcher; it holds in this thread, and in no other."""
    token = _CURRENT.set(one)
    try:
        yield
    finally:
        _CURRENT.reset(token)
