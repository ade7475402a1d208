"""A run that is killed in the middle of its steps, and started again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeVar

import pytest

__all__ = ["Killed", "killed_in_every_step"]

T = TypeVar("T")


class Killed(BaseException):
    """What no one catches."""


def killed_in_every_step(run: Callable[[], T], module: ModuleType, patch: pytest.MonkeyPatch) -> tuple[T, list[str]]:
    """What a run gives that was killed half-way through each of its steps, one after the other, and started again.

    A step that is taken several times is killed each time.

    Args:
        run: starts the run, or goes on with it.
        module: calls `run_parts` once a step.
        patch: puts another `run_parts` there.

    Returns:
        What the last start gave, and the functions of the steps in the order in which they were killed.
    """
    run_parts: Callable[..., Any] = module.__dict__["run_parts"]
    killed, steps = list[tuple[str, int]](), list[str]()

    def stopped(client: Any, function: Callable[..., Any], jobs: Sequence[Any], **options: Any) -> Any:
        steps.append(function.__name__)
        step = function.__name__, steps.count(function.__name__)
        if step not in killed:
            killed.append(step)
            run_parts(client, function, jobs[: len(jobs) // 2], **options)
            raise Killed
        return run_parts(client, function, jobs, **options)

    patch.setattr(module, "run_parts", stopped)
    while True:
        steps.clear()
        try:
            return run(), [name for name, _ in killed]
        except Killed:
            continue
