import numpy as np
import pytest

from pipeline.curate.dedup.bands import optimal_bands


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.9])
def test_bands_find_what_is_above_the_threshold(threshold: float) -> None:
    bands, rows = optimal_bands(threshold, 112)
    assert bands * rows <= 112

    def found(s: float) -> float:
        return 1 - (1 - s**rows) ** bands

    above = np.linspace(threshold, 1, 50)
    assert np.mean([found(s) for s in above]) > 0.95
    assert found(threshold / 2) < 0.25


def test_it_is_the_best_of_all_choices() -> None:
    grid = np.linspace(0, 1, 201)

    def error(bands: int, rows: int) -> float:
        found = 1 - (1 - grid**rows) ** bands
        return float(np.mean(np.where(grid >= 0.8, 0.9 * (1 - found), 0.1 * found)))

    chosen = error(*optimal_bands(0.8, 32))
    assert all(chosen <= error(b, r) + 1e-9 for r in range(1, 33) for b in range(1, 32 // r + 1))
