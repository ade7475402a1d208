"""Personal data in texts replaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.engines.columns import from_arrow
from pipeline.engines.launch import bounds_of
from pipeline.engines.operations.nearby import Put, flag_whole
from pipeline.engines.operations.replace import replace
from pipeline.engines.operations.settle import Job, Round, settle
from pipeline.engines.phones import COUNTRIES
from pipeline.engines.redaction import Finder, Redaction
from pipeline.engines.spans import Spans
from pipeline.engines.stand_ins import StandIns

__all__ = ["redact"]


def redact(
    texts: pa.LargeStringArray,
    entities: Sequence[str],
    *,
    countries: Sequence[str] = COUNTRIES,
    also: Finder | None = None,
    stand_ins: StandIns | None = None,
    rows: np.ndarray | None = None,
) -> Redaction:
    """Put stand-ins in place of personal data, and count it.

    What changed is read again until nothing is found, since a stand-in is a boundary that the text before it did not
    have (`1.2.3.4a@b.com`); so redacting the result again changes nothing.

    Args:
        texts: n texts.
        entities: Of `ENTITIES`: what to look for.
        countries: Whose national forms of telephone numbers count, ISO 3166 codes.
        also: Finds more; where both find something, the kernels win.
        stand_ins: Chooses what is put in place; tags such as `<EMAIL>` unless given.
        rows: int64 (n), the row that each text is a part of, for `stand_ins`; its own place unless given.

    Returns:
        n texts, the replacements in each, and whether it settled.

    Raises:
        ValueError: An entity or a country is unknown.
    """
    job = Job(entities, countries, also, stand_ins)

    def once(some: pa.LargeStringArray, homes: np.ndarray, put: Put | None) -> Round:
        spans, values = job.changes(some, job.find_all(some, put), homes)
        after = _put(some, spans, values, put) if job.by_lines else None
        return Round(replace(some, spans, values), spans.rows, spans.entities, put=after)

    return settle(texts, job, rows, once)


def _put(texts: pa.LargeStringArray, spans: Spans, values: pa.LargeStringArray, before: Put | None) -> Put:
    """Where the values stand once they are in the place of the spans of texts in which others were put `before`."""
    column = from_arrow(texts)
    whole = np.ones(column.rows, np.bool_)
    whole[spans.rows] = False if before is None else before.whole[spans.rows]  # the others are not read again
    flag_whole(*column, whole)
    lengths = np.diff(from_arrow(values).bounds)
    growth = bounds_of(lengths - (spans.ends - spans.starts))
    shift = growth[:-1] - growth[np.searchsorted(spans.rows, spans.rows)]  # of the spans before it in its text
    starts = spans.starts - column.bounds[spans.rows] + shift
    return Put(spans.rows, starts, starts + lengths, whole)
