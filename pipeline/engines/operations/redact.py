"""Personal data in texts replaced."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.engines.operations.replace import replace
from pipeline.engines.operations.settle import Job, Round, settle
from pipeline.engines.phones import COUNTRIES
from pipeline.engines.redaction import Finder, Redaction
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

    def once(some: pa.LargeStringArray, homes: np.ndarray) -> Round:
        spans, values = job.changes(some, job.find_all(some), homes)
        return Round(replace(some, spans, values), spans.rows, spans.entities)

    return settle(texts, job, rows, once)
