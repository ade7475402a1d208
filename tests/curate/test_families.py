"""The family of a row's comments."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config import Source
from pipeline.curate import families
from pipeline.curate.families import UNKNOWN, families_of
from pipeline.schema import ROWS
from pipeline.text.comments import FAMILIES


def source(name: str, comments: str = "auto") -> Source:
    return Source.model_validate({"name": name, "kind": "code", "format": "rows", "path": "x", "comments": comments})


def table(*rows: tuple[str, str, dict[str, Any] | None]) -> pa.Table:
    """Rows of (id, kind, metadata)."""
    message = [{"role": "text", "content": "x", "extra": None}]
    return pa.Table.from_pylist(
        [
            {
                "id": identity,
                "source": identity.partition("/")[0],
                "kind": kind,
                "messages": message,
                "tools": None,
                "metadata": None if metadata is None else json.dumps(metadata),
            }
            for identity, kind, metadata in rows
        ],
        schema=ROWS,
    )


def names(found: np.ndarray) -> list[str | None]:
    return [None if code == UNKNOWN else FAMILIES[code] for code in found]


@pytest.mark.parametrize(
    ("metadata", "family"),
    [
        ({"path": "a/b.py"}, "python"),
        ({"path": "C:\\a\\B.CPP"}, "c"),
        ({"file": "x.tar.sql"}, "dash"),
        ({"filename": "Makefile"}, "hash"),
        ({"name": "CMakeLists.txt"}, "hash"),
        ({"name": "c"}, None),  # no file has this name
        ({"path": "x.unknown", "file": "a.rs"}, "c"),
        ({"path": "x.unknown", "language": "Common Lisp"}, "semicolon"),
        ({"path": "x.py", "language": "C"}, "python"),
        ({"lang": "SystemVerilog"}, "c"),
        ({"language": "en"}, None),
        ({"language": 7, "path": ["x.py"], "name": None}, None),
        ({"path": ".py"}, "python"),
        ({"path": ""}, None),
        ({}, None),
        (None, None),
    ],
)
def test_auto_looks_at_metadata(metadata: dict[str, Any] | None, family: str | None) -> None:
    assert names(families_of(table(("s/x.jsonl#0", "code", metadata)), [source("s")])) == [family]


def test_auto_looks_at_the_shard_last() -> None:
    rows = table(("s/a/b.go#0", "code", {"path": "x.tex"}), ("s/a/b.go#1", "code", {}), ("s/a.go/b#2", "code", None))
    assert names(families_of(rows, [source("s")])) == ["percent", "c", None]


def test_auto_is_for_code() -> None:
    assert names(families_of(table(("s/b.go#0", "text", {"path": "x.py"})), [source("s")])) == [None]


def test_a_source_may_say_it_for_all_its_rows() -> None:
    rows = table(("s/b.go#0", "text", {"path": "x.py"}), ("t/b.go#0", "code", None), ("u/b.go#0", "code", None))
    found = families_of(rows, [source("t", "none"), source("s", "xml"), source("u")])
    assert names(found) == ["xml", None, "c"]
    assert found.dtype == np.int8
    assert len(families_of(rows.slice(0, 0), [source("s")])) == 0


def test_no_name_stands_for_two_families() -> None:
    for tables in (families._EXTENSIONS, families._FILES, families._NAMES):
        assert set(tables) <= set(FAMILIES)
        counts = Counter(name for line in tables.values() for name in line.split())
        assert [name for name, count in counts.items() if count > 1] == []


def test_the_recipe_knows_every_family() -> None:
    assert get_args(Source.model_fields["comments"].annotation) == ("auto", "none", *FAMILIES)
