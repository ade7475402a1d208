"""Nothing is quadratic: buckets of any size cost a bounded number of comparisons a row."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Dedup
from pipeline.curate.dedup.decide import Decisions, decide
from tests.curate.planted import as_parts, by_id, families, keys_table, serial

MILLION = 1_000_000
FUZZY = {"sketch": 16, "threshold": 0.75, "bands": {"count": 4, "rows": 4}}


def _unlike(count: int, values: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**32 - 1, (count, values), dtype=np.uint32)


def _decide(sketches: np.ndarray, folder: Path, **options: Any) -> tuple[Decisions, float]:
    parts = as_parts(keys_table(sketches), folder / "keys", [len(sketches) // 2])
    dedup = Dedup.model_validate({"exact": False, "fuzzy": FUZZY})
    began = time.process_time()
    done = decide(parts, dedup, folder / "work", serial, **options)
    return done, time.process_time() - began


@pytest.fixture(autouse=True)
def compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Machine code is loaded before the clock runs."""
    _decide(families(0, 50), tmp_path_factory.mktemp("first"))


@pytest.mark.parametrize(
    ("make", "kept"),
    [
        (lambda rows: np.zeros_like(rows) + rows[0], 1),
        (lambda rows: np.concatenate([np.zeros_like(rows[:, :4]), rows[:, 4:]], axis=1), MILLION),
        (lambda rows: np.concatenate([np.zeros_like(rows[:, :13]), rows[:, 13:]], axis=1), 1),
    ],
    ids=["identical", "unlike", "alike"],
)
def test_a_bucket_of_a_million_takes_seconds(
    make: Callable[[np.ndarray], np.ndarray], kept: int, tmp_path: Path
) -> None:
    done, seconds = _decide(make(_unlike(MILLION)), tmp_path)
    assert MILLION - int(done.removed.sum()) == kept
    assert seconds < 60, "a comparison of all pairs would take hours"


@pytest.mark.parametrize("apart", [[5], [5, 9, 13]], ids=["other buckets", "none but the full one"])
def test_a_full_bucket_loses_no_pair(apart: list[int], tmp_path: Path) -> None:
    """All rows share one band; each has a near copy that shares some of the other three bands, or none of them."""
    rows = _unlike(2000)
    rows[:, :4] = 7
    copies = rows.copy()
    copies[:, apart] += 1  # 13 of 16 values or more
    few, _ = _decide(np.concatenate([rows, copies]), tmp_path, centres=8)
    assert few.removed.sum() == 2000


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32), at_once=st.sampled_from([1, 40, 10_000]))
def test_a_full_bucket_decides_as_one_that_has_room(seed: int, at_once: int) -> None:
    """Families of five, in chains, of which no two rows share a band but the one that all rows share."""
    random = np.random.default_rng(seed)
    rows = np.repeat(random.integers(0, 2**32 - 1, (60, 16), dtype=np.uint32), 5, axis=0)
    for row in range(len(rows)):
        if row % 5 and random.random() < 0.9:
            rows[row] = rows[row - random.integers(1, row % 5 + 1)]
            rows[row, [random.integers(low, low + 4) for low in (4, 8, 12)]] = random.integers(0, 2**32 - 1, 3)
    rows[:, :4] = 7
    rows = rows[random.permutation(len(rows))]
    table = keys_table(rows)
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        whole, _ = _decide(rows, Path(name) / "whole", centres=4000)
        patch.setattr("pipeline.curate.dedup.comparisons._BYTES", 64 * at_once)
        full, _ = _decide(rows, Path(name) / "full", centres=8)
    assert by_id(table, full) == by_id(table, whole)
    assert 100 < whole.removed.sum() < 240


def test_a_full_bucket_is_the_same_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = families(4, 900, alphabet=10)
    rows[:, :4] = 7
    one, _ = _decide(rows, tmp_path / "one", centres=5)
    monkeypatch.setattr("pipeline.curate.dedup.comparisons._BYTES", 64 * 37)
    other, _ = _decide(rows, tmp_path / "other", centres=5)
    table = keys_table(rows)
    assert by_id(table, one) == by_id(table, other)
    assert 0 < one.removed.sum() < 900
