"""Imports go one way, as `docs/architecture.md` draws it.

The tree is read with `ast`: nothing is imported, lazy imports inside functions count, and only what stands
under `if TYPE_CHECKING:` does not.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

LAYERS = (
    ("schema", "signals", "errors", "addresses", "fingerprint", "mixing", "atomic", "config", "text"),
    ("recipe", "gpus", "host_memory"),
    ("run", "cluster", "nanny", "progress", "failures"),
    ("engines",),
    ("ingest", "curate", "pack", "sources"),
    ("train", "evaluate"),
    ("promote",),
    ("report", "export"),
    ("doctor", "inspect_run", "preflight", "retrain", "stages", "sweep"),
    ("cli",),
    ("flows",),
)
"""From the bottom up; a part imports from its own layer and those below."""

RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}


def module_of(path: Path) -> str:
    names = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def part_of(module: str) -> str:
    """`pipeline.curate.rules` belongs to `curate`, `flows.stages` to `flows`."""
    names = module.split(".")
    return names[1] if names[0] == "pipeline" and len(names) > 1 else names[0]


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, and whether it does so as soon as it is imported itself."""
    yield from _walk(ast.parse(path.read_text(encoding="utf-8")), path, at_once=True)


def _walk(node: ast.AST, path: Path, *, at_once: bool) -> Iterator[tuple[str, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from ((alias.name, at_once) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            home = child.module or ""
            if child.level:
                package = module_of(path).split(".")
                package = package if path.name == "__init__.py" else package[:-1]
                base = package[: len(package) - child.level + 1]
                home = ".".join([*base, *([home] if home else [])])
            yield from ((f"{home}.{alias.name}", at_once) for alias in child.names)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _walk(other, path, at_once=at_once)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, path, at_once=at_once and not inside)


FILES = {
    module_of(path): path for top in ("pipeline", "flows", "sources") for path in sorted((ROOT / top).rglob("*.py"))
}
IMPORTS = {module: sorted(set(imports_of(path))) for module, path in FILES.items()}


def known(name: str) -> str | None:
    """The module of this project that an imported name is or lies in, or None for anything foreign."""
    while name:
        if name in FILES:
            return name
        name = name.rpartition(".")[0]
    return None


def top(name: str) -> str:
    return name.partition(".")[0]


def test_the_reader_sees_what_is_there() -> None:
    assert ("prefect.task", True) in IMPORTS["flows.stages"]
    assert ("pipeline.stages.hold", False) in IMPORTS["pipeline.cli.stages"]  # lazy
    assert "distributed.Client" in {name for name, _ in IMPORTS["pipeline.cluster"]}
    assert ("pipeline.config.Recipe", False) not in IMPORTS["pipeline.cli.stages"]  # for types only


def test_every_part_has_a_place_in_the_picture() -> None:
    parts = {part_of(module) for module in FILES} - {"pipeline"}
    assert parts <= set(RANK)


@pytest.mark.parametrize("module", sorted(FILES))
def test_a_module_imports_only_its_own_layer_and_those_below(module: str) -> None:
    if module == "pipeline":
        assert not [name for name, _ in IMPORTS[module] if known(name)]
        return
    above = [
        name
        for name, _ in IMPORTS[module]
        if (home := known(name)) and home != "pipeline" and RANK[part_of(home)] > RANK[part_of(module)]
    ]
    assert not above


def test_no_two_parts_import_each_other() -> None:
    edges = {
        (part_of(module), part_of(home))
        for module, names in IMPORTS.items()
        for name, _ in names
        if (home := known(name)) and part_of(home) != part_of(module) and home != "pipeline"
    }
    assert ("recipe", "config") in edges
    assert not {(a, b) for a, b in edges if (b, a) in edges}


@pytest.mark.parametrize(
    ("foreign", "allowed"),
    [
        ("prefect", {"flows"}),
        ("dask_cuda", {"cluster"}),
        ("cudf", {"engines"}),
        ("pylibcudf", {"engines"}),
        ("dask", {"cluster", "curate", "ingest", "pack"}),
        ("distributed", {"cluster", "nanny", "curate", "ingest", "pack"}),
        ("torch", {"train", "evaluate"}),
        ("transformers", {"pack", "train", "evaluate"}),
        ("peft", {"train", "evaluate"}),
        ("rich", {"cli", "progress", "report", "pack"}),
    ],
)
def test_a_package_is_imported_only_where_it_belongs(foreign: str, allowed: set[str]) -> None:
    users = {part_of(module) for module, names in IMPORTS.items() for name, _ in names if top(name) == foreign}
    assert users <= allowed


def test_the_kernels_know_nothing_of_the_project() -> None:
    strangers = {
        (module, name)
        for module in FILES
        if part_of(module) == "text"
        for name, _ in IMPORTS[module]
        if (home := known(name)) and part_of(home) != "text"
    }
    assert not strangers


@pytest.mark.parametrize(
    ("part", "never"),
    [
        ("train", {"dask", "distributed", "prefect"}),
        ("evaluate", {"dask", "distributed", "prefect"}),
        ("curate", {"torch", "transformers", "peft", "prefect"}),
        ("ingest", {"torch", "transformers", "peft", "prefect"}),
        ("cli", {"torch", "transformers", "dask", "distributed", "prefect", "numba", "pyarrow", "pydantic", "yaml"}),
    ],
)
def test_importing_a_part_loads_nothing_that_it_must_not(part: str, never: set[str]) -> None:
    """Over the project's own modules too: `train` may not get Dask by way of another."""
    reached: set[str] = set()
    waiting = [module for module in FILES if part_of(module) == part and (part != "cli" or module == "pipeline.cli")]
    foreign: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in reached:
            continue
        reached.add(module)
        for name, at_once in IMPORTS[module]:
            if at_once and (home := known(name)):
                waiting.append(home)
            elif at_once:
                foreign.add(top(name))
    assert not foreign & never
