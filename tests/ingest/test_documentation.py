"""What `docs/sources.md` says is what the readers do."""

from __future__ import annotations

from pipeline.ingest.formats import FORMATS
from pipeline.ingest.rejected import RULES
from tests.format_tables import EXAMPLES, FORMATS_END, FORMATS_START, PAGE, format_tables


def test_the_tables_are_what_the_readers_make() -> None:
    written, end, _ = PAGE.read_text(encoding="utf-8").partition(FORMATS_START)[2].partition(FORMATS_END)
    assert end, "docs/sources.md has lost its markers"
    assert written.strip() == format_tables().strip(), "run `python -m tests.format_tables`"


def test_every_format_has_an_example_of_each_kind_that_differs() -> None:
    assert {example.format for example in EXAMPLES} == set(FORMATS)
    for name in ("columns", "squad", "alpaca"):
        assert {example.kind for example in EXAMPLES if example.format == name} == set(FORMATS[name].kinds)


def test_every_rule_of_a_rejection_is_explained() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [rule for rule in RULES if f"| `{rule}` |" not in page] == []
