"""The leakage figure: 0 where rows are split by cluster, and not where they are not."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Fuzzy
from pipeline.curate import leakage
from pipeline.curate.dedup.bands import optimal_bands
from pipeline.curate.leakage import count_leaks
from pipeline.report.funnel import summary_lines
from pipeline.run import RunDirectory
from pipeline.schema import SPLITS
from tests.curate.conftest import Curated
from tests.curate.planted import VALUES, families, keys_table, serial
from tests.curate.test_curate import edited, prose

FUZZY = Fuzzy(sketch=VALUES, threshold=0.75)


def written(root: Path, sketches: np.ndarray, splits: np.ndarray, cuts: int, digests: Any = None) -> RunDirectory:
    """A run of those rows: keys, and ids in the files of their splits (-1: in none)."""
    table = keys_table(sketches, digests=digests)
    for number, rows in enumerate(np.array_split(np.arange(len(table)), cuts)):
        for name, part in [
            ("keys", table.take(pa.array(rows))),
            *((f"curated/{s}", table.take(pa.array(rows[splits[rows] == k]))) for k, s in enumerate(SPLITS)),
        ]:
            (root / name).mkdir(parents=True, exist_ok=True)
            pq.write_table(part, root / name / f"part-{number:05d}.parquet")
    return RunDirectory(root)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.integers(1, 3))
def test_pairs_are_those_of_a_search_through_all(tmp_path_factory: Any, seed: int, cuts: int) -> None:
    sketches = families(seed, 60)
    splits = np.random.default_rng(seed).integers(-1, 3, len(sketches))
    root = tmp_path_factory.mktemp("run")
    said = count_leaks(written(root, sketches, splits, cuts), FUZZY, serial)
    a, b = np.triu_indices(len(sketches), 1)
    across = (splits[a] != splits[b]) & (splits[a] >= 0) & (splits[b] >= 0)
    alike = (sketches[a] == sketches[b]).sum(axis=1)
    # A pair that differs in fewer values than there are bands shares a band.
    sure = VALUES - alike < optimal_bands(FUZZY.threshold, VALUES)[0]
    assert said["equal"] == (across & (alike == VALUES)).sum()
    assert (across & sure & (alike >= 12)).sum() <= said["pairs"] <= (across & (alike >= 12)).sum()
    assert said["rows"] == (splits >= 0).sum()
    assert not (root / "curated/_leakage").exists()


def test_a_bucket_that_is_too_large_is_said(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(leakage, "_COMPARISONS", 10)
    sketches = np.zeros((20, VALUES), np.uint32)
    splits = np.arange(20) % 2
    said = count_leaks(written(tmp_path, sketches, splits, 2), FUZZY, serial)
    assert said["equal"] == 100
    assert said["uncompared"] > 0


@pytest.mark.parametrize("held", [1, 3, 10])
def test_a_bucket_that_is_not_held_at_once_is_said(tmp_path: Path, monkeypatch: Any, held: int) -> None:
    """Twelve alike rows of train and one of test, the last: 12 pairs, some of them compared and the rest counted."""
    monkeypatch.setattr(leakage, "_BYTES", 4 * VALUES * held)
    sketches = np.concatenate([np.zeros((13, VALUES), np.uint32), families(3, 20, kin=0) + 100])
    splits = np.repeat([0, 2, 0], [12, 1, 20])
    digests = np.zeros((33, 2), np.uint64)
    digests[:, 0] = np.arange(33)
    said = count_leaks(written(tmp_path, sketches, splits, 2, digests), FUZZY, serial)
    buckets = optimal_bands(FUZZY.threshold, VALUES)[0]
    assert said["pairs"] == held - 1
    assert said["uncompared"] == buckets * (12 - (held - 1))


def test_a_bucket_of_one_split_but_for_a_row_costs_a_step_a_row(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(leakage, "_PAIRS", 1000)
    count = 200_000  # 20 thousand million pairs
    sketches = np.zeros((count, VALUES), np.uint32)
    digests = np.zeros((count, 2), np.uint64)
    digests[:, 0] = np.arange(count)
    splits = np.zeros(count, np.int64)
    splits[-1] = 2
    start = time.perf_counter()
    said = count_leaks(written(tmp_path, sketches, splits, 2, digests), FUZZY, serial)
    assert (said["pairs"], said["uncompared"]) == (1000, 0)
    assert time.perf_counter() - start < 20


def test_without_sketches_equal_rows_are_counted(tmp_path: Path) -> None:
    sketches = families(1, 30)
    digests = np.zeros((30, 2), np.uint64)
    digests[:, 0] = np.arange(30) // 3
    said = count_leaks(written(tmp_path, sketches, np.arange(30) % 3, 2, digests), None, serial)
    assert (said["equal"], said["pairs"], said["threshold"]) == (30, 0, None)


def test_sketches_without_the_shared_text_are_those_compared(run_curation: Callable[..., Curated]) -> None:
    """Pass one makes none then, and a figure of nothing would always be 0."""
    rows = [{"text": prose(seed // 2) if seed % 2 else edited(prose(seed // 2), seed)} for seed in range(40)]
    fuzzy = {"ignore_shared": 0.5}
    done = run_curation(rows, curate={"dedup": {"fuzzy": fuzzy}, "rules": {"preset": "none"}})
    run = RunDirectory(done.root)
    assert done.manifest["summary"]["leakage"]["pairs"] == 0
    paths = [done.root / f"curated/{split}/part-00000.parquet" for split in SPLITS]
    everything = pq.read_table(next((done.root / "documents").glob("part-*.parquet"))).select(["id"])
    for number, path in enumerate(paths):  # all rows, near duplicates too, dealt out by their place
        chosen = pa.array(np.arange(len(everything)) % len(SPLITS) == number)
        pq.write_table(everything.filter(chosen), path)
    assert count_leaks(run, Fuzzy(ignore_shared=0.5), serial)["pairs"] > 10


def test_a_broken_split_is_seen(run_curation: Callable[..., Curated]) -> None:
    chain = [prose(500, words=60)]
    for seed in range(40):
        chain.append(edited(chain[-1], seed, edits=2))
    rows = [{"text": text} for text in chain] + [{"text": prose(seed)} for seed in range(60)]
    halves = {"split": {"train": 0.5, "validation": 0.25, "test": 0.25}, "rules": {"preset": "none"}}
    right = run_curation(rows, name="right", file="data", curate=halves)
    found = right.manifest["summary"]["leakage"]
    assert (found["pairs"], found["equal"], found["uncompared"]) == (0, 0, 0)
    assert found["rows"] == len(right.kept)
    assert any("across splits: 0 near-duplicate pairs" in line for line in summary_lines(RunDirectory(right.root)))
    # The same rows, kept although they are near duplicates, and moved to the split that their place names.
    loose = {**halves, "dedup": {"fuzzy": None}}
    broken = run_curation(rows, name="broken", file="data", curate=loose)
    root = broken.root.with_name("planted")
    shutil.copytree(broken.root, root)
    shutil.rmtree(root / "keys")
    shutil.copytree(right.root / "keys", root / "keys")
    table = pa.concat_tables([pq.read_table(root / f"curated/{split}/part-00000.parquet") for split in SPLITS])
    table = table.sort_by("id")
    for number, split in enumerate(SPLITS):
        chosen = pa.array(np.arange(len(table)) % 3 == number)
        pq.write_table(table.filter(chosen), root / f"curated/{split}/part-00000.parquet")
    said = count_leaks(RunDirectory(root), Fuzzy(), serial)
    assert said["pairs"] > 10
    assert len(said["examples"]) == 5
    assert json.dumps(said)
