"""Nothing is quadratic: buckets of any size cost a bounded number of comparisons a row."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.config import Dedup
from pipeline.curate.dedup import collisions
from pipeline.curate.dedup.decide import Decisions, decide
from tests.curate.planted import as_parts, by_id, families, keys_table, serial

MILLION = 1_000_000
FUZZY = {"sketch": 16, "threshold": 0.75, "bands": {"count": 4, "rows": 4}}


def _unlike(count: int, values: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 2**32 - 1, (count, values), dtype=np.uint32)


def _decide(
    sketches: np.ndarray, folder: Path, fuzzy: dict[str, Any] = FUZZY, **options: Any
) -> tuple[Decisions, float]:
    parts = as_parts(keys_table(sketches), folder / "keys", [len(sketches) // 2])
    dedup = Dedup.model_validate({"exact": False, "fuzzy": fuzzy})
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


@pytest.mark.parametrize("apart", [[5], [5, 9, 13]], ids=["other bands", "none but the full one"])
def test_pairs_of_a_full_bucket_are_found(apart: list[int], tmp_path: Path) -> None:
    """All rows share one band; each has a near copy that shares some of the other three bands, or none of them."""
    rows = _unlike(2000)
    rows[:, :4] = 7
    copies = rows.copy()
    copies[:, apart] += 1  # 13 of 16 values or more
    few, _ = _decide(np.concatenate([rows, copies]), tmp_path, centres=8)
    assert few.removed.sum() == 2000


def test_a_full_bucket_loses_one_pair_in_a_hundred_at_most(tmp_path: Path) -> None:
    """Families of five, in chains, of which no two rows share a band but the one that all rows share."""
    random = np.random.default_rng(3)
    rows = np.repeat(_unlike(200, 128), 5, axis=0)
    for row in range(len(rows)):
        if row % 5:
            rows[row] = rows[row - random.integers(1, row % 5 + 1)]
            places = [random.integers(low, low + 6) for low in range(6, 126, 6)]  # 108 of 128 values stay
            rows[row, places] = random.integers(0, 2**32 - 1, len(places))
    rows[:, :6] = 7
    rows = rows[random.permutation(len(rows))]
    table = keys_table(rows)
    fuzzy = {"sketch": 128, "threshold": 0.8, "bands": {"count": 21, "rows": 6}}
    whole, full = (by_id(table, _decide(rows, tmp_path / str(width), fuzzy, centres=width)[0]) for width in (4000, 16))
    removed = {name for name, (survivor, *_) in whole.items() if survivor != name}
    assert len(removed) > 300
    assert sum(full[name][0] == name for name in removed) <= len(removed) // 100


def test_a_full_bucket_is_the_same_however_it_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = families(4, 900, alphabet=10)
    rows[:, :4] = 7
    one, _ = _decide(rows, tmp_path / "one", centres=5)
    monkeypatch.setattr("pipeline.curate.dedup.comparisons._BYTES", 64 * 37)
    other, _ = _decide(rows, tmp_path / "other", centres=5)
    table = keys_table(rows)
    assert by_id(table, one) == by_id(table, other)
    assert 0 < one.removed.sum() < 900


@pytest.mark.parametrize("cuts", [[], [1, 40, 41, 700], list(range(100, 900, 100))], ids=["one", "uneven", "nine"])
def test_a_full_bucket_is_the_same_in_any_parts_and_order_of_rows(
    cuts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the groups of rows that share a key lie in many files."""
    rows = families(4, 900, alphabet=10)
    rows[:, :4] = 7
    table = keys_table(rows)
    dedup = Dedup.model_validate({"exact": False, "fuzzy": FUZZY})
    one = decide(as_parts(table, tmp_path / "one", []), dedup, tmp_path / "one", serial, centres=5, few=0)
    shuffled = table.take(pa.array(np.random.default_rng(len(cuts)).permutation(900)))
    monkeypatch.setattr(collisions.collisions, "__kwdefaults__", {"entries": 300})
    parts = as_parts(shuffled, tmp_path / "other", cuts)
    other = decide(parts, dedup, tmp_path / "other", serial, centres=5, few=0)
    assert len(list((tmp_path / "other/groups").iterdir())) > len(list((tmp_path / "one/groups").iterdir()))
    assert by_id(table, other) == by_id(table, one)
    assert 0 < one.removed.sum() < 900
