"""Where personal data stands in texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from pipeline.engines import ENTITIES
from pipeline.engines.columns import TextColumn, from_arrow
from pipeline.engines.launch import Out, bounds_of, launcher
from pipeline.engines.operations.disguises import undisguise
from pipeline.engines.operations.names import known
from pipeline.engines.operations.nearby import Put, lines_around
from pipeline.engines.operations.rows import filter_rows
from pipeline.engines.phones import COUNTRIES, is_phone, unknown_countries
from pipeline.engines.spans import Spans
from pipeline.engines.wallets import is_wallet
from pipeline.engines.write import NOWHERE
from pipeline.text.find import ANNOUNCED, find_candidates
from pipeline.text.kernel import compiled, int64

__all__ = ["find_entities", "find_entities_near"]

PHONE = ENTITIES.index("phone")
CARD = ENTITIES.index("credit_card")
CRYPTO = ENTITIES.index("crypto")


def find_entities(
    texts: pa.LargeStringArray, entities: Sequence[str], *, countries: Sequence[str] = COUNTRIES
) -> Spans:
    """Find personal data.

    Kernels find candidates; numbering plans and the check sums of wallets confirm those of the two entities that need
    it, each distinct candidate once. Of spans that overlap the first is taken, of those that begin together the
    longest, of equally long ones the first in `ENTITIES`; but a telephone number, the least certain, only where nothing
    else is, save that what stands behind its `+` and ends no later is no card. Full-width characters, characters of no
    width, and a `%40` are looked behind.

    Args:
        texts: n texts.
        entities: Of `ENTITIES`: what to look for.
        countries: ISO 3166 codes of the countries whose national forms of telephone numbers count.

    Raises:
        ValueError: An entity or a country is unknown.
    """
    wanted = _wanted(entities, countries)
    column = from_arrow(texts)
    found = _confirmed(column, wanted, tuple(countries))
    plain = undisguise(column)
    if len(plain.rows):
        rows, starts, ends, kinds = _confirmed(plain.texts, wanted, tuple(countries))
        hidden = plain.rows[rows], plain.begins(starts), plain.stops(ends - 1, column.buffer), kinds
        found = Spans(*map(np.concatenate, zip(found, hidden, strict=True)))
    return _apart(found)


def find_entities_near(
    texts: pa.LargeStringArray, put: Put, entities: Sequence[str], *, countries: Sequence[str] = COUNTRIES
) -> Spans:
    """Find personal data in texts where something was put; arguments else, and result, as of `find_entities`.

    Args:
        texts: n texts.
        put: Where they differ from texts in which everything that was found was replaced, or is not to be replaced.
        entities: As of `find_entities`.
        countries: As of `find_entities`.

    Returns:
        What `find_entities` does, save what stood in lines that are as they were.
    """
    column = from_arrow(texts)
    lines = lines_around(column, put)
    found = _confirmed(lines.column, _wanted(entities, countries), tuple(countries))
    by = (lines.firsts - lines.column.bounds[:-1])[found.rows]
    found = Spans(found.rows, found.starts + by, found.ends + by, found.entities)
    found = found.only((found.starts >= lines.lows[found.rows]) & (found.starts < lines.highs[found.rows]))
    found = _apart(Spans(lines.rows[found.rows], *found[1:]))
    if not lines.whole.any():
        return found
    some = filter_rows(texts, lines.whole)
    rows, starts, ends, kinds = find_entities(some, entities, countries=countries)
    by = (column.bounds[:-1][lines.whole] - from_arrow(some).bounds[:-1])[rows]
    whole = np.flatnonzero(lines.whole)[rows], starts + by, ends + by, kinds
    found = Spans(*map(np.concatenate, zip(found, whole, strict=True)))
    return found.only(np.argsort(found.starts))


def _wanted(entities: Sequence[str], countries: Sequence[str]) -> int:
    """The bits of the entities that are looked for."""
    known(entities, ENTITIES, "entity")
    for country in unknown_countries(countries):
        raise ValueError(f"no country with a numbering plan has the code {country!r}")
    return sum(1 << ENTITIES.index(entity) for entity in set(entities))


def _apart(found: Spans) -> Spans:
    """In their order, of those that overlap the one that is taken."""
    order = np.lexsort((found.entities, -found.ends, found.starts))
    found = found.only(order)
    keep = np.empty(len(order), np.bool_)
    settle(found.starts, found.ends, found.entities, PHONE, keep)
    return found.only(keep)


def _confirmed(column: TextColumn, wanted: int, countries: tuple[str, ...]) -> Spans:
    """All candidates that are confirmed; they may overlap."""
    rows, starts, ends, kinds = _candidates(column, wanted)
    asked = (kinds & (ANNOUNCED - 1) == PHONE) | (kinds == CRYPTO)
    launcher().leave("numbering plans and check sums", len(np.unique(rows[asked])))
    sure = _confirm(column, starts, ends, kinds == PHONE, lambda number: is_phone(number, False, countries))
    sure &= _confirm(column, starts, ends, kinds == PHONE + ANNOUNCED, lambda number: is_phone(number, True, countries))
    sure &= _confirm(column, starts, ends, kinds == CRYPTO, is_wallet)
    # Of the numbers behind `+` that a numbering plan knows, one of ten has the check digit of a card.
    phones = np.flatnonzero(sure & (kinds & (ANNOUNCED - 1) == PHONE))
    plus = phones[column.buffer[starts[phones]] == ord("+")]
    reach = dict(zip(starts[plus] + 1, ends[plus], strict=True))
    cards = np.flatnonzero(kinds == CARD)
    sure[cards] = [reach.get(starts[card], 0) < ends[card] for card in cards]
    return Spans(rows[sure], starts[sure], ends[sure], kinds[sure] & (ANNOUNCED - 1))


def _candidates(column: TextColumn, wanted: int) -> Spans:
    """What the kernels find, in memory that suffices for most texts; if it does not, they look again."""
    counts = np.empty(column.rows, np.int64)
    blocks = int(not launcher().parallel)
    # Rows that are looked at side by side know where to write only when all of them have been counted.
    room = 0 if launcher().parallel else int(column.bounds[-1] - column.bounds[0]) // 64 + 64
    places = NOWHERE
    while True:
        starts, ends, kinds = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int8)
        outputs = Out(counts), Out(starts), Out(ends), Out(kinds)
        launcher().run(find_rows, np.diff(column.bounds), *column, wanted, blocks, places, *outputs)
        found = int(counts.sum())
        if found <= room:
            return Spans(np.repeat(np.arange(column.rows), counts), starts[:found], ends[:found], kinds[:found])
        room, places = found, bounds_of(counts)


def _confirm(
    column: TextColumn, starts: np.ndarray, ends: np.ndarray, asked: np.ndarray, check: Callable[[str], bool]
) -> np.ndarray:
    """Ask `check` about the spans that are `asked`, each distinct text once; the others are sure."""
    sure = ~asked
    places = np.flatnonzero(asked)
    answers: dict[bytes, bool] = {}
    for place in places:
        value = column.buffer[starts[place] : ends[place]].tobytes()
        if value not in answers:
            answers[value] = check(value.decode())
        sure[place] = answers[value]
    return sure


@compiled
def find_rows(
    first: int,
    last: int,
    buffer: np.ndarray,
    bounds: np.ndarray,
    wanted: int,
    blocks: int,
    places: np.ndarray,
    counts: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
) -> None:
    """Find candidates in every row and count them.

    They are written from `places[row]` on, or one row's after another's if it is empty, as far as there is room.
    """
    at = int64(0)  # not a literal, for which the kernel would be compiled a second time
    for row in range(first, last):
        if len(places):
            at = places[row]
        counts[row] = find_candidates(buffer, bounds[row], bounds[row + 1], wanted, blocks, starts, ends, kinds, at)
        at += counts[row]


@compiled
def settle(starts: np.ndarray, ends: np.ndarray, entities: np.ndarray, least: int, keep: np.ndarray) -> None:
    """Say which of sorted spans to keep so that none overlap; one of the entity `least` gives way to all others."""
    stop = 0
    for k in range(len(starts)):
        keep[k] = entities[k] != least and starts[k] >= stop
        if keep[k]:
            stop = ends[k]
    stop = 0
    after = 0  # the first kept span of another entity that begins no earlier
    for k in range(len(starts)):
        if keep[k]:
            stop = ends[k]
            continue
        after = max(after, k)
        while after < len(starts) and (entities[after] == least or not keep[after]):
            after += 1
        if entities[k] == least and starts[k] >= stop and (after == len(starts) or ends[k] <= starts[after]):
            keep[k] = True
            stop = ends[k]
