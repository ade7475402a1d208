"""`curate.dedup`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.section import Section
from pipeline.signals import SIGNALS

__all__ = ["Bands", "Dedup", "Fuzzy", "Shingle", "SignalOrder", "Substrings"]


class Bands(Section):
    """How a sketch is cut: rows that agree in every value of one band are compared."""

    count: int = Field(ge=1)
    """How many bands."""
    rows: int = Field(ge=1)
    """Values in a band; a pair of similarity s meets with probability 1 - (1 - s^rows)^count."""


class Shingle(Section):
    """What two texts are compared by; name one of them. A number alone counts characters."""

    characters: int | None = Field(None, ge=2, le=64)
    """Characters (code points) of normalised text in a shingle."""
    words: int | None = Field(None, ge=1, le=64)
    """Words of normalised text, what stands between spaces, in a shingle."""

    @model_validator(mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        return {"characters": value} if isinstance(value, int) else value

    @model_validator(mode="after")
    def _one(self) -> Shingle:
        if (self.characters is None) == (self.words is None):
            raise ValueError("name either `characters` or `words`")
        return self

    @property
    def unit(self) -> Literal["characters", "words"]:
        """Which of them."""
        return "words" if self.characters is None else "characters"

    @property
    def width(self) -> int:
        """How many."""
        return self.characters or self.words or 0


class Fuzzy(Section):
    """Near duplicates."""

    threshold: float = Field(0.8, gt=0, le=1)
    """Similarity (Jaccard of shingles, estimated from sketches) at which a row is a duplicate of its survivor."""
    shingle: Shingle = Shingle(characters=5)
    """`{characters: 5}` or `{words: 5}`."""
    ignore_shared: float | None = Field(None, gt=0, lt=1)
    """Text that more than this share of the rows has in common (a template, a system prompt) is left out of the
    shingles; null: nothing is."""
    sketch: int = Field(128, ge=16, le=512, multiple_of=4)
    """Values in a sketch."""
    bands: Bands | None = None
    """How sketches are cut into bands; null: the best for the threshold."""
    verify: Literal["sketch", "exact"] = "sketch"
    """What decides: the similarity that the sketches estimate, or the exact one of the two sets of shingles, for which
    the rows that may be duplicates are read again."""
    max_removed: float = Field(0.9, gt=0, le=1)
    """The breaker: the run stops when near duplicates would take a larger share of the rows."""
    max_cluster: int = Field(5000, ge=1)
    """The breaker: the run stops when one cluster holds more rows than this, exact copies counted once."""

    @model_validator(mode="after")
    def _fits(self) -> Fuzzy:
        if self.bands and self.bands.count * self.bands.rows > self.sketch:
            raise ValueError(
                f"{self.bands.count} bands of {self.bands.rows} values need more than the {self.sketch} of a sketch"
            )
        return self


class Substrings(Section):
    """Text that many rows share word for word (`docs/substrings.md`): found and reported, or cut."""

    length: int = Field(200, ge=64, le=65536)
    """Bytes of a message that must be shared."""
    documents: int = Field(10, ge=2)
    """Rows that must hold them."""
    action: Literal["report", "cut"] = "report"
    """`cut` takes what is shared out of every row that holds it."""


class SignalOrder(Section):
    """A signal in `order`."""

    signal: str
    """A number about the row; `pipeline/signals.py` lists them."""
    largest: bool = True
    """Whether the row with the largest value is kept, or that with the smallest; a row without a value goes first."""

    @field_validator("signal")
    @classmethod
    def _known(cls, name: str) -> str:
        numbers = [signal.name for signal in SIGNALS.values() if signal.type != "string"]
        if name not in numbers:
            raise ValueError(f"no signal with a number is called {name!r}; there are {', '.join(numbers)}")
        return name


class Dedup(Section):
    """Duplicates; `exact: false` and `fuzzy: null` switch a step off."""

    on: Literal["row", "prompt", "answer"] = "row"
    """What rows are compared by: all that a row says; its prompt, everything but the answers; or its answers, what the
    assistant says (of a retrieval row, what is found). A row without that part is compared as a whole."""
    exact: bool = True
    """Whether copies of one content are removed."""
    fuzzy: Fuzzy | None = Fuzzy()
    order: list[Literal["priority", "length", "id"] | SignalOrder] = ["priority", "length", "id"]
    """Which of several duplicates is kept, the first that differs deciding: the source of higher priority, a signal,
    the longer text, the smaller id (as text). `id` must come last, so that no two rows are equal."""
    substrings: Substrings | None = None
    index: str | None = None
    """A folder that holds what earlier batches kept; rows that are in it are duplicates, and what is kept is added."""
    max_repeated: float = Field(0.1, ge=0, le=1)
    """The breaker: the run stops when a larger share of its rows would go in favour of rows of the index that have
    their ids, because it reads rows that are there already."""

    @field_validator("order")
    @classmethod
    def _total(
        cls, order: list[Literal["priority", "length", "id"] | SignalOrder]
    ) -> list[Literal["priority", "length", "id"] | SignalOrder]:
        names = [by if isinstance(by, str) else by.signal for by in order]
        if not names or names[-1] != "id" or len(set(names)) < len(names):
            raise ValueError("name each thing once, and `id` last")
        return order
