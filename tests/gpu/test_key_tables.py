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


def test_labels_hooked_on_a_device_are_the_clusters_of_a_union_find(tmp_path: Path) -> None:
    for count, share in ((1, 0.0), (3000, 0.4), (3000, 1.2)):
        ends = np.random.default_rng(count).integers(0, count, (2, int(share * count)))
        ends = np.sort(ends[:, ends[0] != ends[1]], axis=0)[::-1]
        edges = tmp_path / f"edges-{count}-{share}.npy"
        np.save(edges, ends)
        folder = tmp_path / edges.stem
        assert (hooked([edges], count, folder, serial, "cudf") == union_find([edges], count)).all()
