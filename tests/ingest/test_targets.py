from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Source
from pipeline.errors import InputError
from pipeline.ingest import check_source, survey
from tests.ingest.conftest import ingest, rejected_of, rows_of

Write = Callable[[str], None]

PLAIN = """
def tickets(*, count: int, word: str = "help"):
    for number in range(count):
        yield {"input": f"{word} {number}", "output": "yes", "n": 1.5}
"""
SHARDED = """
from pipeline.ingest import TargetShard, sharded

def _years(*, last: int, salt: str = ""):
    return [TargetShard(name=f"{year}", bytes=100, fingerprint=salt) for year in range(last, 2000, -1)]

@sharded(_years)
def tickets(*, shard: str, last: int, salt: str = ""):
    yield {"input": shard, "output": "a"}
    yield {"input": shard, "output": "b"}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write the module `my_rows` into the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a rewritten module of the same second would be stale

    def write(code: str) -> None:
        sys.modules.pop("my_rows", None)
        (tmp_path / "my_rows.py").write_text(code)

    yield write
    sys.modules.pop("my_rows", None)


def source(function: str = "tickets", kind: str = "pair", **args: Any) -> Source:
    return Source.model_validate({"name": "s", "kind": kind, "target": f"my_rows:{function}", "args": args})


def test_a_function_is_a_source_of_one_shard(write: Write) -> None:
    write(PLAIN)
    (part,) = ingest(source(count=2))
    assert part.rows["id"].to_pylist() == ["s/tickets#0", "s/tickets#1"]
    assert rows_of([part])[1]["messages"][0]["content"] == "help 1"
    assert rows_of([part])[1]["metadata"] == '{"n":1.5}'
    assert part.bytes_in == 2 * len('{"input":"help 0","output":"yes","n":1.5}')


def test_shards_are_blocks_in_the_order_of_their_names(write: Write) -> None:
    write(SHARDED)
    parts = ingest(source(last=2003), part_bytes=200)
    assert [part.rows["id"].to_pylist() for part in parts] == [
        ["s/2001#0", "s/2001#1", "s/2002#0", "s/2002#1"],
        ["s/2003#0", "s/2003#1"],
    ]
    assert rows_of(parts)[2]["messages"][0]["content"] == "2002"


def test_the_fingerprint_is_of_code_arguments_and_shards(write: Write) -> None:
    def fingerprint(code: str, **args: Any) -> str:
        write(code)
        return survey(source(**args), part_bytes=1).fingerprint

    first = fingerprint(SHARDED, last=2003)
    assert fingerprint(SHARDED, last=2003) == first
    assert fingerprint(SHARDED + "# changed\n", last=2003) != first
    assert fingerprint(SHARDED, last=2004) != first
    assert fingerprint(SHARDED, last=2003, salt="new data") != first


def test_rows_that_are_none_are_rejected_and_the_others_stay(write: Write) -> None:
    write(
        "import datetime\n"
        "circle = []\ncircle.append(circle)\n"
        "def tickets():\n"
        "    good = {'input': 'a', 'output': 'b'}\n"
        "    yield from [good, None, 'x', [good], {1: 'a'}, {**good, 'output': None}, {'input': 'a'}]\n"
        "    yield from [{**good, 'n': n} for n in (float('nan'), circle, datetime.date(2000, 1, 1))]\n"
        "    yield from [{**good, 'output': '\\ud800'}, {**good, 'output': 'x' * 2000}, {**good, 'n': 2**70}]\n"
    )
    parts = ingest(source(), max_row_bytes=1000)
    assert [row["id"] for row in rows_of(parts)] == ["s/tickets#0", "s/tickets#12"]
    assert rows_of(parts)[1]["metadata"] == f'{{"n":{2**70}}}'
    assert [entry["rule"] for entry in rejected_of(parts)] == [
        "wrong_type", "wrong_type", "wrong_type", "wrong_type", "null_value", "missing_key",
        "malformed_json", "malformed_json", "wrong_type", "invalid_utf8", "too_long",
    ]  # fmt: skip
    assert rejected_of(parts)[0]["evidence"] == "my_rows:tickets tickets:2: the target yielded NoneType, not a mapping"


def test_a_target_that_raises_is_an_error_with_source_shard_and_reason(write: Write) -> None:
    write("def tickets():\n    yield {'input': 'a', 'output': 'b'}\n    raise KeyError('gone')\n")
    with pytest.raises(InputError) as caught:
        ingest(source())
    assert "KeyError: 'gone'" in caught.value.what
    assert "source s" in caught.value.where
    assert "my_rows:tickets tickets" in caught.value.where


@pytest.mark.parametrize(
    ("target", "args", "says"),
    [
        ("my_rowz:tickets", {}, "cannot be imported: ModuleNotFoundError"),
        ("my_rows:tickts", {}, "no function 'tickts' (did you mean 'tickets'?)"),
        ("my_rows:tickets", {}, "missing a required argument: 'count'"),
        ("my_rows:tickets", {"cuont": 1, "count": 1}, "did you mean 'count'"),
    ],
)
def test_a_target_that_cannot_be_called_is_refused_before_it_runs(
    write: Write, target: str, args: dict[str, Any], says: str
) -> None:
    write(PLAIN)
    with pytest.raises(InputError) as caught:
        check_source(Source.model_validate({"name": "s", "kind": "pair", "target": target, "args": args}))
    assert says in str(caught.value)
    assert target in caught.value.where


def test_a_module_that_fails_on_import_and_shards_of_one_name_are_refused(write: Write) -> None:
    write("1 / 0\n")
    with pytest.raises(InputError, match="ZeroDivisionError"):
        check_source(source())
    write(SHARDED.replace('name=f"{year}"', 'name="same"'))
    with pytest.raises(InputError, match="same name"):
        survey(source(last=2003), part_bytes=1)


def test_shards_that_cannot_be_listed_are_an_error(write: Write) -> None:
    write(SHARDED.replace("return [", "return 1 / 0, ["))
    with pytest.raises(InputError, match="ZeroDivisionError"):
        survey(source(last=2003), part_bytes=1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("import sys; sys.exit(3)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("return {'input': 'a', 'output': 'b'}", "it returned dict"),
        ("return 'rows'", "it returned str"),
        ("return 7", "it returned int"),
        ("raise ValueError('jane@northwind.org at 10.0.0.7')", "ValueError: <EMAIL> at <IP>"),
    ],
)
def test_a_target_that_would_end_the_worker_or_yields_no_rows_is_an_error(write: Write, body: str, reason: str) -> None:
    write(f"def tickets():\n    {body}\n")
    with pytest.raises(InputError) as error:
        ingest(source())
    assert reason in str(error.value)


def test_an_object_that_is_called_and_rows_of_any_mapping(write: Write) -> None:
    write(
        "from collections import UserDict\n\n\nclass Rows:\n    def __call__(self):\n"
        "        yield UserDict(input='a', output='b')\n\n\ntickets = Rows()\n"
    )
    (part,) = ingest(source())
    assert part.rows["id"].to_pylist() == ["s/tickets#0"]


def test_a_file_and_a_class_are_targets(tmp_path: Path) -> None:
    file = tmp_path / "my-rows.py"
    file.write_text(
        "class Sums:\n"
        "    def __init__(self, *, upto: int): self.upto = upto\n"
        "    def __iter__(self): return iter({'a': a, 'input': 'old'} for a in range(1, self.upto))\n"
        "    def get_context(self, row): return f\"{row['a']} + 1 =\"\n"
        "    def get_target(self, row): return str(row['a'] + 1)\n"
        "class Half:\n"
        "    def get_context(self, row): ...\n"
    )
    source = Source.model_validate({"name": "s", "kind": "pair", "target": f"{file}:Sums", "args": {"upto": 3}})
    rows = rows_of(ingest(source))
    assert [[turn["content"] for turn in row["messages"]] for row in rows] == [["1 + 1 =", "2"], ["2 + 1 =", "3"]]
    assert [(row["id"], row["metadata"]) for row in rows] == [("s/Sums#0", '{"a":1}'), ("s/Sums#1", '{"a":2}')]
    before = survey(source, part_bytes=1).fingerprint
    file.write_text(file.read_text().replace("+ 1)", "+ 2)"))
    assert survey(source, part_bytes=1).fingerprint != before
    assert [row["messages"][1]["content"] for row in rows_of(ingest(source))] == ["3", "4"]
    with pytest.raises(InputError, match="has no __iter__ and no get_target"):
        survey(source.model_copy(update={"target": f"{file}:Half", "args": {}}), part_bytes=1)
    with pytest.raises(InputError, match="did you mean 'Sums'"):
        survey(source.model_copy(update={"target": f"{file}:Sum"}), part_bytes=1)
    with pytest.raises(InputError, match="cannot be imported"):
        survey(source.model_copy(update={"target": f"{tmp_path}/other.py:Sums"}), part_bytes=1)
