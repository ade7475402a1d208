"""On devices: key tables as cuDF frames on GPU workers decide what the CPU decides."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pipeline.cluster import dask_client, run_parts
from pipeline.config import Cluster, Dedup
from pipeline.curate.dedup.components import union_find
from pipeline.curate.dedup.decide import decide
from pipeline.curate.dedup.hooking import hooked
from pipeline.curate.dedup.key_tables import Frames
from pipeline.curate.dedup.starring import starred
from pipeline.curate.dedup.stars import stars
from pipeline.engines import cpu, cuda
from tests.curate.planted import DEDUP, as_parts, by_id, families, keys_table, serial

pytestmark = pytest.mark.usefixtures("whole_stack")


@pytest.mark.parametrize("entries", [3000, 1 << 26])
def test_decisions_are_those_of_the_cpu(tmp_path: Path, entries: int) -> None:
    sketches = families(7, 4000)
    sketches[1000:1400] = sketches[999]  # a bucket of rows with one sketch
    table = keys_table(sketches)
    parts, dedup = as_parts(table, tmp_path / "keys", [0, 700, 700, 2500]), Dedup.model_validate(DEDUP)
    here = decide(parts, dedup, tmp_path / "here", serial)
    with dask_client(Cluster(kind="cuda", pool=0.3), gpus=True) as client:
        frames = Frames("cudf", lambda: client, entries=entries)
        there = decide(parts, dedup, tmp_path / "there", partial(run_parts, client, stage="duplicates"), frames=frames)
    assert by_id(table, there) == by_id(table, here)


def test_buckets_compared_on_a_device_have_the_edges_of_the_cpu() -> None:
    random = np.random.default_rng(4)
    sketches, sizes = families(4, 3000, alphabet=8), np.array([0, 1, 2, 2000, 2, 3, *[3] * 900, 500])
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    ranks = np.concatenate([np.sort(random.permutation(3000)[:size]) for size in sizes])
    arguments = bounds, ranks, random.integers(0, 3000, bounds[-1]), sketches, np.array([12, 8, 10, 50]), 64
    for here, there in zip(cpu.compare_buckets(*arguments), cuda.compare_buckets(*arguments), strict=True):
        assert np.array_equal(here, there)


@pytest.mark.parametrize("links", [0, 40, 500])
def test_survivors_chosen_on_a_device_are_those_of_the_cpu(tmp_path: Path, links: int) -> None:
    pairs = np.random.default_rng(links).integers(0, 3000, (6000, 2))
    pairs = np.concatenate([pairs, np.column_stack([np.arange(links), np.arange(links) + 1])])
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    edges = np.stack([pairs[:, 1], pairs[:, 0], 8 + pairs.sum(axis=1) % 9])
    np.save(tmp_path / "edges.npy", edges[:, np.lexsort((edges[1], edges[0]))])
    expected = stars([tmp_path / "edges.npy"], 3000, 11, fixed=30)
    found = starred([tmp_path / "edges.npy"], 3000, 11, tmp_path / "stars.npy", serial, "cudf", fixed=30)
    for name in ("survivor", "equal", "orphan"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    assert found.found == expected.found


def test_labels_hooked_on_a_device_are_the_clusters_of_a_union_find(tmp_path: Path) -> None:
    for count, share in ((1, 0.0), (3000, 0.4), (3000, 1.2)):
        ends = np.random.default_rng(count).integers(0, count, (2, int(share * count)))
        ends = np.sort(ends[:, ends[0] != ends[1]], axis=0)[::-1]
        edges = tmp_path / f"edges-{count}-{share}.npy"
        np.save(edges, ends)
        folder = tmp_path / edges.stem
        assert (hooked([edges], count, folder, serial, "cudf") == union_find([edges], count)).all()
