"""Tables for people on a terminal, tab-separated lines for everything else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["print_table", "printable"]

_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160)) if chr(code) not in "\n\t"}


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table; without a terminal, a header and one line a row, so that `cut` and `grep` work."""
    if not sys.stdout.isatty():
        print("\t".join(columns))
        for row in rows:
            print("\t".join(_cell(value).replace("\t", " ").replace("\n", " ") for value in row))
        return
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    Console().print(table)


def printable(text: str) -> str:
    """Show control characters as escapes: a row's text must not be able to drive the terminal."""
    return text.translate(_CONTROL)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return printable(f"{value:.4g}" if isinstance(value, float) else str(value))
