"""The running interpreter's standard library: real code that every machine has.

    functions   a request made of a function's signature and docstring, and its source without the docstring
    files       the modules themselves

Both have one shard a file, named by its path below the library's folder.
"""

from __future__ import annotations

import ast
import io
import os
import re
import sysconfig
import threading
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline import fingerprint
from pipeline.errors import InputError, did_you_mean
from pipeline.ingest import TargetShard, sharded

__all__ = ["files", "functions"]

_Function = ast.FunctionDef | ast.AsyncFunctionDef

_TRIES = 20
_PARSER = threading.Lock()
"""CPython counts the parser's depth for all threads together (`AST constructor recursion depth mismatch`)."""

_NOT_LIBRARY = {"site-packages", "dist-packages", "__pycache__", "lib-dynload"}
_MADE_BY_THE_BUILD = ("config-", "_sysconfigdata_")
"""Folders and files that hold the paths and flags of the machine that built the interpreter."""


def _shards(*, only: str = "") -> list[TargetShard]:
    """Every module of the library, or those of the packages and modules that `only` names.

    Args:
        only: names such as `email json`; empty is all.

    Raises:
        InputError: `only` names none that there is.
    """
    root = _root()
    names = _modules(root)
    if only:
        wanted = set(re.findall(r"[^\s,]+", only))
        known = {_top(name) for name in names}
        if unknown := sorted(wanted - known):
            raise InputError(
                f"the standard library has no module {unknown[0]!r}{did_you_mean(unknown[0], known)}",
                where="args.only",
                mend="name top-level modules, such as: email json",
            )
        names = [name for name in names if _top(name) in wanted]
    return [
        TargetShard(
            name=name,
            bytes=(root / name).stat().st_size,
            fingerprint=fingerprint.of_file(root / name),
        )
        for name in names
    ]


@sharded(_shards)
def functions(*, shard: str, only: str = "") -> Iterator[dict[str, Any]]:
    """Yield a pair for each function and method in a module that has a docstring and does something.

    A module that this interpreter does not parse (the library's tests hold some on purpose) has none.
    """
    text = _read(shard)
    tree = _parse(text) if text is not None else None
    if text is None or tree is None:
        return
    lines = text.split("\n")
    for qualname, owner, node in _functions_of(tree):
        documentation = ast.get_docstring(node)
        if documentation and (source := without_docstring(lines, node)) is not None:
            yield {
                "input": request(node, owner, documentation),
                "output": source,
                "module": shard,
                "qualname": qualname,
                "line": node.lineno,
            }


@sharded(_shards)
def files(*, shard: str, only: str = "") -> Iterator[dict[str, Any]]:
    """Yield a module's text; one that is empty or in no encoding that it declares has none."""
    text = _read(shard)
    if text and not text.isspace():
        yield {"text": text, "module": shard}


def request(node: _Function, owner: str, documentation: str) -> str:
    """Ask for a function in plain English: what it is, its signature, and what it does.

    Args:
        node: the function.
        owner: the class that it is a method of, or empty.
        documentation: its docstring, dedented.
    """
    what = "method" if owner else "function"
    if isinstance(node, ast.AsyncFunctionDef):
        what = f"asynchronous {what}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    of_class = f" of the class `{owner}`" if owner else ""
    return f"Write the Python {what} `{node.name}({ast.unparse(node.args)}){returns}`{of_class}.\n\n{documentation}"


def without_docstring(lines: list[str], node: _Function) -> str | None:
    """A function's source, decorators and comments included, dedented and without its docstring.

    Args:
        lines: of the module, without their ends.
        node: of the module's syntax tree.

    Returns:
        Source that parses to the same tree as the function without its docstring; None where nothing is left.
    """
    body = list(node.body)
    cut: list[ast.stmt] = []
    while body and _is_string(body[0]):  # what follows a docstring must not become one
        cut.append(body.pop(0))
    if not body:
        return None
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    text: list[str | None] = [*lines[first - 1 : node.end_lineno]]
    for statement in reversed(cut):
        _remove(text, statement, first)
    kept = [line for line in text if line is not None]
    if indent := kept[0][: len(kept[0]) - len(kept[0].lstrip())]:
        inside = _lines_inside_strings(kept)
        kept = [line if number in inside else line.removeprefix(indent) for number, line in enumerate(kept)]
    return "\n".join(kept) + "\n"


def _root() -> Path:
    return Path(sysconfig.get_paths()["stdlib"])


def _modules(root: Path) -> list[str]:
    """Paths of the library's modules below its folder, in order."""
    found = []
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if _is_library(name)]  # installed packages may be many: never enter them
        place = Path(folder).relative_to(root)
        found += [(place / name).as_posix() for name in names if name.endswith(".py") and _is_library(name)]
    return sorted(found)


def _is_library(name: str) -> bool:
    return name not in _NOT_LIBRARY and not name.startswith(_MADE_BY_THE_BUILD)


def _top(name: str) -> str:
    return name.partition("/")[0].removesuffix(".py")


def _read(shard: str) -> str | None:
    """A module's text in the encoding that it declares, or None where it is in no such encoding."""
    try:
        with tokenize.open(_root() / shard) as stream:
            return stream.read()
    except (SyntaxError, UnicodeDecodeError):
        return None


def _parse(text: str) -> ast.Module | None:
    for _ in range(_TRIES):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of escapes and the like, which are not ours to mend
                with _PARSER:
                    return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return None
        except SystemError:
            # Python 3.11 counts the depth of trees for all threads together (python/cpython#106905), and another
            # library's thread may be at a tree of its own, which our lock does not know of.
            continue
    raise InputError(
        f"Python failed {_TRIES} times to parse a module that it has parsed before",
        where="sources.python_stdlib",
        mend="run the same command again, or use workers with one thread each",
    )


def _functions_of(tree: ast.Module) -> Iterator[tuple[str, str, _Function]]:
    """Qualified name, class (or empty) and node of every function, in the order of the source."""
    waiting: list[tuple[ast.AST, str, str]] = [(tree, "", "")]
    while waiting:
        node, prefix, owner = waiting.pop()
        if isinstance(node, _Function):
            yield f"{prefix}{node.name}", owner, node
            prefix, owner = f"{prefix}{node.name}.<locals>.", ""
        elif isinstance(node, ast.ClassDef):
            prefix, owner = f"{prefix}{node.name}.", node.name
        inner = [
            child
            for child in ast.iter_child_nodes(node)
            if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case)
        ]
        waiting += [(child, prefix, owner) for child in reversed(inner)]


def _is_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _remove(text: list[str | None], statement: ast.stmt, first: int) -> None:
    """Take a statement out of `text`, whose line 0 is line `first` of the module; a comment beside it stays."""
    begin, end = statement.lineno - first, (statement.end_lineno or statement.lineno) - first
    # Columns of the syntax tree are bytes of UTF-8.
    before = (text[begin] or "").encode()[: statement.col_offset].decode()
    after = (text[end] or "").encode()[statement.end_col_offset :].decode().lstrip().removeprefix(";").lstrip()
    text[begin : end + 1] = [None] * (end + 1 - begin)
    if before.strip() or after:
        text[begin] = before + after
        return
    while end + 1 < len(text) and not (text[end + 1] or "").strip():
        end += 1
        text[end] = None


def _lines_inside_strings(lines: list[str]) -> set[int]:
    """Which lines begin inside a string, so that their first blanks are part of it."""
    text = "\n".join(lines) + "\n"
    if not any(mark in text for mark in ('"""', "'''", "\\\n")):
        return set()  # without these no string goes over the end of a line
    inside: set[int] = set()
    begun: list[int] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "STRING":
            inside.update(range(token.start[0], token.end[0]))
        elif kind.endswith("STRING_START"):  # f-strings are several tokens from Python 3.12 on
            begun.append(token.start[0])
        elif kind.endswith("STRING_END"):
            inside.update(range(begun.pop(), token.end[0]))
    return inside
