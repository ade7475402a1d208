"""Stopped after any file, or in any step, and started again: the same files, byte for byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pipeline.config import Dedup
from pipeline.curate import curated, duplicates
from pipeline.curate.dedup.decide import FEW, decide
from tests.curate.conftest import MODEL, Curated
from tests.curate.planted import DEDUP, as_parts, by_id, families, keys_table, serial
from tests.curate.test_curate import Curation, corpus, edited, prose
from tests.killed import Killed, killed_in_every_step


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_stopped_after_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = keys_table(families(6, 120, alphabet=4))
    parts = as_parts(table, tmp_path / "keys", [50])
    dedup = Dedup.model_validate(DEDUP)
    whole = decide(parts, dedup, tmp_path / "whole", serial, few=0)
    expected = _bytes(tmp_path / "whole")
    assert {name.split("/")[0] for name in expected} == {"keys", "groups", "candidates", "edges", "state-00.npy"} | {
        name for name in expected if name.startswith("state-")
    }
    replace, left = os.replace, 0

    def killed(*names: Any) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        replace(*names)

    for stop in range(len(expected)):
        left, work = stop, tmp_path / f"stopped-{stop}"
        monkeypatch.setattr(os, "replace", killed)
        with pytest.raises(Killed):
            decide(parts, dedup, work, serial, few=0)
        monkeypatch.undo()
        assert len(_bytes(work)) == stop
        again = decide(parts, dedup, work, serial, few=0)
        assert by_id(table, again) == by_id(table, whole)
        assert _bytes(work) == expected


DECIDE = ["scan", "collide", "gather_part", "compare_group"]


APPEND = ["identify_part", "append_part"]


@pytest.mark.parametrize(
    ("module", "fuzzy", "few", "expected_steps"),
    [
        (duplicates, {}, FEW, ["decide_few", "write_part", *APPEND]),
        (duplicates, {}, 0, [*DECIDE, "write_part", *APPEND]),
        (
            duplicates,
            {"ignore_shared": 0.5, "verify": "exact"},
            FEW,  # texts are read again, by many tasks
            ["draw", "count", "sketch", *DECIDE, "write_sets", "verify_edges", "write_part", *APPEND],
        ),
        (
            curated,
            {},
            FEW,
            ["decide_part", "place_part", "scan", "collide", "compare_group"],
        ),  # with the leakage figure
    ],
    ids=["few", "sketches", "shared-exact", "leakage"],
)
def test_stopped_in_any_step_of_the_stage(
    run_curation: Curation,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    module: ModuleType,
    fuzzy: dict[str, Any],
    few: int,
    expected_steps: list[str],
) -> None:
    monkeypatch.setitem(decide.__kwdefaults__, "few", few)
    rows = [row for row in corpus() if isinstance(row, dict)]

    def run(name: str) -> Curated:
        dedup = {"fuzzy": fuzzy, "index": str(tmp_path / f"index-of-{name}")}
        return run_curation(rows, name=name, file="data", ingest={"part_bytes": 8192}, curate={"dedup": dedup})

    expected = _without_manifests(run("whole").bytes())
    done, steps = killed_in_every_step(lambda: run("stopped"), module, monkeypatch)
    assert list(dict.fromkeys(steps)) == expected_steps
    assert _without_manifests(done.bytes()) == expected
    assert _bytes(tmp_path / "index-of-stopped") == _bytes(tmp_path / "index-of-whole")


def _without_manifests(files: dict[str, bytes]) -> dict[str, bytes]:
    """They name the index."""
    return {name: data for name, data in files.items() if "_manifest" not in name}


def test_the_seed_of_hashes_changes_nothing(tmp_path: Path) -> None:
    """Nor does the number of workers: the command in processes of its own, as a user runs it."""
    template = " ".join(prose(7, words=100).split())
    texts = [f"{template} {prose(seed, words=30)}" for seed in range(40)] + [prose(seed) for seed in range(20)]
    texts += [edited(prose(seed), seed) for seed in range(20)] + texts[:5]
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    found = []
    for seed, workers in (("0", 2), ("4294967295", 1)):
        recipe = {
            "run": str(tmp_path / f"run-{seed}"),
            "cluster": {"workers": workers},
            "ingest": {"part_bytes": 8192},
            "sources": [{"name": "s", "kind": "text", "format": "text", "path": str(data)}],
            "curate": {"dedup": {"fuzzy": {"ignore_shared": 0.4, "verify": "exact"}}, "rules": {"preset": "none"}},
            "train": {"model": {"config": MODEL}},
        }
        path = tmp_path / f"recipe-{seed}.yaml"
        path.write_text(json.dumps(recipe))
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "curate", str(path)],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.append(Curated(tmp_path / f"run-{seed}"))
    files = [_without_manifests(run.bytes()) for run in found]
    assert any(name.startswith("duplicates/part-") for name in files[0])
    assert files[0] == files[1]
    assert set(found[0].ledger["stage"].to_pylist()) == {"exact", "fuzzy"}
