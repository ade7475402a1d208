"""Properties: what is read from the bins is what packing wrote into its manifest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.pack.bins import Bins
from pipeline.report.packing import read_packing
from pipeline.run import Manifest, RunDirectory
from pipeline.schema import SPLITS
from tests.evaluate.runs import make_run, pair, sums
from tests.report.conftest import Made


def test_the_bins_hold_what_the_manifest_says(whole: Made) -> None:
    run, _ = whole
    measured, manifest = read_packing(run), Manifest.read(run.path("packed"))
    assert measured is not None
    assert manifest is not None
    for split in SPLITS:
        one, said = measured[split], manifest.summary["splits"][split]
        assert (one.bins, one.examples, one.tokens, one.targets, one.truncated) == (
            *(said["bins"], said["rows"], said["tokens"], said["targets"], said["truncated"]["rows"]),
        )
        assert one.efficiency == pytest.approx(said["efficiency"])


def test_lengths_are_those_of_the_examples_one_by_one(tmp_path: Path) -> None:
    rows = {"train": [*sums(0, 24), pair(99, "Go on.", "word " * 300)], "validation": [], "test": sums(200, 3)}
    run, recipe = make_run(tmp_path / "run", rows)
    measured = read_packing(run)
    assert measured is not None
    length = recipe.pack.seq_length
    for split in SPLITS:
        bins = Bins.open(run.path(f"packed/{split}"))
        lengths = [
            int(n)
            for number in range(len(bins))
            for n in np.diff([*bins.get(number).starts, len(bins.get(number).tokens)])
        ]
        buckets = np.histogram(lengths, bins=np.arange(33) * length / 32 + 0.5)[0]
        assert measured[split].lengths.tolist() == buckets.tolist()
        assert measured[split].lengths.sum() == len(rows[split])
    assert measured["train"].lengths[-1] >= 1  # the row that was cut fills a bin
    assert measured["train"].truncated == 1
    assert measured["validation"].bins == 0
    assert measured["validation"].efficiency == 0.0


def test_before_packing_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert read_packing(RunDirectory(tmp_path)) is None
