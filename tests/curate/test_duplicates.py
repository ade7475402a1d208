"""What is decided is what a search through all pairs decides, however rows are parted, ordered and keyed."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Dedup
from pipeline.curate.dedup import breaker, collisions
from pipeline.curate.dedup.collisions import sketches_of
from pipeline.curate.dedup.decide import decide
from pipeline.errors import InputError
from pipeline.text.sketch import EMPTY
from tests.curate.planted import DEDUP, VALUES, as_parts, by_id, decided, families, keys_table, serial


def _by_search(table: pa.Table) -> dict[str, str]:
    """Row id → survivor's id, by comparing every row with every better one that agrees with it in a band."""
    rows = table.to_pylist()
    rows.sort(key=lambda row: (-row["priority"], -row["length"], row["id"]))
    sketches = np.array([np.frombuffer(row["sketch"], "<u4") for row in rows])
    survivor: dict[str, str] = {}
    first_of: dict[bytes, int] = {}
    for place, row in enumerate(rows):
        first = first_of.setdefault(sketches[place].tobytes(), place)
        if first != place:
            survivor[row["id"]] = survivor[rows[first]["id"]]
            continue
        best = (0, 0)
        for other in range(place):
            if survivor[rows[other]["id"]] != rows[other]["id"]:
                continue
            same = sketches[place] == sketches[other]
            if same.reshape(4, 4).all(axis=1).any() and same.sum() >= 12:
                best = max(best, (int(same.sum()), -other))
        survivor[row["id"]] = rows[-best[1]]["id"] if best[0] else row["id"]
    return survivor


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), rows=st.integers(1, 80), alphabet=st.sampled_from([2, 4, 50]))
def test_survivors_are_those_of_a_search_through_all_pairs(seed: int, rows: int, alphabet: int) -> None:
    table = keys_table(families(seed, rows, alphabet=alphabet), seed=seed)
    expected = _by_search(table)
    with tempfile.TemporaryDirectory() as folder:
        found = decided(table, Path(folder))
    kept = {name for name, (survivor, *_) in found.items() if survivor == name}
    assert kept == {name for name, survivor in expected.items() if survivor == name}
    sketches = dict(zip(table["id"].to_pylist(), sketches_of(table["sketch"], VALUES), strict=True))
    for name, (survivor, similarity, exact, root) in found.items():
        assert survivor in kept, "a survivor survives"
        assert root == found[survivor][3], "a star lies in one cluster"
        if survivor != name:
            assert similarity == (sketches[name] == sketches[survivor]).mean() >= 0.75
            assert exact == (similarity == 1)


@settings(max_examples=10, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**32), rows=st.integers(2, 60))
def test_parts_and_the_order_of_rows_change_nothing(data: st.DataObject, seed: int, rows: int) -> None:
    table = keys_table(families(seed, rows), seed=seed)
    shuffled = table.take(pa.array(np.random.default_rng(seed).permutation(rows)))
    cuts = data.draw(st.lists(st.integers(0, rows), max_size=5))
    with tempfile.TemporaryDirectory() as folder:
        one = decided(table, Path(folder) / "one")
        other = decided(shuffled, Path(folder) / "other", cuts=cuts)
    assert one == other


def test_shares_of_a_table_change_nothing(tmp_path: Path) -> None:
    table = keys_table(families(3, 300))
    parts = as_parts(table, tmp_path / "keys", [100])
    scheme = collisions.Scheme(exact=True, values=VALUES, bands=4, rows=4)

    def groups(name: str, entries: int) -> dict[str, set[tuple[int, ...]]]:
        files = collisions.collisions(parts, scheme, tmp_path / name, serial, entries=entries)
        found: dict[str, set[tuple[int, ...]]] = {}
        for table, paths in files.items():
            found[table] = set()
            for path in paths:
                group, row = np.load(path)
                found[table] |= {tuple(row[group == number].tolist()) for number in np.unique(group)}
        return found

    whole, many = groups("whole", 1 << 20), groups("many", 20)
    assert sum(map(len, whole.values())) > 100
    assert whole == many
    assert len(list((tmp_path / "many/groups").glob("digest-*.npy"))) == 15


def test_rows_without_a_shingle_are_alike_in_nothing(tmp_path: Path) -> None:
    sketches = np.full((6, VALUES), EMPTY)
    digests = np.arange(12, dtype=np.uint64).reshape(6, 2)
    digests[5] = digests[4]
    table = keys_table(sketches, digests=digests)
    table = table.set_column(4, "sketch", pa.array([None, *table["sketch"].to_pylist()[1:]], table["sketch"].type))
    found = decided(table, tmp_path)
    removed = {name: row for name, row in found.items() if row[0] != name}
    assert len(removed) == 1, "only the exact copy goes"
    assert next(iter(removed.values()))[2], "as a copy"


@pytest.mark.parametrize("change", [{"exact": False}, {"fuzzy": None}, {"exact": False, "fuzzy": None}])
def test_steps_can_be_switched_off(tmp_path: Path, change: dict[str, Any]) -> None:
    sketches = families(1, 3, kin=0)
    sketches[1] = sketches[0]
    sketches[2] = sketches[0]
    sketches[2, :2] += 1000
    removed = {
        name: row[2] for name, row in decided(keys_table(sketches), tmp_path, **change).items() if row[0] != name
    }
    assert (
        sorted(removed.values())
        == {
            "exact": [False, False],
            "fuzzy": [True],
            "exact fuzzy": [],
        }[" ".join(change)]
    )


def test_nothing_in(tmp_path: Path) -> None:
    assert decided(keys_table(np.zeros((0, VALUES), np.uint32)), tmp_path) == {}
    assert decide([], Dedup.model_validate(DEDUP), tmp_path / "none", serial).removed.tolist() == []


def test_an_id_given_twice_is_an_error(tmp_path: Path) -> None:
    table = keys_table(families(0, 4, kin=0))
    table = table.set_column(0, "id", pa.array(["-1", "b" * 70_000, "-1", "c"]))
    with pytest.raises(InputError, match=r"1 ids are given to more than one row, '-1' among them"):
        decided(table, tmp_path, cuts=[1])


def test_ids_may_be_anything(tmp_path: Path) -> None:
    sketches = families(0, 4, kin=0)
    sketches[:] = sketches[0]
    table = keys_table(sketches).set_column(0, "id", pa.array(["-2", "-10", "é" * 70_000, ""]))
    table = table.set_column(1, "priority", pa.array([0] * 4, pa.int32()))
    table = table.set_column(2, "length", pa.array([3] * 4, pa.int64()))
    assert {row[0] for row in decided(table, tmp_path).values()} == {""}


def test_the_order_is_the_declared_one(tmp_path: Path) -> None:
    sketches = np.tile(families(0, 1), (4, 1))
    table = keys_table(sketches)
    table = table.set_column(1, "priority", pa.array([0, 0, 0, 1], pa.int32()))
    table = table.set_column(2, "length", pa.array([5, 9, 9, 1], pa.int64()))
    documents = tmp_path / "documents"
    documents.mkdir()
    scores = [0.5, float("nan"), 0.25, 0.75]
    pa.parquet.write_table(pa.table({"url_share": scores}), documents / "part-00000.parquet")

    def kept(*order: Any) -> str:
        dedup = Dedup.model_validate({**DEDUP, "order": [*order, "id"]})
        work = tmp_path / f"work-{len(list(tmp_path.iterdir()))}"
        parts = [replace(part, documents=documents / part.path.name) for part in as_parts(table, tmp_path / "keys")]
        found = by_id(table, decide(parts, dedup, work, serial))
        return next(iter({row[0] for row in found.values()}))[-1]

    assert kept("priority", "length") == "3"
    assert kept("length", "priority") == "1"
    assert kept() == "0"
    assert kept({"signal": "url_share"}) == "3"
    assert kept({"signal": "url_share", "largest": False}) == "2"
    with pytest.raises(InputError, match="no signal 'digit_share'"):
        kept({"signal": "digit_share"})


def test_an_order_that_is_not_total_is_refused() -> None:
    for order in (["length"], ["id", "length"], ["length", "length", "id"], [{"signal": "nothing"}, "id"]):
        with pytest.raises(ValueError, match=r"last|signal"):
            Dedup.model_validate({"order": order})


def test_the_breaker_names_the_cluster_and_what_to_set(tmp_path: Path) -> None:
    sketches = families(0, 30, kin=0)
    for row in range(20):
        sketches[row, :13] = sketches[0, :13]
    table = keys_table(sketches)
    dedup = Dedup.model_validate(DEDUP)
    decisions = decide(as_parts(table, tmp_path / "keys"), dedup, tmp_path / "work", serial)
    load = breaker.load_of(decisions, 30)
    breaker.check(load, dedup)
    kept = {row[0] for name, row in by_id(table, decisions).items() if row[0] != name}
    assert len(kept) == 1
    with pytest.raises(InputError, match=rf"19 of 30 rows(.|\n)*20 rows, of which {kept.pop()} is kept") as raised:
        breaker.check(load, Dedup.model_validate({"fuzzy": {**DEDUP["fuzzy"], "max_removed": 0.5}}))
    assert "max_removed" in raised.value.mend
    with pytest.raises(InputError, match=r"has 20 different rows") as raised:
        breaker.check(load, Dedup.model_validate({"fuzzy": {**DEDUP["fuzzy"], "max_cluster": 19}}))
    assert "max_cluster" in raised.value.mend


def test_copies_do_not_trip_the_breaker(tmp_path: Path) -> None:
    table = keys_table(np.tile(families(0, 1), (50, 1)))
    dedup = Dedup.model_validate({"fuzzy": {**DEDUP["fuzzy"], "max_cluster": 1, "max_removed": 0.01}})
    decisions = decide(as_parts(table, tmp_path / "keys"), dedup, tmp_path / "work", serial)
    assert decisions.exact.sum() == 49
    breaker.check(breaker.load_of(decisions, 50), dedup)


def test_random_rows_of_one_cut(tmp_path: Path) -> None:
    """The cases above at a size at which buckets fill up and rounds are needed."""
    draw = random.Random(5)
    table = keys_table(families(draw.randrange(2**32), 700, alphabet=4), seed=5)
    found = decided(table, tmp_path, cuts=[500, 501])
    expected = _by_search(table)
    assert {name for name, row in found.items() if row[0] == name} == {a for a, b in expected.items() if a == b}
