"""Every schedule warms up, never exceeds the peak, and ends where the recipe says, at the last step."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Train
from pipeline.train.schedule import learning_rate

SCHEDULES = ("cosine", "linear", "constant", "wsd")


def rates(schedule: str, **train: Any) -> list[float]:
    section = Train.model_validate({"model": {"config": {"model_type": "llama"}}, "schedule": schedule, **train})
    return [learning_rate(step, section) for step in range(section.steps)]


@pytest.mark.parametrize("schedule", SCHEDULES)
@given(steps=st.integers(1, 60), warmup=st.integers(0, 70), decay=st.floats(0.01, 1), final=st.floats(0, 1))
def test_up_to_the_peak_and_then_never_up_again(
    schedule: str, steps: int, warmup: int, decay: float, final: float
) -> None:
    found = rates(schedule, steps=steps, warmup=warmup, decay=decay, final_learning_rate=final, learning_rate=2.0)
    rising, falling = found[:warmup], found[warmup:]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)
    assert all(0 <= rate <= 2.0 for rate in found)
    if len(falling) > 1:
        assert math.isclose(falling[0], 2.0)
        assert math.isclose(falling[-1], 2.0 * (1.0 if schedule == "constant" else final), abs_tol=1e-12)


def test_the_middles_are_where_their_names_say() -> None:
    settings = {"steps": 100, "warmup": 10, "learning_rate": 2.0, "final_learning_rate": 0.1}
    cosine, linear, constant, wsd = (rates(schedule, **settings) for schedule in SCHEDULES)
    assert cosine[0] == linear[0] == 0.2
    assert cosine[9] == cosine[10] == 2.0
    assert math.isclose(cosine[54] + cosine[55], 2.2, rel_tol=1e-3)
    assert math.isclose(linear[30] - linear[31], 1.8 / 89)
    assert cosine[30] > linear[30]
    assert set(constant[9:]) == {2.0}
    assert set(wsd[9:90]) == {2.0}
    assert math.isclose(wsd[90], 2.0 - 1.8 / 10)
    assert math.isclose(wsd[99], 0.2)
