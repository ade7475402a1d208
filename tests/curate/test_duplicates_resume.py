"""Stopped after any file, or in any step, and started again: the same files, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Dedup
from pipeline.curate import duplicates
from pipeline.curate.dedup.decide import decide
from tests.curate.conftest import Curated
from tests.curate.planted import DEDUP, as_parts, by_id, families, keys_table, serial
from tests.curate.test_curate import Curation, corpus


class Killed(BaseException):
    """What no one catches."""


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_stopped_after_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = keys_table(families(6, 120, alphabet=4))
    parts = as_parts(table, tmp_path / "keys", [50])
    dedup = Dedup.model_validate(DEDUP)
    whole = decide(parts, dedup, tmp_path / "whole", serial)
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
            decide(parts, dedup, work, serial)
        monkeypatch.undo()
        assert len(_bytes(work)) == stop
        again = decide(parts, dedup, work, serial)
        assert by_id(table, again) == by_id(table, whole)
        assert _bytes(work) == expected


def test_stopped_in_any_step_of_the_stage(run_curation: Curation, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row for row in corpus() if isinstance(row, dict)]
    parts: dict[str, Any] = {"ingest": {"part_bytes": 8192}}
    expected = run_curation(rows, name="whole", file="data", **parts).bytes()
    run_parts, steps = duplicates.run_parts, []

    def run(stop: int) -> Curated:
        steps.clear()

        def stopped(client: Any, function: Any, jobs: Any, **options: Any) -> Any:
            steps.append(function.__name__)
            if len(steps) == stop:
                run_parts(client, function, jobs[: len(jobs) // 2], **options)
                raise Killed
            return run_parts(client, function, jobs, **options)

        monkeypatch.setattr(duplicates, "run_parts", stopped)
        return run_curation(rows, name="stopped", file="data", **parts)

    stop = 0
    while True:
        stop += 1
        try:
            done = run(stop)
            break
        except Killed:
            continue
    assert list(dict.fromkeys(steps)) == ["scan", "collide", "gather_part", "compare_group", "write_part"]
    assert stop == len(steps) + 1
    assert done.bytes() == expected
