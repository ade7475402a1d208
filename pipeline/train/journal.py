"""`logs/*.jsonl`: a line for each step that has something to tell, each once, also after a resume.

The files need nothing but a text editor; the terminal and the trackers get the same numbers.
"""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from typing import Any

from pipeline.atomic import write_text

__all__ = ["Journal", "parse_line", "step_line"]

_LINE = re.compile(r"step (\d+)/\d+  (.*)")


class Journal:
    """Appends to `path`, from a given step on.

    Args:
        path: the file.
        after: the step that the run stands at; lines of later steps, of a run that was killed, are dropped.
    """

    def __init__(self, path: Path, *, after: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = [line for line in _lines(path) if _step(line) <= after]
        write_text(path, "".join(f"{line}\n" for line in kept))
        self.kept: list[dict[str, Any]] = [json.loads(line) for line in kept]
        """The lines that were there."""
        self._stream = path.open("a", encoding="utf-8")

    def write(self, entry: dict[str, Any]) -> None:
        """Add a line; `entry` has a key `step`."""
        self._stream.write(json.dumps(entry) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def step_line(entry: dict[str, Any], *, steps: int, seconds_left: float | None) -> str:
    """A step as people read it; `parse_line` reads it back."""
    left = "" if seconds_left is None else f"  {datetime.timedelta(seconds=round(seconds_left))} left"
    return (
        f"step {entry['step']}/{steps}  loss {entry['loss']:.4f}  lr {entry['lr']:.2e}  "
        f"{entry['tokens_per_second']:,.0f} tokens/s{left}"
    )


def parse_line(line: str) -> tuple[int, str] | None:
    """The step and the rest of a printed line, or None for any other line."""
    match = _LINE.fullmatch(line)
    return (int(match[1]), match[2]) if match else None


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _step(line: str) -> float:
    try:
        return int(json.loads(line)["step"])
    except ValueError:
        return float("inf")  # the line that was being written when the run was killed
