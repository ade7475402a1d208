"""Tables: tab-separated without a terminal, and never able to drive one."""

from __future__ import annotations

import pytest

from pipeline.cli.tables import print_table, printable


def test_without_a_terminal_a_table_is_tab_separated(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("id", "value"), [("a/b#1", 0.123456), ("tab\there\nand there", None)])
    assert capsys.readouterr().out == "id\tvalue\na/b#1\t0.1235\ntab here and there\t\n"


def test_a_rows_text_cannot_drive_the_terminal() -> None:
    assert printable("red \x1b[31m\x07 and\n\ta tab") == "red \\x1b[31m\\x07 and\n\ta tab"
