"""Small real runs: rows on disk as curation writes them, then the project's own packing and checkpoints."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from pipeline.config import Recipe
from pipeline.pack import pack
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.run import Manifest, Rows, RunDirectory, Stage
from pipeline.schema import CURATED, LEDGER, SIGNALS, SPLITS
from pipeline.train.model import load_model

torch.set_num_threads(1)

LLAMA = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}


def make_recipe(root: Path, **changes: Any) -> Recipe:
    """A recipe for a run in `root`; `changes` are merged into its sections."""
    document: dict[str, Any] = {
        "run": str(root),
        "sources": [{"name": "sums", "kind": "pair", "format": "completion", "path": "sums.jsonl"}],
        "device": "cpu",
        "pack": {"vocab_size": 320, "seq_length": 64},
        "train": {"model": {"config": LLAMA}, "steps": 2, "global_batch": 2},
        "evaluate": {"generate": 6, "max_new_tokens": 8, "batch": 4},
    }
    for section, values in changes.items():
        document[section] = {**document.get(section, {}), **values} if isinstance(values, dict) else values
    return Recipe.model_validate(document)


def pair(number: int, prompt: str, answer: str) -> dict[str, Any]:
    """A row of kind pair."""
    return row(number, "pair", [("user", prompt), ("assistant", answer)])


def row(number: int, kind: str, messages: Sequence[tuple[str, str]]) -> dict[str, Any]:
    return {
        "id": f"sums/sums.jsonl#{number}",
        "source": "sums",
        "kind": kind,
        "messages": [{"role": role, "content": content, "extra": None} for role, content in messages],
        "tools": None,
        "metadata": None,
        "cluster": number,
        **{name: {pa.int64(): 0, pa.float64(): 0.0}.get(kind) for name, kind in SIGNALS.items()},
    }


def sums(first: int, count: int) -> list[dict[str, Any]]:
    """Rows that ask for a function that adds a number: code, each with another answer."""
    return [
        pair(n, f"Write a function that adds {n}.", f"def add_{n}(x):\n    return x + {n}\n")
        for n in range(first, first + count)
    ]


def default_rows() -> dict[str, list[dict[str, Any]]]:
    return {"train": sums(0, 24), "validation": sums(100, 6), "test": sums(200, 8)}


def write_curated(
    run: RunDirectory,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    ledger: Sequence[Mapping[str, Any]] = (),
) -> Manifest:
    """Write `curated/` and `ledger/` as curation does; rows in = kept + what the ledger names."""
    stage = Stage(run=run, name="curated", version=1, config={}, inputs={}, folders=("curated", "ledger"))
    stage.begin()
    files = {}
    for split in SPLITS:
        name = f"curated/{split}/part-00000.parquet"
        write_table(run.path(name), rows[split], CURATED)
        files[name] = len(rows[split])
    write_table(run.path("ledger/part-00000.parquet"), ledger, LEDGER)
    files["ledger/part-00000.parquet"] = len(ledger)
    stage.commit("part-00000", files, {})
    gone = {(line["id"], line["stage"]) for line in ledger}
    rejected = sum(stage == "ingest" for _, stage in gone)
    by_stage: dict[str, int] = {}
    for _, name in gone:
        if name != "ingest":
            by_stage[name] = by_stage.get(name, 0) + 1
    kept = {split: len(rows[split]) for split in SPLITS}
    return stage.finish(
        rows=Rows(
            in_=sum(kept.values()) + len(gone), kept=sum(kept.values()), dropped=len(gone) - rejected, rejected=rejected
        ),
        summary={"splits": kept, "dropped": by_stage},
    )


def write_table(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)


def write_checkpoint(run: RunDirectory, recipe: Recipe, *, seed: int | None = None) -> Manifest:
    """Write `checkpoints/` with a model as training leaves it; `seed` stands for what training changed."""
    stage = Stage(run=run, name="train", version=1, config={"seed": seed}, inputs={}, folders=("checkpoints",))
    stage.begin()
    name = f"step-{recipe.train.steps:08d}"
    folder = run.path(f"checkpoints/{name}/model")
    tokenizer = run.path("tokenizer")
    model = load_model(
        recipe.train.model,
        load_tokenizer(tokenizer),
        seed=recipe.seed if seed is None else seed,
        seq_length=recipe.pack.seq_length,
    )
    model.save_pretrained(str(folder))
    for file in tokenizer.iterdir():
        if file.is_file() and file.name != "_manifest.json":
            shutil.copyfile(file, folder / file.name)
    files = {path.relative_to(run.root).as_posix(): 0 for path in sorted(folder.iterdir())}
    stage.commit(name, files, {})
    return stage.finish(summary={"checkpoint": name})


def make_run(
    root: Path,
    rows: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    ledger: Sequence[Mapping[str, Any]] = (),
    seed: int | None = 1,
    **changes: Any,
) -> tuple[RunDirectory, Recipe]:
    """A run that is ready to be evaluated."""
    recipe = make_recipe(root, **changes)
    run = RunDirectory.open(recipe)
    write_curated(run, rows or default_rows(), ledger)
    pack(run, recipe)
    write_checkpoint(run, recipe, seed=seed)
    return run, recipe
