"""Runs whose pass one has finished, made of signals alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.config import RULE_KINDS, Recipe, Rules
from pipeline.curate.rules import judge, rules_for
from pipeline.run import RunDirectory, Stage
from pipeline.schema import SIGNALS, VERDICTS

__all__ = ["measured_run"]


def measured_run(
    root: Path, rows: Sequence[Mapping[str, Any]], rules: Mapping[str, Any], *, parts: int = 2
) -> RunDirectory:
    """Write `signals/` as pass one does, for rows of `source`, `kind` and some signals; the others are 0."""
    recipe = Recipe.model_validate(
        {
            "run": str(root),
            "sources": [
                {"name": name, "kind": "text", "target": "a:b"}
                for name in sorted({row["source"] for row in rows} or {"a"})
            ],
            "curate": {"rules": rules},
            "train": {"model": {"config": {"model_type": "llama"}}},
        }
    )
    run = RunDirectory.open(recipe)
    by_kind = {kind: rules_for(Rules.model_validate(rules), kind) for kind in RULE_KINDS}
    stage = Stage(
        run=run,
        name="documents",
        version=1,
        config={
            "rules": {
                kind: {name: bound.model_dump(mode="json") for name, bound in bounds.items()}
                for kind, bounds in by_kind.items()
            }
        },
        inputs={},
        folders=("documents", "signals"),
    )
    stage.begin()
    run.path("signals").mkdir()
    for number in range(parts):
        name = f"signals/part-{number:05d}.parquet"
        table = pa.concat_tables(
            [VERDICTS.empty_table(), *(_measured(row, by_kind[row["kind"]]) for row in rows[number::parts])]
        )
        pq.write_table(table, run.path(name))
        stage.commit(f"part-{number:05d}", {name: len(table)}, {})
    stage.finish(summary={"sources": {source.name: {} for source in recipe.sources}})
    return run


def _measured(row: Mapping[str, Any], rules: Mapping[str, Any]) -> pa.Table:
    blank = {name: None if pa.types.is_string(dtype) else 0 for name, dtype in SIGNALS.items()}
    given = {**blank, **{name: value for name, value in row.items() if name in SIGNALS}}
    signals = {
        name: pa.array([value], pa.string()) if pa.types.is_string(SIGNALS[name]) else np.array([value], np.float64)
        for name, value in given.items()
    }
    ids = pa.array(["x"])
    failed = judge(rules, signals, ids, ids).names().to_pylist()[0]
    line = {"id": "x", "source": row["source"], "kind": row["kind"], **given, "failed": failed}
    return pa.Table.from_pylist([line], schema=VERDICTS)
