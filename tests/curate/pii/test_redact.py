"""What curation redacts in a table, and that its counts are the truth."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pipeline.config import Pii
from pipeline.curate.pii.redact import entities_of, redact
from pipeline.engines import ENTITIES, cpu
from pipeline.schema import MESSAGES

COLUMNS = pa.schema([("messages", MESSAGES), ("tools", pa.large_string()), ("metadata", pa.large_string())])


def table(
    contents: list[str], *, extra: str | None = None, tools: str | None = None, metadata: str | None = None
) -> pa.Table:
    """One row; the last message has the extra keys."""
    extras = [None] * (len(contents) - 1) + [extra]
    messages = [{"role": "user", "content": c, "extra": e} for c, e in zip(contents, extras, strict=True)]
    return pa.Table.from_pylist([{"messages": messages, "tools": tools, "metadata": metadata}], COLUMNS)


def redacted(rows: pa.Table, **pii: Any) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """The rows, and the counts that are not 0."""
    done = redact(rows, Pii.model_validate(pii), cpu)
    done.table.validate(full=True)
    assert done.table.schema.equals(rows.schema)
    assert list(done.counts) == list(entities_of(Pii.model_validate(pii)))
    assert not done.failed.any()
    assert done.reasons == []
    return done.table.to_pylist(), {entity: n for entity, n in done.counts.items() if n}


@pytest.mark.parametrize(
    ("before", "after", "counts"),
    [
        ('{"author":"jane@northwind.org"}', '{"author":"<EMAIL>"}', {"email": 1}),
        ('{"card":4111111111111111}', '{"card":"<CREDIT_CARD>"}', {"credit_card": 1}),
        (r'{"author":"jane\u0040northwind.org"}', '{"author":"<EMAIL>"}', {"email": 1}),
        (r'{"a":"\u00e9\n\/","b": 1.0e5,"c":"8.8.8.8"}', r'{"a":"\u00e9\n\/","b": 1.0e5,"c":"<IP>"}', {"ip": 1}),
        (r'{"a":["a@b.com","a\u0040b.com, c@d.com"]}', '{"a":["<EMAIL>","<EMAIL>, <EMAIL>"]}', {"email": 3}),
        (r'{"a":"\ud83d\u00e9"}', r'{"a":"\ud83d\u00e9"}', {}),
        (None, None, {}),
    ],
)
@pytest.mark.parametrize("place", ["metadata", "tools", "extra"])
def test_strings_in_json(before: str | None, after: str | None, counts: dict[str, int], place: str) -> None:
    [row], found = redacted(table(["hello", "there"], **{place: before}))
    here = row["messages"][1]["extra"] if place == "extra" else row[place]
    assert here == after
    assert found == counts
    others = [row["metadata"], row["tools"], row["messages"][0]["extra"], row["messages"][1]["extra"]]
    assert sum(other is not None for other in others) == (after is not None)
    assert [message["content"] for message in row["messages"]] == ["hello", "there"]


def test_the_counts_of_all_places_add_up() -> None:
    rows = table(
        ["a@b.com and 8.8.8.8", "c@d.com"],
        extra='{"tool_calls":"{\\"to\\":\\"e@f.com\\"}"}',
        tools='[{"e@f.com":1}]',
        metadata='{"to":"g@h.com"}',
    )
    assert redacted(rows)[1] == {"email": 5, "ip": 1}
    assert redacted(rows, metadata="keep")[1] == {"email": 2, "ip": 1}
    assert redacted(rows, entities=["ip"])[1] == {"ip": 1}
    assert redacted(pa.concat_tables([rows] * 3))[1] == {"email": 15, "ip": 3}


def test_what_is_left_needs_no_second_redaction() -> None:
    rows = table(["a@b.com"], extra=r'{"x":"\u0061@b.com"}', metadata='{"y":"1.2.3.4a@b.com"}')
    once = redact(rows, Pii(), cpu)
    twice = redact(once.table, Pii(), cpu)
    assert twice.table.equals(once.table)
    assert once.counts["email"] == 3
    assert twice.counts == dict.fromkeys(ENTITIES, 0)


def test_json_may_be_kept() -> None:
    rows = table(["a@b.com"], extra='{"x":"a@b.com"}', tools='["a@b.com"]', metadata='{"y":"a@b.com"}')
    [row], _ = redacted(rows, metadata="keep")
    assert row["messages"] == [{"role": "user", "content": "<EMAIL>", "extra": '{"x":"a@b.com"}'}]
    assert (row["tools"], row["metadata"]) == ('["a@b.com"]', '{"y":"a@b.com"}')


def test_rows_with_and_without_json_keep_their_places() -> None:
    rows = pa.concat_tables(
        [table(["x"]), table(["x"], metadata='{"y":"a@b.com"}'), table(["x"]), table(["x"], metadata="{}")]
    )
    for first in range(4):
        after, _ = redacted(rows[first:])
        assert [row["metadata"] for row in after] == [None, '{"y":"<EMAIL>"}', None, "{}"][first:]
    assert redacted(rows[:0]) == ([], {})
