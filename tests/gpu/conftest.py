"""What needs a GPU: skipped, with what is missing, where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.gpus import needs

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [need.found for need in needs() if not need.met and need.name in ("driver", "device", "numba-cuda")]
    if missing:
        mark = pytest.mark.skip(reason=f"no GPU can be used here: {', '.join(missing)}")
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(mark)


@pytest.fixture
def whole_stack() -> None:
    """All that a cluster of GPU workers takes, or a skip that names what is missing."""
    if missing := [need.found for need in needs() if not need.met]:
        pytest.skip(", ".join(missing))
