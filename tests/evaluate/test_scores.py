"""Properties: means do not depend on the order of rows; intervals hold what they promise; pairs are joined by id."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluate.scores import LOSSES, SCORES, interval, mean, of_losses, pairs


def test_losses_are_the_field_s_formulas() -> None:
    table = pa.table({"id": ["a"], "nll": [20 * math.log(2)], "targets": [10], "bytes": [40]}, schema=LOSSES)
    measures = {name: mean(scores) for name, scores in of_losses(table).items()}
    assert measures == pytest.approx({"loss": 2 * math.log(2), "bits_per_byte": 0.5})
    empty = of_losses(LOSSES.empty_table())
    assert [mean(scores) for scores in empty.values()] == [None, None]
    assert [interval(scores) for scores in empty.values()] == [None, None]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 60))
def test_a_mean_does_not_depend_on_the_order(seed: int, rows: int) -> None:
    scores = np.random.default_rng(seed).uniform(0.1, 9, (rows, 2))
    assert mean(scores) == mean(scores[::-1])


@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
def test_the_interval_of_a_share_holds_it_in_95_of_100_cases(share: float) -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        low, high = interval(np.stack([rng.random(40) < share, np.ones(40)], axis=1).astype(float)) or (1, 0)
        inside += low - 1e-12 <= share <= high + 1e-12
    assert inside >= 400 * 0.92
    assert (interval(np.array([[0.0, 1.0]] * 16)) or (1, 0))[1] > 0.1  # 0 of 16 is not surely 0


def test_a_loss_below_one_is_no_share() -> None:
    """Rows of one target each, all close to 0.5 nats: as a share it would be known to a fifth only."""
    losses = np.stack([0.5 + 0.01 * np.random.default_rng(0).normal(size=100), np.ones(100)], axis=1)
    low, high = interval(losses, ratio=True) or (0, 1)
    assert low < 0.5 < high
    assert high - low < 0.01


def test_the_interval_of_a_ratio_holds_it_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(400):
        weight = rng.integers(5, 200, 80).astype(float)
        low, high = interval(np.stack([weight * rng.normal(3, 1, 80), weight], axis=1)) or (1, 0)
        inside += low <= 3 <= high
    assert 400 * 0.92 <= inside <= 400 * 0.98


def test_pairs_are_joined_by_id_and_parts_are_sources_or_kinds(tmp_path: Path) -> None:
    def line(contender: str, number: int, source: str, kind: str) -> dict[str, object]:
        value = number + 100 * (contender == "champion")
        names = {"split": "test", "contender": contender, "metric": "loss", "source": source, "kind": kind}
        return {**names, "id": f"{source}/f#{number:03d}", "value": float(value), "weight": 1.0}

    lines = [line("after", n, "notes" if n % 2 else "code", "text") for n in range(20)]
    theirs = [line("champion", n, "notes" if n % 2 else "code", "text") for n in reversed(range(5, 25))]
    path = tmp_path / "scores.parquet"
    pq.write_table(pa.Table.from_pylist(lines + theirs).cast(SCORES), path)
    ours, others = pairs(path, "loss")
    assert len(ours) == 15  # 5 … 19
    assert (others[:, 0] - ours[:, 0] == 100).all()
    assert len(pairs(path, "loss@notes")[0]) == 8
    assert len(pairs(path, "loss@text")[0]) == 15
    assert len(pairs(path, "loss@pair")[0]) == len(pairs(path, "f1")[0]) == 0
