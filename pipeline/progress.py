"""One live line a stage on a terminal; plain lines when the output is not a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, TypeVar

from rich.console import Console
from rich.live import Live
from rich.text import Text

__all__ = ["Progress", "told"]

_PLAIN_EVERY = 10.0
"""Seconds between plain lines."""

_Listener = TypeVar("_Listener", bound="Callable[[Progress], None]")
_listeners: list[Callable[[Progress], None]] = []


@contextmanager
def told(listener: _Listener) -> Iterator[_Listener]:
    """Call `listener` whenever a stage of this process has advanced; it should be quick."""
    _listeners.append(listener)
    try:
        yield listener
    finally:
        _listeners.remove(listener)


class Progress:
    """Counts what a stage has done and shows it.

    with Progress("documents", total=12, unit="parts") as progress:
        progress.advance(rows=1000, bytes=5_000_000, dropped=7)

    Args:
        stage: the name at the start of the line.
        total: units of work, or None where unknown.
        unit: what `advance` counts: parts, steps, ….
    """

    def __init__(self, stage: str, *, total: int | None = None, unit: str = "parts") -> None:
        self.stage = stage
        self.total = total
        self.unit = unit
        self.done = self.rows = self.bytes = self.dropped = 0
        self.note = ""
        self._console = Console(stderr=True, highlight=False)
        self._live: Live | None = None
        self._began = time.monotonic()
        self._shown = self._began
        self._last: tuple[object, ...] | None = None  # what the last plain line said

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=lambda: Text(self.line()), refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        elif kind is None and self._last != self._counts():
            self._plain()

    def advance(self, units: int = 1, *, rows: int = 0, bytes: int = 0, dropped: int = 0, note: str = "") -> None:
        """Count finished units; `note` replaces the end of the line (a loss, say)."""
        self.done += units
        self.rows += rows
        self.bytes += bytes
        self.dropped += dropped
        self.note = note or self.note
        for listener in _listeners:
            listener(self)
        now = time.monotonic()
        if self._live is None and now - self._shown >= _PLAIN_EVERY:
            self._shown = now
            self._plain()

    def line(self) -> str:
        """The line as it stands."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        fields = [f"{self.stage:<10}", f"{self.done}/{self.total} {self.unit}" if self.total else ""]
        if self.rows:
            fields.append(f"{self.rows:,} rows")
        if self.bytes:
            fields.append(f"{self.bytes / seconds / 1e6:.1f} MB/s")
        if self.dropped:
            fields.append(f"{self.dropped:,} dropped")
        fields += [self.note, f"{seconds:.0f} s"]
        return "  ".join(field for field in fields if field)

    def _plain(self) -> None:
        self._last = self._counts()
        print(self.line(), file=sys.stderr, flush=True)

    def _counts(self) -> tuple[object, ...]:
        return self.done, self.rows, self.bytes, self.dropped, self.note
