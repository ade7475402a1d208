"""Small real curation runs: JSONL files in a temporary folder, a real Dask cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster

from pipeline.config import Recipe
from pipeline.curate import curate
from pipeline.nanny import PatientNanny
from pipeline.run import RunDirectory
from pipeline.schema import CURATED, LEDGER, SPLITS, VERDICTS

KEY_ENV, KEY = "CURATE_TEST_KEY", "workers get it from here"
"""The key of the operator `hash`."""

MODEL = {"model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}


@pytest.fixture(scope="session")
def scheduler() -> Iterator[str]:
    """The address of a cluster of two worker processes that all tests of this folder share."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv(KEY_ENV, KEY)
        with (
            LocalCluster(
                n_workers=2, threads_per_worker=1, worker_class=PatientNanny, dashboard_address="127.0.0.1:0"
            ) as cluster,
            Client(cluster),
        ):
            yield cluster.scheduler_address


class Curated:
    """A finished curation run, read back."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.splits = {split: _read(root / "curated" / split, CURATED) for split in SPLITS}
        self.kept = pa.concat_tables(self.splits.values())
        self.ledger = _read(root / "ledger", LEDGER)
        self.measured = _read(root / "signals", VERDICTS)
        self.manifest = json.loads((root / "curated" / "_manifest.json").read_text())

    def texts(self) -> dict[str, str]:
        """Row id → contents joined."""
        return {
            row["id"]: "\n\n".join(message["content"] for message in row["messages"])
            for row in self.kept.select(["id", "messages"]).to_pylist()
        }

    def decisions(self) -> set[tuple[Any, ...]]:
        """Everything that was decided, in a form without parts."""
        kept = {
            (row["id"], split, row["cluster"], json.dumps(row["messages"]))
            for split, table in self.splits.items()
            for row in table.to_pylist()
        }
        return kept | {tuple(row.values()) for row in self.ledger.to_pylist()}

    def bytes(self) -> dict[str, bytes]:
        """File → content, of everything that must not depend on how the run went."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for folder in ("documents", "keys", "signals", "duplicates", "contamination", "curated", "ledger")
            for path in sorted((self.root / folder).rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def run_curation(tmp_path: Path, scheduler: str) -> Callable[..., Curated]:
    """Curate rows (dicts, or raw lines as bytes) as one source of the kind, from `<file>.jsonl`."""

    def run(rows: list[Any], *, name: str = "run", file: str = "", kind: str = "text", **changes: Any) -> Curated:
        data = tmp_path / "data" / f"{file or name}.jsonl"
        data.parent.mkdir(exist_ok=True)
        data.write_bytes(
            b"".join(row + b"\n" if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
        )
        recipe = Recipe.model_validate(
            {
                "run": str(tmp_path / name),
                "cluster": {"address": scheduler},
                "sources": [
                    {
                        "name": "s",
                        "kind": kind,
                        "format": {"pair": "completion", "chat": "chat"}.get(kind, "text"),
                        "path": str(data),
                    }
                ],
                "train": {"model": {"config": MODEL}},
                **changes,
            }
        )
        curate(RunDirectory.open(recipe), recipe)
        return Curated(tmp_path / name)

    return run


def _read(folder: Path, schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *map(pq.read_table, sorted(folder.glob("*.parquet")))])


@pytest.fixture(scope="session")
def names_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small spaCy model: a list of names; and, of every word behind a stand-in for `Loop`, that it is a name too."""
    spacy = pytest.importorskip("spacy", reason="the extra ner is not installed")
    pytest.importorskip("presidio_analyzer", reason="the extra ner is not installed")
    model = spacy.blank("en")
    ruler = model.add_pipe("entity_ruler")
    ruler.add_patterns(
        [
            {"label": "PERSON", "pattern": "Jane Doe"},
            {"label": "PERSON", "pattern": "José Núñez"},
            {"label": "PERSON", "pattern": "Jane Doe jane@corp.org"},
            {"label": "PERSON", "pattern": [{"TEXT": {"IN": ["PERSON", "PERSON_1"]}}]},  # as some models do
            {"label": "PERSON", "pattern": "Loop"},
            {"label": "PERSON", "pattern": [{"TEXT": {"REGEX": r"[>*]$"}}, {"TEXT": {"REGEX": "^loop"}}]},
            {"label": "GPE", "pattern": "Oslo"},
            {"label": "GADGET", "pattern": "spanner"},
        ]
    )
    folder = tmp_path_factory.mktemp("models") / "names"
    model.to_disk(folder)
    return str(folder)
