"""The table of signals, and the page that shows it."""

from __future__ import annotations

from pathlib import Path

from pipeline.signals import SIGNALS
from tests.signal_tables import TABLES_END, TABLES_START, signal_tables

PAGE = Path(__file__).resolve().parents[1] / "docs" / "signals.md"


def test_the_documentation_lists_every_signal_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8")
    _, _, rest = page.partition(TABLES_START)
    written, end, _ = rest.partition(TABLES_END)
    assert end, "docs/signals.md has lost its markers"
    assert written.strip() == signal_tables().strip(), (
        "run `python -m tests.signal_tables` to bring docs/signals.md up to date"
    )


def test_every_signal_is_in_one_table() -> None:
    tables = signal_tables()
    assert [name for name in SIGNALS if tables.count(f"| `{name}` |") != 1] == []


def test_a_line_of_the_table_is_whole() -> None:
    for name, signal in SIGNALS.items():
        assert signal.name == name
        assert signal.formula
        assert signal.high is None or signal.high == 1  # shares and flags
