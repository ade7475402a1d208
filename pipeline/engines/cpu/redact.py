"""Personal data in texts and in the strings of JSON texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines import ENTITIES
from pipeline.engines.columns import from_arrow, to_arrow
from pipeline.engines.cpu import json_strings
from pipeline.engines.cpu.names import known
from pipeline.engines.write import NOTHING, NOWHERE
from pipeline.text.kernel import compiled
from pipeline.text.redact import redact as redact_row

__all__ = ["redact", "redact_json"]


def redact(contents: pa.LargeStringArray, entities: Sequence[str]) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Put tags such as `<EMAIL>` in place of personal data, and count it.

    Args:
        contents: n texts.
        entities: Of `ENTITIES`: what to look for.

    Returns:
        n texts, and the replacements in each: int64 array (n, len(ENTITIES)), in the order of `ENTITIES`. Redacting
        the result again changes nothing.

    Raises:
        ValueError: An entity is unknown.
    """
    return _redact(contents, _wanted(entities))


def redact_json(texts: pa.LargeStringArray, entities: Sequence[str]) -> tuple[pa.LargeStringArray, np.ndarray]:
    r"""Put tags in place of personal data in the strings of JSON texts, keys among them, and count it.

    Every string is decoded and redacted by itself, as `redact` does it. One that changes is written anew with only the
    escapes that JSON demands; all else stays byte for byte, numbers that look like personal data too.

    Args:
        texts: n JSON texts, known to be valid.
        entities: Of `ENTITIES`: what to look for.

    Returns:
        n JSON texts, and the replacements in each, as of `redact`.

    Raises:
        ValueError: An entity is unknown.
    """
    wanted = _wanted(entities)
    column = from_arrow(texts)
    counts = np.zeros((column.rows, len(ENTITIES)), np.int64)
    strings = json_strings.find(column, wanted)
    redacted, found = _redact(json_strings.decode(column, strings), wanted)
    changed = np.asarray(found.any(axis=1))
    if not changed.any():
        return texts, counts
    np.add.at(counts, strings.rows, found)
    return json_strings.splice(column, strings.only(changed), redacted.filter(pa.array(changed))), counts


def _redact(contents: pa.LargeStringArray, wanted: int) -> tuple[pa.LargeStringArray, np.ndarray]:
    column = from_arrow(contents)
    counts = np.zeros((column.rows, len(ENTITIES)), np.int64)
    bounds = np.zeros(column.rows + 1, np.int64)
    redact_rows(column.buffer, column.bounds, wanted, NOWHERE, bounds[1:], counts, NOTHING)
    changed = counts.any(axis=1)
    if not changed.any():
        return contents, counts
    np.cumsum(bounds, out=bounds)
    output = np.empty(bounds[-1], np.uint8)
    redact_rows(column.buffer, column.bounds, wanted, bounds, NOWHERE, counts, output)
    redacted = to_arrow(output, bounds)
    # A tag is a boundary that the text before it did not have: `1.2.3.4a@b.com`. Rows with tags are read again until
    # nothing is left to find, so that a second redaction has nothing to do either.
    mask = pa.array(changed)
    again, more = _redact(redacted.filter(mask), wanted)
    if more.any():
        redacted = pc.replace_with_mask(redacted, mask, again)
        counts[changed] += more
    return redacted, counts


def _wanted(entities: Sequence[str]) -> int:
    """One bit for each of `ENTITIES` that is looked for."""
    known(entities, ENTITIES, "entity")
    return sum(1 << ENTITIES.index(entity) for entity in set(entities))


@compiled
def redact_rows(
    buffer: np.ndarray,
    bounds: np.ndarray,
    wanted: int,
    places: np.ndarray,
    lengths: np.ndarray,
    counts: np.ndarray,
    output: np.ndarray,
) -> None:
    """Redact every row: with empty `places` measure the `lengths` and add to `counts`, else write."""
    ignored = np.empty(counts.shape[1], np.int64)
    for row in range(len(bounds) - 1):
        measuring = len(places) == 0
        at = -1 if measuring else places[row]
        tally = counts[row] if measuring else ignored
        length = redact_row(buffer, bounds[row], bounds[row + 1], wanted, tally, output, at)
        if measuring:
            lengths[row] = length
