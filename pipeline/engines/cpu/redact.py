"""Personal data in texts and in JSON texts: found, replaced, and looked for again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines import ENTITIES
from pipeline.engines.columns import from_arrow
from pipeline.engines.cpu import json_strings
from pipeline.engines.cpu.entities import find_entities
from pipeline.engines.cpu.replace import replace
from pipeline.engines.json_keys import tell_apart
from pipeline.engines.phones import COUNTRIES
from pipeline.engines.redaction import Finder, Redaction
from pipeline.engines.spans import Spans, merge, values_of
from pipeline.engines.stand_ins import STAND_IN, StandIns, tags
from pipeline.text.json_strings import NUMBER

__all__ = ["ROUNDS", "redact", "redact_json"]

ROUNDS = 16
"""A row in which something is still found after so many rounds is given up."""


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
        also: Finds more.
        stand_ins: Chooses what is put in place; tags such as `<EMAIL>` unless given.
        rows: int64 (n), the row that each text is a part of, for `stand_ins`; its own place unless given.

    Returns:
        n texts, the replacements in each, and whether it settled.

    Raises:
        ValueError: An entity is unknown.
    """
    job = _Job(entities, countries, also, stand_ins)
    done = _settle(texts, lambda texts, places: job.find(texts), job.stand_ins, _rows(texts, rows))
    counts = np.zeros((len(texts), len(job.names)), np.int64)
    np.add.at(counts, (done.places, done.entities), 1)
    return _without_unsettled(Redaction(done.texts, counts, done.settled))


def redact_json(
    texts: pa.LargeStringArray,
    entities: Sequence[str],
    *,
    countries: Sequence[str] = COUNTRIES,
    also: Finder | None = None,
    stand_ins: StandIns | None = None,
    rows: np.ndarray | None = None,
) -> Redaction:
    r"""Put stand-ins in place of personal data in the strings of JSON texts, and count it.

    Every string, keys among them, is decoded and redacted by itself, as `redact` does it. One that changes is written
    anew with only the escapes that JSON demands; a key that would then be like another of its object gets a number
    (`<EMAIL#2>`). An integer that is personal data as a whole (a card's number) becomes a string. All else stays byte
    for byte.

    Args:
        texts: n JSON texts, known to be valid.
        entities: As of `redact`.
        countries: As of `redact`.
        also: As of `redact`.
        stand_ins: As of `redact`.
        rows: As of `redact`.

    Returns:
        n JSON texts, and the rest as of `redact`.

    Raises:
        ValueError: An entity is unknown.
    """
    job = _Job(entities, countries, also, stand_ins)
    column = from_arrow(texts)
    scalars = json_strings.scalars_of(column)
    homes = scalars.rows

    def find(some: pa.LargeStringArray, places: np.ndarray) -> Spans:
        spans = job.find(some)
        bounds = from_arrow(some).bounds
        whole = (spans.starts == bounds[spans.rows]) & (spans.ends == bounds[spans.rows + 1])
        return spans.only(whole | (scalars.kinds[places[spans.rows]] != NUMBER))

    decoded = json_strings.decode(column, scalars)
    done = _settle(decoded, find, job.stand_ins, _rows(texts, rows)[homes])
    counts = np.zeros((len(texts), len(job.names)), np.int64)
    np.add.at(counts, (homes[done.places], done.entities), 1)
    settled = np.ones(len(texts), np.bool_)
    settled[homes[~done.settled]] = False
    changed = np.zeros(len(homes), np.bool_)
    changed[done.places] = True
    if not changed.any():
        return Redaction(texts, counts, settled)
    values = tell_apart(decoded, done.texts, scalars.kinds, scalars.objects, changed)
    spliced = json_strings.splice(column, scalars, changed, values.filter(pa.array(changed)))
    return _without_unsettled(Redaction(spliced, counts, settled))


class _Job:
    """What is looked for, and what is put in its place."""

    def __init__(
        self, entities: Sequence[str], countries: Sequence[str], also: Finder | None, stand_ins: StandIns | None
    ) -> None:
        self.entities, self.countries, self.also = entities, countries, also
        self.names = (*ENTITIES, *(also.names if also else ()))
        self.stand_ins = stand_ins or tags(self.names)

    def find(self, texts: pa.LargeStringArray) -> Spans:
        found = find_entities(texts, self.entities, countries=self.countries)
        return merge(texts, found, self.also(texts)) if self.also else found


class _Settled(NamedTuple):
    """Texts in which nothing is found any more, save in those that are not settled: bool (n).

    Every replacement is noted with the text's place and the entity: int64 (m), int8 (m).
    """

    texts: pa.LargeStringArray
    places: np.ndarray
    entities: np.ndarray
    settled: np.ndarray


def _settle(
    texts: pa.LargeStringArray,
    find: Callable[[pa.LargeStringArray, np.ndarray], Spans],
    stand_ins: StandIns,
    rows: np.ndarray,
) -> _Settled:
    """Find (in some of the texts, whose places are given too), replace, and find again in what changed."""
    places: list[np.ndarray] = [np.empty(0, np.int64)]
    entities: list[np.ndarray] = [np.empty(0, np.int8)]
    settled = np.ones(len(texts), np.bool_)

    def settle(texts: pa.LargeStringArray, here: np.ndarray, rounds: int) -> pa.LargeStringArray:
        spans, values = _changes(texts, find(texts, here), stand_ins, rows[here])
        if not len(spans.rows):
            return texts
        if rounds == 0:
            settled[here[spans.rows]] = False
            return texts
        places.append(here[spans.rows])
        entities.append(spans.entities)
        after = replace(texts, spans, values)
        changed = np.zeros(len(here), np.bool_)
        changed[spans.rows] = True
        mask = pa.array(changed)
        part = after.filter(mask)
        again = settle(part, here[changed], rounds - 1)
        return after if again is part else pc.replace_with_mask(after, mask, again)

    after = settle(texts, np.arange(len(texts)), ROUNDS)
    return _Settled(after, np.concatenate(places), np.concatenate(entities), settled)


def _changes(
    texts: pa.LargeStringArray, spans: Spans, stand_ins: StandIns, rows: np.ndarray
) -> tuple[Spans, pa.LargeStringArray]:
    """The spans that something else is put in place of, and what it is."""
    values = values_of(texts, spans)
    other = pc.invert(pc.match_substring_regex(values, f"^(?:{STAND_IN})$"))
    spans, values = spans.only(other.to_numpy(zero_copy_only=False)), values.filter(other)
    new = stand_ins(rows[spans.rows], spans.entities, values)
    differs = pc.not_equal(new, values)
    return spans.only(differs.to_numpy(zero_copy_only=False)), new.filter(differs)


def _without_unsettled(done: Redaction) -> Redaction:
    if done.settled.all():
        return done
    empty = pa.scalar("", pa.large_string())
    return done._replace(texts=pc.if_else(pa.array(done.settled), done.texts, empty))


def _rows(texts: pa.LargeStringArray, rows: np.ndarray | None) -> np.ndarray:
    return np.arange(len(texts)) if rows is None else rows
