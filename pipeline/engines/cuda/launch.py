"""Loops over rows on a GPU: arguments copied there, launches planned, results copied back."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import cuda

from pipeline.engines.columns import TextColumn
from pipeline.engines.cuda.kernels import WARP, kernel_of, mover
from pipeline.engines.cuda.mirrors import Mirrors
from pipeline.engines.cuda.pieces import Pieces, pieces_of
from pipeline.engines.cuda.resident import Resident
from pipeline.engines.cuda.schedule import Plan, cut, plan
from pipeline.engines.launch import Loop, Out, Scratch, Some, bounds_of, on_host
from pipeline.engines.segments import WHOLE, Segments

__all__ = ["Gpu"]

_BLOCK = 128
"""Threads of a block, where the scratch suffices for so many."""

_MOST_BLOCKS = 1 << 16
"""Of the launches that move pieces of rows."""


class Gpu:
    """The GPU of this process. Nothing happens there before the first loop is run.

    Memory there is bounded: `scratch` bytes for what kernels write while they work on a row, `kept` bytes for texts
    that stay between operations, and besides these the arguments of the one loop that runs.
    """

    parallel = True

    def __init__(self, *, scratch: int = 4 << 30, kept: int = 2 << 30, threads: int = 1 << 18) -> None:
        """Take bounds.

        Args:
            scratch: Bytes of device memory for scratch.
            kept: Bytes of device memory for texts between operations.
            threads: That are started in a launch at most; the rows are divided among them.
        """
        self._scratch, self._threads = scratch, threads
        self.mirrors = Mirrors(kept)
        self.left: Counter[str] = Counter()

    def leave(self, reason: str, rows: int) -> None:
        """Count rows that an operation computes on the host."""
        if rows:
            self.left[reason] += rows

    def cut(self, work: np.ndarray) -> Segments:
        """Cut the long rows for a loop that can work on segments."""
        return cut(work)

    def run(self, loop: Loop, work: np.ndarray, *arguments: Any, segments: Segments = WHOLE) -> None:
        """Run a loop on every row."""
        if not len(work):
            return
        whose = self._plan(work, arguments)
        there = [self._put(one) for one in arguments]
        self._launch(loop, whose, work, arguments, there)
        _read_back(arguments, there)
        self._run_here(loop, whose.host, work, arguments, segments)
        for one, copy in zip(arguments, there, strict=True):
            if isinstance(one, Out) and one.array.dtype == np.uint8 and one.array.size:
                if one.bounds is not None:
                    Resident(copy, one.bounds).put(whose.host, one.array)
                if one.bounds is not None or not len(whose.host):
                    self.mirrors.keep(one.array, copy)

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
        """Write each row where it has room, then move the rows together."""
        whose = self._plan(work, arguments)
        places = bounds_of(room)[:-1]
        total, lengths = int(room.sum()), np.zeros(len(work), np.int64)
        there = [self._put(one) for one in (*arguments, places)]
        written = [cuda.device_array(total, kind) for kind in kinds]
        counted = cuda.device_array(len(work), np.int64)
        outputs = [Out(lengths), *(Out(np.empty(0, kind)) for kind in kinds)]
        self._launch(loop, whose, work, (*arguments, places, *outputs), [*there, counted, *written])
        if len(work):
            counted.copy_to_host(lengths)
            _read_back((*arguments, places), there)
        # Memory that is never touched costs nothing: only rows that are left to the host are written here.
        here = [np.empty(total if len(whose.host) else 0, kind) for kind in kinds]
        self._run_here(loop, whose.host, work, (*arguments, places, lengths, *here), segments)
        bounds = bounds_of(lengths)
        packed = [self._together(one, places, lengths, bounds, whose) for one in written]
        for source, target in zip(here, packed, strict=True):
            for row in whose.host.tolist():
                if lengths[row]:
                    own = source[places[row] : places[row] + lengths[row]]
                    target[bounds[row] : bounds[row + 1]].copy_to_device(own)
        bounds = segments.bounds(bounds)
        if stays:
            return [Resident(one, bounds) for one in packed], bounds
        return [self._fetched(one) for one in packed], bounds

    def follow(self, result: TextColumn, sources: Sequence[TextColumn], places: np.ndarray) -> None:
        """Put copies together on the device, where there is one of any of the sources; the others are copied there."""
        known = any(self.mirrors.find(one.buffer) is not None for one in sources)
        whole = result.bounds[0] == 0 and result.bounds[-1] == result.buffer.size  # no other column has more of it
        if not (known and whole and self.mirrors.takes(result.buffer)) or self.mirrors.find(result.buffer) is not None:
            return
        copy, lengths = cuda.device_array(result.buffer.size, np.uint8), np.diff(result.bounds)
        first = 0
        for one in sources:
            here = np.flatnonzero((places >= first) & (places < first + one.rows))
            rows = places[here] - first
            pieces = pieces_of(one.bounds[rows], result.bounds[here], lengths[here])
            if len(pieces.lengths):
                self._move(self.copy_of(one.buffer), copy, pieces)
            first += one.rows
        self.mirrors.keep(result.buffer, copy)

    def _plan(self, work: np.ndarray, arguments: Sequence[Any]) -> Plan:
        """Who works on which rows, as far as there is scratch for a thread at least."""
        grows = _scratch_bytes(arguments, 1 << 20) > _scratch_bytes(arguments, 1)
        launches, host = plan(work, by_length=grows)
        share = self._scratch // max(1, len(launches))
        fit = [_scratch_bytes(arguments, int(work[rows[0]])) <= share for rows in launches]
        host = np.concatenate([host, *(rows for rows, fits in zip(launches, fit, strict=True) if not fits)])
        self.leave("long rows", len(host))
        return Plan([rows for rows, fits in zip(launches, fit, strict=True) if fits], host)

    def _launch(
        self, loop: Loop, whose: Plan, work: np.ndarray, arguments: Sequence[Any], there: Sequence[Any]
    ) -> None:
        """Run all launches side by side, and wait for them."""
        own = tuple(isinstance(one, Scratch) for one in arguments)
        kernel, streams, held = kernel_of(loop, own), [], []
        share = self._scratch // max(1, len(whose.launches))
        for rows in whose.launches:
            longest = int(work[rows[0]])
            most = min(self._threads, share // max(1, _scratch_bytes(arguments, longest)))
            block = min(_BLOCK, most)
            blocks = min(most // block, -(-len(rows) // block))
            scratch = [
                cuda.device_array((blocks * block, *one.shape(longest)), one.kind)
                for one in arguments
                if isinstance(one, Scratch)
            ]
            passed, order = iter(scratch), cuda.to_device(rows)
            stream = cuda.stream()
            given = [next(passed) if mine else copy for mine, copy in zip(own, there, strict=True)]
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Grid size")  # few rows need few threads
                kernel[blocks, block, stream](order, *given)
            streams.append(stream)
            held.append((order, scratch))  # until the kernel has ended
        for stream in streams:
            stream.synchronize()

    def _run_here(
        self, loop: Loop, rows: np.ndarray, work: np.ndarray, arguments: Sequence[Any], segments: Segments
    ) -> None:
        """Run the loop on some rows, or segments, on the processor; scratch is made for the longest of them."""
        if len(rows):
            read = segments.rows_of(rows)
            here = [one.on_host(read) if isinstance(one, Resident) else one for one in arguments]
            passed = on_host(here, int(work[rows].max()))
            for row in rows.tolist():
                loop(row, row + 1, *passed)

    def _put(self, one: Any) -> Any:
        """An argument as a kernel takes it: a copy on the device, made unless there is one."""
        if isinstance(one, Out):
            return cuda.device_array(one.array.shape, one.array.dtype)
        if isinstance(one, Some):
            return cuda.to_device(one.array)
        if isinstance(one, Resident):
            return one.copy
        if not isinstance(one, np.ndarray):
            return one  # an integer; scratch is made for each launch
        return self.copy_of(np.ascontiguousarray(one))

    def copy_of(self, array: np.ndarray) -> Any:
        """The copy of an array on the device, made unless there is one; kept if the array cannot change."""
        if (copy := self.mirrors.find(array)) is not None:
            return copy
        copy = cuda.to_device(array)
        if not array.flags.writeable:  # a column's bytes or bounds
            self.mirrors.keep(array, copy)
        return copy

    def _together(self, source: Any, places: np.ndarray, lengths: np.ndarray, bounds: np.ndarray, whose: Plan) -> Any:
        """The rows that the device wrote, one behind the other, with gaps for those that it did not write."""
        if source.size == bounds[-1] and np.array_equal(places, bounds[:-1]):
            return source
        written = lengths.copy()
        written[whose.host] = 0
        packed = cuda.device_array(int(bounds[-1]), source.dtype)
        self._move(source, packed, pieces_of(places, bounds[:-1], written))
        return packed

    def _move(self, source: Any, target: Any, pieces: Pieces) -> None:
        """Copy pieces from one array of the device to another."""
        if len(pieces.lengths):
            starts, places, lengths = (cuda.to_device(one) for one in pieces)
            mover()[min(len(pieces.lengths), _MOST_BLOCKS), WARP](source, starts, target, places, lengths)
            cuda.synchronize()

    def _fetched(self, copy: Any) -> np.ndarray:
        """The host's copy of an array of the device; of texts the device keeps its own."""
        array = np.empty(copy.size, copy.dtype)
        if array.size:
            copy.copy_to_host(array)
            if array.dtype == np.uint8:
                self.mirrors.keep(array, copy)
        return array


def _read_back(arguments: Sequence[Any], there: Sequence[Any]) -> None:
    """Copy what loops wrote to the host."""
    for one, copy in zip(arguments, there, strict=True):
        if isinstance(one, Out | Some) and one.array.size:
            copy.copy_to_host(one.array)


def _scratch_bytes(arguments: Sequence[Any], longest: int) -> int:
    """Bytes of scratch that a thread needs for a row of so many bytes."""
    own = [one for one in arguments if isinstance(one, Scratch)]
    return sum(int(np.prod(one.shape(longest))) * np.dtype(one.kind).itemsize for one in own)
