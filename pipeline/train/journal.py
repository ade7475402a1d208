"""`logs/train.jsonl`: a line a step, each step once, also after a resume. Told to the terminal too."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.atomic import write_text

if TYPE_CHECKING:
    from pipeline.train.loop import StepReport

__all__ = ["Journal", "parse_line"]

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
        self._stream = path.open("a", encoding="utf-8")

    def write(self, report: StepReport, *, steps: int) -> None:
        """Add a step's line, and print it for people; `parse_line` reads what is printed."""
        self._stream.write(json.dumps(asdict(report)) + "\n")
        self._stream.flush()
        print(
            f"step {report.step}/{steps}  loss {report.loss:.4f}  lr {report.lr:.2e}  "
            f"{report.tokens_per_second:,.0f} tokens/s",
            flush=True,
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
