"""Sources that are a function or a class: `target: module:name` or `target: file.py:name`.

    def tickets(*, since: str) -> Iterator[dict]:          # one shard, called `tickets`
        yield {"input": "…", "output": "…", "ticket": 7}

    def _years(*, since: str) -> list[TargetShard]: …

    @sharded(_years)                                        # a shard can be read by any worker
    def tickets(*, shard: str, since: str) -> Iterator[dict]: …

    class Tickets:                                          # made with the arguments; yields rows of any shape
        def __iter__(self) -> Iterator[dict]: …
        def get_context(self, row: dict) -> str: …          # → `input`
        def get_target(self, row: dict) -> str: …           # → `output`

Rows have the shape of the kind's format; a shard must always yield the same rows in the same order. The survey's
fingerprint covers the module's own file, the arguments and the shards, so a function that reads data which can
change says so by its shards' fingerprints.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

from pipeline import fingerprint
from pipeline.config import Source
from pipeline.errors import InputError, ProjectError, did_you_mean
from pipeline.failures import masked
from pipeline.ingest.blocks import Block
from pipeline.ingest.lines import Line, too_long
from pipeline.ingest.rejected import Rejected

__all__ = ["Target", "TargetShard", "lines_of_target", "load_function", "load_target", "sharded", "survey_target"]

_SHARDS = "__shards__"
_HALVES = ("get_context", "get_target")


@dataclass(frozen=True, kw_only=True)
class TargetShard:
    """A part of a target's rows that can be read by itself."""

    name: str
    """Goes into the rows' ids."""
    bytes: int = 0
    """About how much text it yields, for planning; 0 where unknown."""
    fingerprint: str = ""
    """Of the data that its rows are made from."""


class Target(Protocol):
    """A function that yields rows; with `sharded` it also takes `shard`, the name of one of its shards."""

    def __call__(self, **arguments: Any) -> Iterable[Mapping[str, Any]]:
        """Yield rows, from the arguments under `args` in the source."""
        ...


_Function = TypeVar("_Function", bound=Callable[..., Iterable[Mapping[str, Any]]])


def sharded(shards: Callable[..., Sequence[TargetShard]]) -> Callable[[_Function], _Function]:
    """Give a target shards: `shards(**args)` lists them, `function(shard=name, **args)` reads one."""

    def mark(function: _Function) -> _Function:
        setattr(function, _SHARDS, shards)
        return function

    return mark


def load_target(source: Source) -> Target:
    """Import a source's target and check its arguments; modules in the working directory are found too.

    Raises:
        InputError: no such module or function, it fails on import, or `args` do not fit.
    """
    where = f"source {source.name}, target: {source.target}"
    function = load_function(str(source.target), where)
    name = str(source.target).rpartition(":")[2]
    _check_arguments(function, source, where)
    if inspect.isclass(function) and not issubclass(function, Iterable):
        lacks = [method for method in ("__iter__", *_HALVES) if not hasattr(function, method)]
        raise InputError(
            f"class {name} has no {' and no '.join(lacks)}",
            where=where,
            mend="give it `__iter__`, which yields rows, and `get_context(row)` and `get_target(row)` of a row",
        )
    return function  # type: ignore[return-value]


def load_function(target: str, where: str) -> Callable[..., Any]:
    """Import what `module:function` or `file.py:function` names; modules in the working directory are found too.

    Raises:
        InputError: no such module or function, or it fails on import; `where` names the recipe's key.
    """
    place, _, name = target.rpartition(":")
    try:
        module = _load_module(place)
    except Exception as error:
        raise InputError(
            f"the module cannot be imported: {type(error).__name__}: {error}",
            where=where,
            mend="install it, or run from the folder that holds it; `target` is module:function or file.py:function",
        ) from None
    function = getattr(module, name, None)
    if callable(function):
        return function  # type: ignore[no-any-return]
    functions = [
        other
        for other, value in vars(module).items()
        if callable(value) and not other.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]
    raise InputError(
        f"module {place} has no function {name!r}{did_you_mean(name, functions)}",
        where=where,
        mend=f"it has {', '.join(functions) or 'none'}",
    )


def _load_module(name: str) -> ModuleType:
    """Import a module by its name or its file."""
    if not name.endswith(".py"):
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # at the end, so that nothing there takes the place of a library
        return importlib.import_module(name)
    path = Path(name).resolve()
    known = f"{path.stem}_{fingerprint.of_file(path)[:16]}"  # a file that was changed is another module
    if known not in sys.modules:
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec is not None
        assert spec.loader is not None  # the name ends with .py
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module  # before it runs: its dataclasses look themselves up there
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[known]
            raise
    return sys.modules[known]


def survey_target(source: Source, only: Collection[str] | None = None) -> tuple[list[tuple[Block, str]], str]:
    """The blocks of a target, one a shard in the order of their names, each with the shard's fingerprint; and all's.

    Args:
        source: the target.
        only: the shards that are wanted; all without.

    Raises:
        InputError: it cannot be loaded, its shards fail or share a name.
    """
    function = load_target(source)
    where = f"source {source.name}, target: {source.target}"
    shards = [TargetShard(name=str(source.target).rpartition(":")[2])]
    if (lister := getattr(function, _SHARDS, None)) is not None:
        try:
            shards = sorted(lister(**source.args), key=lambda shard: shard.name)
        except ProjectError:
            raise
        except Exception as error:
            raise _failed(error, where) from error
    names = [shard.name for shard in shards]
    if len(set(names)) != len(names):
        raise InputError(
            "two shards of the target have the same name", where=where, mend="give each its own; names begin ids"
        )
    shards = [shard for shard in shards if only is None or shard.name in only]
    code = [_code_of(function), source.args]
    blocks = [
        (
            Block(
                source=source,
                shard=shard.name,
                location="",
                container="target",
                offset=0,
                length=-1,
                first_row=0,
                bytes=shard.bytes,
            ),
            # What a shard says of its data; one that says nothing is known by its code alone.
            shard.fingerprint or fingerprint.of_value(code),
        )
        for shard in shards
    ]
    made_from = [*code, [[shard.name, shard.fingerprint] for shard in shards]]
    return blocks, fingerprint.of_value(made_from)


def lines_of_target(block: Block, *, max_row_bytes: int) -> Iterator[Line]:
    """Write what the target yields for a block's shard as JSON lines, so that it is read like a file's.

    Raises:
        InputError: the target raised.
    """
    function = load_target(block.source)
    shard = {"shard": block.shard} if hasattr(function, _SHARDS) else {}
    try:
        for row, value in enumerate(_rows_of(function, {**shard, **block.source.args})):
            text = _as_line(value)
            length = len(text) if isinstance(text, bytes) else 0
            yield Line(row, text if length <= max_row_bytes else too_long(length, max_row_bytes), length)
    except ProjectError:
        raise
    except (Exception, SystemExit, KeyboardInterrupt) as error:  # a worker must outlive what it calls
        raise _failed(error, f"source {block.source.name}, {block.place}") from error


def _rows_of(function: Callable[..., Any], arguments: dict[str, Any]) -> Iterable[Any]:
    rows = function(**arguments)
    if all(hasattr(rows, half) for half in _HALVES):
        return _pairs(rows)
    if isinstance(rows, Mapping | str | bytes) or not isinstance(rows, Iterable):
        raise TypeError(f"it returned {type(rows).__name__}; a target yields rows, or returns an iterable of them")
    return rows


def _pairs(rows: Any) -> Iterator[Any]:
    """The pairs that an object makes of its rows; what else a row holds stays beside them."""
    for row in rows:
        made = {"input": rows.get_context(row), "output": rows.get_target(row)}
        yield {**{key: row[key] for key in row if key not in made}, **made} if isinstance(row, Mapping) else made


def _as_line(value: object) -> bytes | Rejected:
    if not isinstance(value, Mapping):
        return Rejected("wrong_type", f"the target yielded {type(value).__name__}, not a mapping")
    value = dict(value)
    if not all(isinstance(key, str) for key in value):
        return Rejected("wrong_type", "a key of the row is no string")
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return Rejected("invalid_utf8", "a lone surrogate")
    except TypeError:
        return Rejected("wrong_type", "a value has no form in JSON")
    except (ValueError, RecursionError):
        return Rejected("malformed_json", "NaN, Infinity or a circle has no form in JSON")


def _check_arguments(function: Callable[..., Any], source: Source, where: str) -> None:
    shard = {"shard": ""} if hasattr(function, _SHARDS) else {}
    signature = inspect.signature(function)
    try:
        signature.bind(**shard, **source.args)
    except TypeError as error:
        names = [name for name in signature.parameters if name != "shard"]
        unknown = next((name for name in source.args if name not in names), "")
        raise InputError(
            f"`args` do not fit the target: {error}{did_you_mean(unknown, names) if unknown else ''}",
            where=where,
            mend=f"it takes {', '.join(names) or 'no arguments'}",
        ) from None


def _code_of(function: Target) -> str:
    plain = inspect.unwrap(function)
    file = inspect.getsourcefile(plain if inspect.isroutine(plain) or inspect.isclass(plain) else type(plain))
    return fingerprint.of_file(Path(file)) if file else ""


def _failed(error: BaseException, where: str) -> InputError:
    # Masked here already: a worker prints the message of a task that failed.
    return InputError(
        masked(f"the target raised {type(error).__name__}: {error}"),
        where=where,
        mend="correct the function, or its data",
    )
