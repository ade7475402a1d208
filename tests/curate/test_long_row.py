"""A part with an enormous row holds up no other part."""

from __future__ import annotations

from pathlib import Path

from pipeline.cluster import dask_client
from pipeline.config import Cluster, Recipe
from pipeline.curate.documents import run_stage, survey_sources
from pipeline.run import RunDirectory
from tests.curate.conftest import MODEL

ROWS = """
import time
from pathlib import Path

from pipeline.ingest import TargetShard, sharded


def _shards(*, records: str) -> list[TargetShard]:
    return [TargetShard(name=str(number), bytes=1 << 20) for number in range(8)]


@sharded(_shards)
def rows(*, shard: str, records: str):
    if shard != "0":
        yield {"text": f"a row of shard {shard}"}
        return
    yield {"text": "a word, " * 6_250_000}
    yield {"text": "more " * 500_000}  # with it in hand the row before has been worked on
    patience = time.monotonic() + 300
    while len(list(Path(records).glob("part-*.json"))) < 7:
        if time.monotonic() > patience:
            raise TimeoutError("the other parts wait for this one")
        time.sleep(0.05)
"""


def test_all_other_parts_are_done_before_the_part_with_a_row_of_50_mb(scheduler: str, tmp_path: Path) -> None:
    """The part ends only when the others have, also those that were given to its worker: else it never does."""
    (tmp_path / "rows.py").write_text(ROWS)
    records = tmp_path / "run" / "documents" / "_parts"
    source = {"name": "s", "kind": "text", "target": f"{tmp_path / 'rows.py'}:rows", "args": {"records": str(records)}}
    recipe = Recipe.model_validate(
        {
            "run": str(tmp_path / "run"),
            "sources": [source],
            "ingest": {"part_bytes": 1 << 20},
            "curate": {"rules": {"preset": "none"}},
            "train": {"model": {"config": MODEL}},
            "cluster": {"address": scheduler},
        }
    )
    with dask_client(Cluster(address=scheduler)) as client:
        manifest = run_stage(RunDirectory.open(recipe), recipe, survey_sources(recipe), lambda: client)
    assert manifest.rows == {"in": 9, "kept": 9, "dropped": 0, "rejected": 0}
    assert manifest.summary["bytes_in"] > 50_000_000
