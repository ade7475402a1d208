"""Scores row by row: what means, intervals and the gate are computed from.

A measure of some rows is Σ value ÷ Σ weight: of the loss, nats and target tokens; of a score in [0, 1], the score and
1.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["ANSWERS", "LOSSES", "SCORES", "interval", "mean", "of_losses", "pairs", "values"]

LOSSES = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("nll", pa.float64(), nullable=False),
        pa.field("targets", pa.int64(), nullable=False),
        pa.field("bytes", pa.int64(), nullable=False),
    ]
)
"""`evaluation/losses/*.parquet`: of an example, the negative log-likelihood in nats, summed over its target tokens; how
many these are; UTF-8 bytes of their text."""

ANSWERS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("prompt", pa.large_string(), nullable=False),
        pa.field("reference", pa.large_string(), nullable=False),
        pa.field("prediction", pa.large_string(), nullable=False),
        pa.field("scores", pa.map_(pa.string(), pa.float64()), nullable=False),
    ]
)
"""`evaluation/answers/*.parquet` and, of the trained model, `evaluation/predictions.parquet`: the likeliest answer."""

SCORES = pa.schema(
    [
        pa.field("split", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("contender", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("metric", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("source", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)
"""`evaluation/scores.parquet`: one line for each row, contender and measure."""

_Z = 1.959963984540054
"""Of a normal distribution, 95 % lies within so many standard deviations."""


def of_losses(losses: pa.Table) -> dict[str, NDArray[np.float64]]:
    """The measures of rows of `LOSSES`: each float64 [rows, 2]."""
    nll = losses["nll"].to_numpy()
    return {
        "loss": np.stack([nll, losses["targets"].to_numpy().astype(float)], axis=1),
        "bits_per_byte": np.stack([nll / math.log(2), losses["bytes"].to_numpy().astype(float)], axis=1),
    }


def mean(scores: NDArray[np.float64]) -> float | None:
    """Σ value ÷ Σ weight of float64 [rows, 2], summed exactly: no order of rows matters; None without weight."""
    weight = math.fsum(scores[:, 1])
    return math.fsum(scores[:, 0]) / weight if weight else None


def interval(scores: NDArray[np.float64], *, ratio: bool = False) -> tuple[float, float] | None:
    """The 95 % interval of a mean over rows.

    Of scores in [0, 1] it is Wilson's (1927), which is right where all rows are 0 or 1 and wide enough where they lie
    between. Of a ratio of sums it is the linearised one (Cochran, Sampling Techniques, 6.4).

    Args:
        scores: float64 [rows, 2]; value and weight.
        ratio: of sums, as a loss is: small values do not make it a share.
    """
    rows, middle = len(scores), mean(scores)
    if middle is None:
        return None
    shares = (scores[:, 1] == 1) & (scores[:, 0] >= 0) & (scores[:, 0] <= 1)
    if not ratio and bool(shares.all()):
        scale = 1 + _Z**2 / rows
        centre = (middle + _Z**2 / (2 * rows)) / scale
        half = _Z * math.sqrt(max(middle * (1 - middle), 0.0) / rows + _Z**2 / (4 * rows**2)) / scale
        return min(max(centre - half, 0.0), middle), max(min(centre + half, 1.0), middle)
    if rows < 2:
        return None
    residuals = scores[:, 0] - middle * scores[:, 1]
    half = _Z * float(np.std(residuals, ddof=1)) * math.sqrt(rows) / float(scores[:, 1].sum())
    return middle - half, middle + half


def pairs(path: Path, metric: str, *, split: str = "test") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the candidate and the champion score on the rows that both were measured on, in the order of ids.

    Args:
        path: of `scores.parquet`.
        metric: `measure`, or `measure@part` for the rows of a source or kind.
        split: of the rows.

    Returns:
        float64 [rows, 2] each: value and weight; no rows where the measure does not exist for one of them.
    """
    measure, _, part = metric.partition("@")
    table = pq.read_table(path, filters=[("split", "=", split), ("metric", "=", measure)])
    if part:
        here = pc.or_(pc.equal(_plain(table["source"]), part), pc.equal(_plain(table["kind"]), part))
        table = table.filter(here)
    columns = ["id", "value", "weight"]
    ours, theirs = (
        table.filter(pc.equal(_plain(table["contender"]), name)).select(columns) for name in ("after", "champion")
    )
    both = ours.join(theirs, "id", right_suffix="_theirs", join_type="inner").sort_by("id")
    return values(both), values(both, suffix="_theirs")


def values(table: Any, *, suffix: str = "") -> NDArray[np.float64]:
    """The columns `value` and `weight` as float64 [rows, 2]."""
    return np.stack([table[f"{name}{suffix}"].to_numpy() for name in ("value", "weight")], axis=1).astype(float)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.cast(column, pa.string())
