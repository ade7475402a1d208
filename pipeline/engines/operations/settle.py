"""Redaction in rounds, until nothing is found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines import ENTITIES
from pipeline.engines.launch import launcher
from pipeline.engines.operations.entities import find_entities, find_entities_near
from pipeline.engines.operations.nearby import Put
from pipeline.engines.operations.rows import filter_rows, put_rows
from pipeline.engines.redaction import Finder, Redaction
from pipeline.engines.spans import Spans, merge, values_of
from pipeline.engines.stand_ins import STAND_IN, StandIns, tags

__all__ = ["ROUNDS", "Job", "Round", "settle"]

ROUNDS = 16
"""A text in which something is still found after so many rounds is given up."""


class Job:
    """What is looked for, and what is put in its place.

    Attributes:
        names: Of the entities, in the order of their numbers in spans.
        also: Finds more.
    """

    def __init__(
        self, entities: Sequence[str], countries: Sequence[str], also: Finder | None, stand_ins: StandIns | None
    ) -> None:
        """Keep the arguments of `redact`."""
        self._entities, self._countries, self.also = entities, countries, also
        self.names = (*ENTITIES, *(also.names if also else ()))
        self._stand_ins = stand_ins or tags(self.names)

    def find(self, texts: pa.LargeStringArray) -> Spans:
        """What the kernels find."""
        return find_entities(texts, self._entities, countries=self._countries)

    @property
    def by_lines(self) -> bool:
        """Whether only changed lines are read again.

        `also` may look at more than a line, and where many threads read, the lines would be copied to them.
        """
        return self.also is None and not launcher().parallel

    def find_all(self, texts: pa.LargeStringArray, put: Put | None) -> Spans:
        """What the kernels find, and what else there is; of texts read before, only what `put` can have brought."""
        if put is not None:
            return find_entities_near(texts, put, self._entities, countries=self._countries)
        found = self.find(texts)
        return merge(texts, found, self.also(texts)) if self.also else found

    def changes(self, texts: pa.LargeStringArray, spans: Spans, rows: np.ndarray) -> tuple[Spans, pa.LargeStringArray]:
        """The spans in whose place something else is put, and what it is.

        Args:
            texts: n texts.
            spans: What was found in them.
            rows: int64 (n), the row that each text is a part of.
        """
        values = values_of(texts, spans)
        other = pc.invert(pc.match_substring_regex(values, f"^(?:{STAND_IN})$"))
        spans, values = spans.only(other.to_numpy(zero_copy_only=False)), values.filter(other)
        new = self._stand_ins(rows[spans.rows], spans.entities, values)
        differs = pc.not_equal(new, values)
        return spans.only(differs.to_numpy(zero_copy_only=False)), new.filter(differs)


class Round(NamedTuple):
    """What one round made of n texts.

    Attributes:
        texts: n texts; the same column where nothing was found.
        rows: int64 (m), the text of each replacement.
        entities: int8 (m), its entity.
        lost: int64, texts that cannot be redacted.
        put: Where the replacements stand in the texts; None if that is not known.
    """

    texts: pa.LargeStringArray
    rows: np.ndarray
    entities: np.ndarray
    lost: np.ndarray = np.empty(0, np.int64)
    put: Put | None = None


def settle(
    texts: pa.LargeStringArray,
    job: Job,
    rows: np.ndarray | None,
    once: Callable[[pa.LargeStringArray, np.ndarray, Put | None], Round],
) -> Redaction:
    """Redact all texts, then again those that changed, until none does.

    Args:
        texts: n texts.
        job: For the names of its entities.
        rows: int64 (n), the row that each text is a part of; its own place unless given.
        once: Makes one round of some texts and their rows, told where the round before has put something in them.
    """
    homes = np.arange(len(texts)) if rows is None else rows
    counts = np.zeros((len(texts), len(job.names)), np.int64)
    settled = np.ones(len(texts), np.bool_)

    def again(texts: pa.LargeStringArray, here: np.ndarray, rounds: int, put: Put | None) -> pa.LargeStringArray:
        done = once(texts, homes[here], put)
        settled[here[done.lost]] = False
        if not len(done.rows):
            return texts
        if rounds == 0:
            settled[here[done.rows]] = False
            return texts
        np.add.at(counts, (here[done.rows], done.entities), 1)
        changed = np.zeros(len(here), np.bool_)
        changed[done.rows] = True
        part = filter_rows(done.texts, changed)
        last = again(part, here[changed], rounds - 1, done.put.among(changed) if done.put else None)
        if last is part:
            return done.texts
        return put_rows(done.texts, changed, last, certain=True)[0]

    after = again(texts, np.arange(len(texts)), ROUNDS, None)
    if not settled.all():
        nothing = pa.repeat(pa.scalar("", pa.large_string()), int((~settled).sum()))
        after = put_rows(after, ~settled, nothing, certain=True)[0]
    return Redaction(after, counts, settled)
