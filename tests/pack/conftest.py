"""Curated folders of real text: functions of a small package of the standard library."""

from __future__ import annotations

import ast
import email
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.atomic import atomic_file
from pipeline.config import Recipe
from pipeline.run import Rows, RunDirectory, Stage
from pipeline.schema import CURATED, SIGNALS, SPLITS

DATA = Path(__file__).resolve().parents[2].parent / "shared/data"

Row = dict[str, Any]
Curate = Callable[..., RunDirectory]


@pytest.fixture(scope="session")
def data() -> Path:
    """Tokenizers and a trained model."""
    if not DATA.is_dir():
        pytest.skip("needs the real tokenizers of shared/data, which is not beside this checkout")
    return DATA


@pytest.fixture(scope="session")
def rows() -> list[Row]:
    """About 300 rows: signature and docstring → source, and a few modules as code."""
    return list(_functions(Path(email.__file__).parent)) + list(_modules(Path(json.__file__).parent))


def make_recipe(root: Path, **pack: Any) -> Recipe:
    """A recipe whose run lies in `root`."""
    return Recipe.model_validate(
        {
            "run": str(root / "run"),
            "sources": [{"name": "functions", "kind": "pair", "target": "any:thing"}],
            "cluster": {"workers": 1},
            "pack": {"vocab_size": 600, "seq_length": 256, **pack},
            "train": {"model": {"config": {"model_type": "llama"}}},
        }
    )


def curate(
    recipe: Recipe, splits: Mapping[str, Sequence[Row]], *, parts: int = 2, stage: Stage | None = None
) -> RunDirectory:
    """Write what `pipeline.curate` would leave: every split in a few parts, and the manifest (of `stage`, if given)."""
    run = RunDirectory.open(recipe)
    stage = stage or Stage(
        run=run,
        name="curated",
        version=1,
        config={},
        inputs={"rows": [row["id"] for split in SPLITS for row in splits.get(split, [])]},
        folders=("curated", "ledger"),
    )
    stage.begin()
    for split in SPLITS:
        mine = list(splits.get(split, []))
        for number in range(parts):
            name = f"curated/{split}/part-{number:05d}.parquet"
            chunk = mine[len(mine) * number // parts : len(mine) * (number + 1) // parts]
            with atomic_file(run.path(name)) as beside:
                pq.write_table(pa.Table.from_pylist(chunk, schema=CURATED), beside)
            stage.commit(f"{split}-{number:05d}", {name: len(chunk)}, {})
    kept = sum(len(splits.get(split, [])) for split in SPLITS)
    stage.finish(rows=Rows(in_=kept, kept=kept, dropped=0))
    return run


def row(number: int, messages: Sequence[tuple[str, str]], kind: str = "pair", **more: Any) -> Row:
    """A curated row from (role, content) pairs."""
    signals = {name: {pa.int64(): 0, pa.float64(): 0.0}.get(kind) for name, kind in SIGNALS.items()}
    signals["char_count"] = sum(len(content) for _, content in messages)
    return {
        "id": f"functions/email.py#{number}",
        "source": "functions",
        "kind": kind,
        "messages": [{"role": role, "content": content, "extra": None} for role, content in messages],
        "tools": None,
        "metadata": None,
        "cluster": number,
        **signals,
        **more,
    }


def split_up(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """8 of 10 rows to train, 1 to validation, 1 to test."""
    return {
        "train": [row for number, row in enumerate(rows) if number % 10 < 8],
        "validation": [row for number, row in enumerate(rows) if number % 10 == 8],
        "test": [row for number, row in enumerate(rows) if number % 10 == 9],
    }


def _functions(package: Path) -> Iterator[Row]:
    number = 0
    for path in sorted(package.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            doc = ast.get_docstring(node) if isinstance(node, ast.FunctionDef) else None
            source = ast.get_source_segment(text, node, padded=True) if doc else None
            if doc and source:
                yield row(number, [("user", f"Write `{node.name}`. {doc}"), ("assistant", source)])  # type: ignore[attr-defined]
                number += 1


def _modules(package: Path) -> Iterator[Row]:
    for number, path in enumerate(sorted(package.glob("*.py")), start=100_000):
        yield row(number, [("text", path.read_text(encoding="utf-8"))], kind="code")
