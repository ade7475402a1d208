"""Rows are cleaned and redacted until neither changes them; one that never settles does not get through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Recipe
from pipeline.curate.rowwise import process, settle
from pipeline.engines import cpu
from pipeline.engines.redaction import Redaction
from pipeline.schema import ROWS
from tests.curate.conftest import MODEL

RECIPE = Recipe.model_validate(
    {
        "run": "nowhere",
        "sources": [{"name": "s", "kind": "text", "target": "a:b"}],
        "curate": {"rules": {"preset": "none"}},
        "train": {"model": {"config": MODEL}},
    }
)


def rows(texts: Sequence[str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "id": f"s/a#{number}",
                "source": "s",
                "kind": "text",
                "messages": [{"role": "text", "content": text, "extra": None}],
                "tools": None,
                "metadata": None,
            }
            for number, text in enumerate(texts)
        ],
        schema=ROWS,
    )


def texts_of(table: pa.Table) -> list[str]:
    return [row[0]["content"] for row in table["messages"].to_pylist()]


class Peeling:
    """The engine, but a cleaner makes a `[` of one `(` and redaction takes it off: each finds what the other leaves."""

    def __getattr__(self, name: str) -> Any:
        return getattr(cpu, name)

    def clean_until_stable(
        self, contents: pa.LargeStringArray, cleaners: Sequence[str]
    ) -> tuple[pa.LargeStringArray, np.ndarray]:
        """Make a `[` of the first `(` where there is no `[`."""
        texts, calm = cpu.clean_until_stable(contents, cleaners)
        turned = pc.replace_substring(texts, "(", "[", max_replacements=1)
        return pc.if_else(pc.match_substring(texts, "["), texts, turned), calm

    def redact(self, texts: pa.LargeStringArray, entities: Sequence[str], **options: Any) -> Redaction:
        """Take every `[` off."""
        found = np.zeros((len(texts), len(cpu.ENTITIES)), np.int64)
        found[:, 0] = pc.count_substring(texts, "[").to_numpy()
        peeled = pc.replace_substring(texts, "[", "")
        return Redaction(texts=peeled, counts=found, settled=np.ones(len(texts), np.bool_))


def test_a_row_is_redacted_again_while_cleaning_changes_what_redaction_left() -> None:
    done = settle(rows(["plain", "((two", "(((three", "last\r\n"]), "text", RECIPE, Peeling())
    assert texts_of(done.table) == ["plain", "two", "three", "last"]
    assert done.table["id"].to_pylist() == [f"s/a#{number}" for number in range(4)]
    assert done.rows.tolist() == [0, 1, 2, 3]
    assert done.counts["email"] == 5
    assert not sum(map(len, done.ledger))


def test_a_row_that_does_not_settle_is_dropped_with_the_reason() -> None:
    done = process(rows(["fine", "(" * 9 + "never", "\x00"]), "text", RECIPE, Peeling(), {})
    assert done.kept["id"].to_pylist() == done.measured["id"].to_pylist() == ["s/a#0"]
    lines = [line for table in done.ledger for line in table.select(["id", "stage", "rule"]).to_pylist()]
    assert lines == [
        {"id": "s/a#1", "stage": "redact", "rule": "restless"},
        {"id": "s/a#2", "stage": "clean", "rule": "empty"},
    ]


def test_a_row_that_cannot_be_redacted_is_dropped_with_the_reason() -> None:
    class Failing(Peeling):
        def redact(self, texts: pa.LargeStringArray, entities: Sequence[str], **options: Any) -> Redaction:
            if pc.any(pc.match_substring(texts, "bad")).as_py():
                raise ValueError("what it quotes must not get out")
            return super().redact(texts, entities, **options)

    done = process(rows(["fine", "bad", "(good", "bad too"]), "text", RECIPE, Failing(), {})
    assert done.kept["id"].to_pylist() == ["s/a#0", "s/a#2"]
    assert done.reached.tolist() == [0, 2]
    lines = [line for table in done.ledger for line in table.to_pylist()]
    assert [(line["id"], line["stage"], line["rule"], line["evidence"]) for line in lines] == [
        ("s/a#1", "redact", "failed", "ValueError"),
        ("s/a#3", "redact", "failed", "ValueError"),
    ]


def test_a_row_that_cleaning_does_not_settle_is_dropped_with_the_reason() -> None:
    class Moving(Peeling):
        def clean_until_stable(
            self, contents: pa.LargeStringArray, cleaners: Sequence[str]
        ) -> tuple[pa.LargeStringArray, np.ndarray]:
            return contents, ~pc.match_substring(contents, "moving").to_numpy(zero_copy_only=False)

    done = process(rows(["moving", "fine"]), "text", RECIPE, Moving(), {})
    assert done.kept["id"].to_pylist() == ["s/a#1"]
    columns = ["id", "stage", "rule", "value", "threshold"]
    assert [line for table in done.ledger for line in table.select(columns).to_pylist()] == [
        {"id": "s/a#0", "stage": "clean", "rule": "restless", "value": 16, "threshold": 16}
    ]


def test_settled_rows_are_settled() -> None:
    given = rows(["Write to jane.roe@northwind.org\r\n", "e\u0301 \x00 4111 1111 1111 1111", "  indented"])
    once = settle(given, "text", RECIPE, cpu)
    again = settle(once.table, "text", RECIPE, cpu)
    assert sum(once.counts.values()) == 2
    assert sum(again.counts.values()) == 0
    assert again.table.equals(once.table)


def test_no_rows() -> None:
    done = settle(ROWS.empty_table(), "text", RECIPE, cpu)
    assert len(done.table) == len(done.rows) == 0
    assert done.table.schema == ROWS


def test_a_row_is_empty_if_it_is_all_white_space_of_unicode() -> None:
    texts = ["", " \t\n", "\x1c\x85\u2003", "\u3000" * 2000, "\u3000" * 2000 + "x", "\u200b", "\n" * 1023 + "é", "a"]
    recipe = RECIPE.model_copy(update={"curate": RECIPE.curate.model_copy(update={"clean": None, "pii": None})})
    done = process(rows(texts), "text", recipe, cpu, {})
    assert texts_of(done.kept) == [text for text in texts if text.strip()]
    assert done.ledger[-2]["rule"].to_pylist() == ["empty"] * 4


def test_of_a_chat_no_message_is_empty_that_must_speak() -> None:
    """As when it is read: curating what was curated would else refuse it."""
    calls = '{"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{}"}}]}'
    chats = [
        [("user", "Hi", None), ("assistant", "\x00", None)],
        [("user", "\x00", None), ("assistant", "Hello", None)],
        [("user", "Hi", None), ("assistant", "\x00", '{"reasoning_content":"x"}')],
        [("user", "Hi", None), ("assistant", "\x00", calls), ("tool", "\x00", '{"tool_call_id":"1"}')],
        [("system", "\x00", None), ("user", "Hi", None), ("assistant", "Hello", None)],
        [("system", "\x00", None)],
    ]
    keys = ("role", "content", "extra")
    table = rows(["x"] * len(chats)).set_column(
        ROWS.get_field_index("messages"),
        ROWS.field("messages"),
        pa.array([[dict(zip(keys, one, strict=True)) for one in chat] for chat in chats], ROWS.field("messages").type),
    )
    done = process(table, "chat", RECIPE, cpu, {})
    assert done.kept["id"].to_pylist() == ["s/a#3", "s/a#4"]
    assert done.ledger[-2]["rule"].to_pylist() == ["empty"] * 4
