"""Where personal data stands in texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.engines import ENTITIES
from pipeline.engines.columns import from_arrow
from pipeline.engines.cpu.names import known
from pipeline.engines.phones import COUNTRIES
from pipeline.engines.spans import Spans
from pipeline.engines.write import NOWHERE
from pipeline.text.find import find_entities as find_in_row
from pipeline.text.kernel import compiled

__all__ = ["find_entities"]

_NO_KINDS = np.empty(0, np.int8)


def find_entities(
    texts: pa.LargeStringArray, entities: Sequence[str], *, countries: Sequence[str] = COUNTRIES
) -> Spans:
    """Find personal data.

    Args:
        texts: n texts.
        entities: Of `ENTITIES`: what to look for.
        countries: Whose national forms of telephone numbers count, ISO 3166 codes.

    Raises:
        ValueError: An entity is unknown.
    """
    known(entities, ENTITIES, "entity")
    wanted = sum(1 << ENTITIES.index(entity) for entity in set(entities))
    column = from_arrow(texts)
    bounds = np.zeros(column.rows + 1, np.int64)
    find_rows(column.buffer, column.bounds, wanted, NOWHERE, bounds[1:], NOWHERE, NOWHERE, _NO_KINDS)
    np.cumsum(bounds, out=bounds)
    starts, ends = np.empty((2, bounds[-1]), np.int64)
    kinds = np.empty(bounds[-1], np.int8)
    find_rows(column.buffer, column.bounds, wanted, bounds, NOWHERE, starts, ends, kinds)
    return Spans(np.repeat(np.arange(column.rows), np.diff(bounds)), starts, ends, kinds)


@compiled
def find_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    wanted: int,
    places: np.ndarray,
    lengths: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    entities: np.ndarray,
) -> None:
    """Find in every row: with empty `places` count into `lengths`, else write row i's spans from `places[i]` on."""
    for row in range(len(bounds) - 1):
        if len(places) == 0:
            lengths[row] = find_in_row(buffer, bounds[row], bounds[row + 1], wanted, starts, ends, entities, -1)
        elif places[row] < places[row + 1]:  # a row without any need not be read again
            find_in_row(buffer, bounds[row], bounds[row + 1], wanted, starts, ends, entities, places[row])
