"""The tables in `docs/signals.md`, made from `pipeline.signals`; `python -m tests.signal_tables` writes them there."""

from __future__ import annotations

from pathlib import Path

from pipeline import signals
from pipeline.signals import Signal

__all__ = ["TABLES_END", "TABLES_START", "signal_tables"]

TABLES_START = "<!-- tables: written by `python -m tests.signal_tables` -->"
TABLES_END = "<!-- end of tables -->"
_PAGE = Path(__file__).resolve().parents[1] / "docs" / "signals.md"

_GROUPS = {
    "Sizes": signals._SIZES,
    "Words": signals._WORDS,
    "Characters": signals._CHARACTERS,
    "Lines": signals._LINES,
    "Duplicate lines and paragraphs": signals._DUPLICATES,
    "N-grams": signals._NGRAMS,
    "Boilerplate": signals._BOILERPLATE,
    "Code": signals._CODE,
    "Language": signals._LANGUAGE,
}


def signal_tables() -> str:
    """A section a group, in the order of the columns; a line a signal: range, formula, peer."""
    return "\n\n".join(_section(title, group) for title, group in _GROUPS.items())


def _section(title: str, group: list[Signal]) -> str:
    lines = [f"### {title}", "", "| signal | range | formula | peer |", "|---|---|---|---|"]
    for signal in group:
        lines.append(f"| `{signal.name}` | {_range(signal)} | {_cell(signal.formula)} | {_cell(signal.peer)} |")
    return "\n".join(lines)


def _range(signal: Signal) -> str:
    if signal.type == "string":
        return "text or null"
    high = "…" if signal.high is None else f"{signal.high:g}"
    several = f"0 … {high}" if signal.high is not None else "0 …"
    if signal.type == "int64":
        return "0 or 1" if signal.high == 1 else several
    return several if signal.applies else f"{several}, or NaN"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    before, _, rest = _PAGE.read_text(encoding="utf-8").partition(TABLES_START)
    after = rest.partition(TABLES_END)[2]
    _PAGE.write_text(f"{before}{TABLES_START}\n\n{signal_tables()}\n\n{TABLES_END}{after}", encoding="utf-8")
