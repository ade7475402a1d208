from __future__ import annotations

import ast
import json
import warnings
from pathlib import Path

import pytest

from pipeline.config import Source
from pipeline.errors import InputError
from pipeline.ingest import TargetShard, plan_parts, read_blocks, survey
from sources import python_stdlib

EVERY = 24  # of the library's 1,800 files; the property was checked once on all of them


def source(function: str, kind: str, only: str = "") -> Source:
    target = f"sources.python_stdlib:{function}"
    return Source.model_validate({"name": "s", "kind": kind, "target": target, "args": {"only": only}})


def functions_in(code: str) -> list[python_stdlib._Function]:
    return [node for node in ast.walk(ast.parse(code)) if isinstance(node, python_stdlib._Function)]


def without(code: str) -> str | None:
    """The first function of some code without its docstring."""
    return python_stdlib.without_docstring(code.split("\n"), functions_in(code)[0])


def test_functions_parse_to_the_tree_of_the_original_without_its_docstring() -> None:
    count = 0
    for shard in python_stdlib._shards()[::EVERY]:
        text = python_stdlib._read(shard.name)
        tree = python_stdlib._parse(text) if text is not None else None
        if text is None or tree is None:
            continue
        originals = {(name, node.lineno): node for name, _, node in python_stdlib._functions_of(tree)}
        for row in python_stdlib.functions(shard=shard.name):
            original = originals[row["qualname"], row["line"]]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                (made,) = ast.parse(row["output"]).body
            assert isinstance(made, python_stdlib._Function)
            assert ast.get_docstring(made) is None
            while python_stdlib._is_string(original.body[0]):
                del original.body[0]
            assert ast.dump(made) == ast.dump(original)
            count += 1
    assert count > 100


def test_every_documented_function_is_there() -> None:
    for shard in ("json/decoder.py", "email/message.py", "asyncio/queues.py", "textwrap.py"):
        text = python_stdlib._read(shard)
        assert text is not None
        wanted = [
            node.name for node in functions_in(text) if ast.get_docstring(node) and without_is_something(text, node)
        ]
        rows = list(python_stdlib.functions(shard=shard))
        assert sorted(row["qualname"].rpartition(".")[2] for row in rows) == sorted(wanted)
        assert len(rows) > 3


def without_is_something(text: str, node: python_stdlib._Function) -> bool:
    return python_stdlib.without_docstring(text.split("\n"), node) is not None


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ('def f():\n    """Doc."""\n    return 1\n', "def f():\n    return 1\n"),
        ('def f():\n    """Doc.\n\n    more\n    """\n\n    return 1\n', "def f():\n    return 1\n"),
        ("def f(): 'doc'; return 1\n", "def f(): return 1\n"),
        ("def f():\n    'doc'; return 1\n", "def f():\n    return 1\n"),
        ("def f():\n    ('doc')\n    return 1\n", "def f():\n    return 1\n"),
        ("def f():\n    ('doc'\n     'more')\n    return 1\n", "def f():\n    return 1\n"),
        ("def f():\n    'doc'  # why\n    return 1\n", "def f():\n    # why\n    return 1\n"),
        ("def f():\n    # a\n    'é'\n    # b\n    return 1\n", "def f():\n    # a\n    # b\n    return 1\n"),
        ("def f():\n    'doc'\n    'not a doc'\n    return 1\n", "def f():\n    return 1\n"),
        ("def f():\n    'one'; 'two'; return 1\n", "def f():\n    return 1\n"),
        ("def f():\n    'doc'\n", None),
        ("def f():\n    'doc'\n    'more'\n    # end\n", None),
        ("@a\n@b(1)\nasync def f():\n    'doc'\n    pass\n", "@a\n@b(1)\nasync def f():\n    pass\n"),
        (
            "class A:\n    def f(self):\n        'doc'\n        x = '''a\n        b'''\n        # c\n",
            "def f(self):\n    x = '''a\n        b'''\n",
        ),
        (
            "class A:\n    def f(self):\n        'doc'\n        return f'''{self\n        } b\n        c'''\n",
            "def f(self):\n    return f'''{self\n        } b\n        c'''\n",
        ),
        (
            "class A:\n    def f(self):\n        'doc'\n        return ('a'\n    'b')\n",
            "def f(self):\n    return ('a'\n'b')\n",
        ),
        ("if 1:\n\tdef f():\n\t\t'doc'\n\t\treturn 1\n", "def f():\n\treturn 1\n"),
    ],
)  # fmt: skip
def test_the_source_without_its_docstring(code: str, wanted: str | None) -> None:
    got = without(code)
    assert got == wanted


def test_the_request_is_plain_english() -> None:
    code = (
        "async def f(a, *, b: int = 1) -> str:\n    'Do it.'\n    pass\n"
        "class C:\n    class D:\n        def g(self):\n"
        "            '''First.\n\n            Second.\n            '''\n            pass\n"
    )
    tree = ast.parse(code)
    asked = [
        python_stdlib.request(node, owner, ast.get_docstring(node) or "")
        for _, owner, node in python_stdlib._functions_of(tree)
    ]
    assert asked == [
        "Write the Python asynchronous function `f(a, *, b: int=1) -> str`.\n\nDo it.",
        "Write the Python method `g(self)` of the class `D`.\n\nFirst.\n\nSecond.",
    ]
    assert [name for name, _, _ in python_stdlib._functions_of(tree)] == ["f", "C.D.g"]


def test_shards_are_the_librarys_own_modules() -> None:
    shards = {shard.name: shard for shard in python_stdlib._shards()}
    assert {"json/decoder.py", "email/__init__.py", "textwrap.py"} <= set(shards)
    assert not [name for name in shards if "site-packages" in name or "__pycache__" in name or "sysconfigdata" in name]
    assert all(isinstance(shard, TargetShard) and shard.fingerprint for shard in shards.values())
    assert sum(shard.bytes for shard in shards.values()) > 5_000_000


def test_only_names_packages_and_modules() -> None:
    names = {shard.name.split("/")[0] for shard in python_stdlib._shards(only="json, textwrap")}
    assert names == {"json", "textwrap.py"}
    with pytest.raises(InputError, match="did you mean 'json'"):
        python_stdlib._shards(only="jsn")


@pytest.mark.parametrize(("function", "kind"), [("functions", "pair"), ("files", "code")])
def test_both_sources_are_read_without_a_loss(function: str, kind: str) -> None:
    surveyed = survey(source(function, kind, "json email textwrap"), part_bytes=1 << 16)
    parts = plan_parts([surveyed], 1 << 16)
    assert len(parts) > 3
    rows = [row for part in parts for row in read_blocks(part, max_row_bytes=1 << 24).rows.to_pylist()]
    assert len({row["id"] for row in rows}) == len(rows)
    assert {row["kind"] for row in rows} == {kind}
    first = next(row for row in rows if row["id"] == "s/textwrap.py#0")
    metadata = json.loads(first["metadata"])
    assert metadata["module"] == "textwrap.py"
    if function == "files":
        assert first["messages"][0]["content"] == python_stdlib._read("textwrap.py")
    else:
        assert metadata["qualname"] == "TextWrapper._munge_whitespace"
        text = python_stdlib._read("textwrap.py") or ""
        assert "def _munge_whitespace" in text.split("\n")[metadata["line"] - 1]


def test_the_same_library_gives_the_same_fingerprint_and_rows() -> None:
    first, second = (survey(source("functions", "pair", "json"), part_bytes=1 << 16) for _ in range(2))
    assert first == second
    one, two = (read_blocks(first.blocks, max_row_bytes=1 << 20).rows for _ in range(2))
    assert one == two


def test_a_module_that_does_not_parse_has_no_functions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    root = tmp_path
    (root / "bad.py").write_text("def f(:\n")
    (root / "latin.py").write_bytes(b"# -*- coding: latin-1 -*-\ndef f():\n    'caf\xe9'\n    return 1\n")
    (root / "lies.py").write_bytes(b"def f():\n    'caf\xe9'\n    return 1\n")
    (root / "null.py").write_bytes(b"x = 1\0\n")
    monkeypatch.setattr(python_stdlib, "_root", lambda: root)
    found = {shard.name: list(python_stdlib.functions(shard=shard.name)) for shard in python_stdlib._shards()}
    assert [name for name, rows in found.items() if rows] == ["latin.py"]
    assert found["latin.py"][0]["input"].endswith("café")
    assert list(python_stdlib.files(shard="lies.py")) == []
