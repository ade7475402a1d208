"""`curate.rules`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from pipeline.config.section import Section
from pipeline.errors import did_you_mean
from pipeline.schema import SIGNALS

__all__ = ["Bound", "Rules"]


class Bound(Section):
    """A signal outside [min, max] fails the rule of the same name."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Bound:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Rules(Section):
    """A preset, and bounds on signals that change it: for every kind, or under one kind's name."""

    preset: Literal["playbook", "none"] = "playbook"
    all: dict[str, Bound | None] = {}
    """Bounds for rows of every kind (`word_count: {min: 5}` directly under `rules:` lands here); null drops a rule."""
    text: dict[str, Bound | None] = {}
    code: dict[str, Bound | None] = {}
    pair: dict[str, Bound | None] = {}
    chat: dict[str, Bound | None] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        direct = {key: bound for key, bound in value.items() if key in SIGNALS}
        if not direct:
            return value
        rest = {key: bound for key, bound in value.items() if key not in SIGNALS}
        return {**rest, "all": {**(rest.get("all") or {}), **direct}}

    @model_validator(mode="after")
    def _known(self) -> Rules:
        for kind in ("all", "text", "code", "pair", "chat"):
            for name in getattr(self, kind):
                if name not in SIGNALS:
                    raise ValueError(f"no signal is called {name!r}{did_you_mean(name, SIGNALS)}")
        return self
