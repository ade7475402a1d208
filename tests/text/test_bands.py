"""Band keys are equal exactly where bands are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.engines import cpu


@settings(max_examples=200, deadline=None)
@given(arrays(np.uint32, (4, 12), elements=st.integers(0, 1)), st.sampled_from([(12, 1), (4, 3), (3, 4), (2, 5)]))
def test_keys_are_equal_exactly_where_bands_are(sketches: np.ndarray, shape: tuple[int, int]) -> None:
    bands, rows = shape
    keys = cpu.band_keys(sketches, bands, rows)
    assert keys.shape == (4, bands)
    assert keys.dtype == np.uint64
    parts = sketches[:, : bands * rows].reshape(4, bands, rows)
    same_bands = (parts[:, None] == parts[None]).all(axis=3)
    assert np.array_equal(keys[:, None] == keys[None], same_bands)
    assert len(np.unique(cpu.band_keys(np.zeros((1, 12), np.uint32), bands, rows))) == bands  # a band has its number


def test_too_many_bands_are_refused() -> None:
    with pytest.raises(ValueError, match="need more than the 12 values"):
        cpu.band_keys(np.zeros((1, 12), np.uint32), 4, 4)
