"""Key tables as data frames: pandas on a real Dask cluster runs what cuDF runs on GPU workers, and decides the same."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from distributed import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cluster import run_parts
from pipeline.config import Dedup, Recipe
from pipeline.curate import duplicates
from pipeline.curate.dedup import collisions, key_tables
from pipeline.curate.dedup.collisions import sketches_of
from pipeline.curate.dedup.decide import Decisions, decide
from pipeline.curate.dedup.key_tables import Frames, frames_for, shuffled_collisions
from tests.curate.conftest import MODEL, Curated
from tests.curate.planted import DEDUP, VALUES, as_parts, by_id, families, keys_table, serial

SCHEME = collisions.Scheme(exact=True, values=VALUES, bands=4, rows=4)


@pytest.fixture(scope="module")
def client(scheduler: str) -> Iterator[Client]:
    with Client(scheduler) as client:
        yield client


def _decided(parts: list[collisions.Part], folder: Path, client: Client, frames: Frames) -> Decisions:
    run = partial(run_parts, client, stage="duplicates")
    with pytest.MonkeyPatch.context() as patch:  # the CPU's own way is not taken
        patch.setattr("pipeline.curate.dedup.decide.collisions", None)
        patch.setattr("pipeline.curate.dedup.decide.components", None)
        patch.setattr("pipeline.curate.dedup.decide.stars", None)
        return decide(parts, Dedup.model_validate(DEDUP), folder, run, frames=frames)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(1, 120),
    alphabet=st.sampled_from([2, 50]),
    same=st.integers(0, 60),
    entries=st.sampled_from([300, 10**6]),
    data=st.data(),
)
def test_decisions_are_those_of_the_cpu(
    client: Client, seed: int, rows: int, alphabet: int, same: int, entries: int, data: st.DataObject
) -> None:
    sketches = families(seed, rows, alphabet=alphabet, kin=0.8)
    template = np.arange(VALUES, dtype=np.uint32)
    # A bucket of rows with one sketch, and rows that share half of it.
    sketches = np.concatenate([sketches, np.tile(template, (same, 1)), np.tile(template, (9, 1))])
    sketches[-9:, VALUES // 2 :] = np.random.default_rng(seed).integers(100, 10**6, (9, VALUES // 2))
    table = keys_table(sketches, seed=seed)
    cuts = data.draw(st.lists(st.integers(0, len(table)), max_size=4))
    with tempfile.TemporaryDirectory() as folder:
        parts = as_parts(table, Path(folder) / "keys", cuts)
        here = decide(parts, Dedup.model_validate(DEDUP), Path(folder) / "here", serial)
        frames = Frames("pandas", lambda: client, entries=entries)
        there = _decided(parts, Path(folder) / "there", client, frames)
    assert by_id(table, there) == by_id(table, here)
    assert (there.candidates.cluster == here.candidates.cluster).all()
    reached = sketches_of(table["sketch"], VALUES)[there.candidates.rows]
    for row in np.flatnonzero(there.removed):  # of a chain too only what is like its survivor goes
        assert (reached[row] == reached[there.survivor[row]]).mean() == there.similarity[row] >= 0.75


def _groups(files: dict[str, list[Path]]) -> dict[str, set[tuple[int, ...]]]:
    found: dict[str, set[tuple[int, ...]]] = {kind: set() for kind in files}
    for kind, path in ((kind, path) for kind, paths in files.items() for path in paths):
        group, row = np.load(path)
        assert (np.diff(group) >= 0).all()
        for _, members in itertools.groupby(zip(group.tolist(), row.tolist(), strict=True), key=lambda pair: pair[0]):
            rows = tuple(row for _, row in members)
            assert rows == tuple(sorted(rows))
            found[kind].add(rows)
    return found


@pytest.mark.parametrize(("entries", "most"), [(150, 2**31 - 1), (10**6, 700), (200, 1)])
def test_partitions_and_shuffles_change_nothing(tmp_path: Path, client: Client, entries: int, most: int) -> None:
    parts = as_parts(keys_table(families(3, 300)), tmp_path / "keys", [0, 10, 10, 200])
    frames = Frames("pandas", lambda: client, entries=entries, most=most)
    found = shuffled_collisions(parts, SCHEME, tmp_path / "shuffled", frames)
    expected = _groups(collisions.collisions(parts, SCHEME, tmp_path / "files", serial))
    assert _groups(found) == expected
    assert sum(map(len, expected.values())) > 100
    written = sorted((tmp_path / "shuffled").glob("shuffled/*.npy"))
    assert len(written) > 2 * len(collisions.KINDS) - 1
    # What is there is not shuffled again.
    before = [path.stat().st_ino for path in written]
    assert shuffled_collisions(parts, SCHEME, tmp_path / "shuffled", frames) == found
    assert [path.stat().st_ino for path in written] == before


def test_nothing_to_shuffle(tmp_path: Path, client: Client) -> None:
    frames = Frames("pandas", lambda: client)
    found = shuffled_collisions([], SCHEME, tmp_path, frames)
    assert found == {kind: [] for kind in collisions.KINDS}
    parts = as_parts(keys_table(families(3, 3)).slice(0, 0), tmp_path / "keys")
    assert found == shuffled_collisions(parts, SCHEME, tmp_path, frames)
    assert not Frames("cudf", lambda: client).hold(2**31)


def test_a_run_keeps_the_same_rows_and_writes_the_same_ledger(
    run_curation: Callable[..., Curated], monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(5)
    words = np.array([f"word{number}" for number in range(400)])
    texts = [" ".join(random.choice(words, 60)) for _ in range(40)]
    texts += [text.replace(text.split()[4], "other", 1) for text in texts[:20]] + texts[5:12]
    rows = [{"text": text} for text in texts]
    changes = {"curate": {"rules": {"preset": "none"}, "dedup": {"fuzzy": {"max_removed": 1.0}}}, "device": "cpu"}
    here = run_curation(rows, name="here", file="rows", **changes)
    used: list[Frames] = []

    def pandas_frames(_: Recipe, client: Callable[[], Client]) -> Frames:
        used.append(Frames("pandas", client, entries=100))
        return used[0]

    monkeypatch.setattr(duplicates, "frames_for", pandas_frames)
    there = run_curation(rows, name="there", file="rows", **changes)
    assert used
    assert here.bytes().keys() == there.bytes().keys()
    tables = [name for name in here.bytes() if name.endswith(".parquet")]
    assert [name for name in tables if here.bytes()[name] != there.bytes()[name]] == []
    assert {row["stage"] for row in here.ledger.to_pylist()} == {"exact", "fuzzy"}


def test_workers_of_a_joined_cluster_are_asked_what_they_curate_on(client: Client, scheduler: str) -> None:
    recipe = Recipe.model_validate(
        {
            "run": "runs/none",
            "cluster": {"address": scheduler},
            "sources": [{"name": "s", "kind": "text", "format": "text", "path": "s.jsonl"}],
            "train": {"model": {"config": MODEL}},
        }
    )
    assert frames_for(recipe.model_copy(update={"device": "cpu"}), lambda: pytest.fail("nobody need be asked")) is None
    answers = set(client.run(key_tables.device_of, "auto").values())
    found = frames_for(recipe, lambda: client)
    assert (found is not None and found.module == "cudf") == (answers == {"cuda"})
