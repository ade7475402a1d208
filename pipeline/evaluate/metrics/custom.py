"""Measures of one's own: `module:function` or `file.py:function`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline import fingerprint
from pipeline.config import CustomMetric
from pipeline.errors import InputError
from pipeline.evaluate.prompts import Prompt

__all__ = ["Measure", "load_measure", "measure_fingerprint"]

Measure = Callable[[str, Prompt], float | None]


def load_measure(name: str, metric: CustomMetric) -> Measure:
    """Load a measure; it is called as `function(prediction, reference, row)`.

    `row` holds `id`, `source`, `kind`, `messages` (those before the answer), `reference`, and `tools` and `metadata`,
    exact JSON or None.

    Raises:
        InputError: there is no such function.
    """
    where = f"evaluate.metrics.{name}: {metric.target}"
    from pipeline.ingest.targets import load_function  # here, for its package knows Dask

    function = load_function(metric.target, where)
    return lambda prediction, prompt: _checked(function, prediction, prompt, where)


def measure_fingerprint(metric: CustomMetric) -> str | None:
    """Of the file that holds a measure, where it is named by its file or lies in the working directory."""
    place = metric.target.rpartition(":")[0]
    path = Path(place if place.endswith(".py") else place.replace(".", "/") + ".py")
    return fingerprint.of_file(path) if path.is_file() else None


def _checked(function: Callable[..., Any], prediction: str, prompt: Prompt, where: str) -> float | None:
    try:
        value = function(prediction, prompt.reference, prompt.row())
    except Exception as error:
        raise InputError(
            f"the measure failed: {type(error).__name__}",  # its message may hold the row's text
            where=f"{where}, row {prompt.id}",
            mend="make it return a number, or None for a row that it does not apply to",
        ) from error
    if value is None:
        return None
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    raise InputError(
        f"the measure returned {type(value).__name__}, not a finite number or None",
        where=f"{where}, row {prompt.id}",
        mend="make it return a number, or None for a row that it does not apply to",
    )
