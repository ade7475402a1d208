"""`curate.rules`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from pipeline.config.section import Section
from pipeline.errors import did_you_mean
from pipeline.signals import SIGNALS, Signal

__all__ = ["LANGUAGE_SIGNALS", "RULE_KINDS", "Bound", "Preset", "Rules", "bound_problems"]

Preset = Literal["playbook", "gopher", "c4", "fineweb", "curator-english", "code", "none"]

RULE_KINDS = ("text", "code", "pair", "chat", "retrieval")
"""Kinds of rows that have rules of their own."""

LANGUAGE_SIGNALS = ("language", "language_score")
"""Signals that only `curate.language` measures."""

_BOUND_KEYS = frozenset({"signal", "min", "max", "in"})
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Bound(Section):
    """A rule: a signal outside [min, max], or none of `in`, fails it; a value that is NaN or null never does."""

    # `in` is a keyword of Python, so the attribute is `within`, in the recipe and in every file `in`.
    model_config = ConfigDict(serialize_by_alias=True)

    signal: str | None = None
    """What is bounded; the rule's own name unless given."""
    min: float | None = None
    max: float | None = None
    within: tuple[str, ...] | None = Field(None, alias="in", strict=False)
    """Of a signal that is text: the values that hold."""

    @property
    def shown(self) -> str:
        """For people: `20 … 100`, `≥ 20`, `≤ 100` or `en, de`."""
        if self.within is not None:
            return ", ".join(self.within)
        if self.min is not None and self.max is not None:
            return f"{self.min:,.6g} … {self.max:,.6g}"
        return f"≥ {self.min:,.6g}" if self.min is not None else f"≤ {self.max:,.6g}"

    @model_validator(mode="after")
    def _says_something(self) -> Bound:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        if self.within is not None and not (self.min is None and self.max is None):
            raise ValueError("give `in`, or `min` and `max`, not both")
        if self.within is None and self.min is None and self.max is None:
            raise ValueError("a bound needs `min`, `max` or `in`; null drops the rule")
        if self.within == ():
            raise ValueError("`in` is empty, so every row would fail")
        return self


class Rules(Section):
    """A preset, and rules that change it: for every kind, or under one kind's name; null drops a rule.

    A rule is called like its signal, or like anything else and names its signal:
    `short_answer: {signal: char_count, min: 3}`.
    """

    preset: Preset = "playbook"
    """Whose rules; `docs/rules.md` lists each."""
    all: dict[str, Bound | None] = {}
    """Rules for rows of every kind; `word_count: {min: 5}` directly under `rules:` lands here."""
    text: dict[str, Bound | None] = {}
    code: dict[str, Bound | None] = {}
    pair: dict[str, Bound | None] = {}
    chat: dict[str, Bound | None] = {}
    retrieval: dict[str, Bound | None] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        direct = {key: bound for key, bound in value.items() if key not in cls.model_fields and _is_rule(key, bound)}
        if not direct:
            return value
        rest = {key: bound for key, bound in value.items() if key not in direct}
        return {**rest, "all": {**(rest.get("all") or {}), **direct}}

    @model_validator(mode="after")
    def _known(self) -> Rules:
        problems = []
        for kind in ("all", *RULE_KINDS):
            rules: Mapping[str, Bound | None] = getattr(self, kind)
            for name, bound in rules.items():
                # What is dropped under a kind may be defined for all of them.
                known = name in SIGNALS or (kind != "all" and self.all.get(name) is not None)
                if bound is not None:
                    problems += bound_problems(name, bound)
                elif not known:
                    problems.append(f"no rule is called {name!r}{did_you_mean(name, [*SIGNALS, *_given(self.all)])}")
        if problems:
            raise ValueError("; ".join(dict.fromkeys(problems)))
        return self


def _given(rules: Mapping[str, Bound | None]) -> list[str]:
    return [name for name, bound in rules.items() if bound is not None]


def _is_rule(key: str, value: Any) -> bool:
    """Whether a key under `rules:` is meant as a rule, so that a wrong name is judged as one."""
    if key in SIGNALS or value is None:
        return True
    return isinstance(value, Bound) or (isinstance(value, dict) and bool(value) and set(value) <= _BOUND_KEYS)


def bound_problems(name: str, bound: Bound) -> list[str]:
    """What is wrong with a rule, given what its signal can be; nothing if it is right."""
    named = bound.signal or name
    signal = SIGNALS.get(named)
    if signal is None:
        return [f"no signal is called {named!r}{did_you_mean(named, SIGNALS)}"]
    if not _NAME.fullmatch(name) or name in Rules.model_fields:
        return [f"{name!r} cannot be a rule's name: small letters, digits and _, and no key of `rules`"]
    if name in SIGNALS and named != name:
        return [f"the rule {name!r} bounds {named}, but {name} is a signal itself: give the rule another name"]
    return _range_problems(name, bound, signal)


def _range_problems(name: str, bound: Bound, signal: Signal) -> list[str]:
    if (signal.type == "string") != (bound.within is not None):
        wanted = "`in`" if signal.type == "string" else "`min` and `max`"
        return [f"{name}: {signal.name} takes {wanted}"]
    problems = [
        f"{name}: {signal.name} is never {value!r}; give codes such as 'en', of ISO 639"
        for value in bound.within or ()
        if value not in signal.values
    ]
    for side, value in (("min", bound.min), ("max", bound.max)):
        # Such a bound fails no row or every row; both are slips, a percentage for a share above all.
        if value is not None and (value < 0 or (signal.high is not None and value > signal.high)):
            range_ = "0 or more" if signal.high is None else f"between 0 and {signal.high:g}"
            problems.append(f"{name}: {side} {value:g}, but {signal.name} is always {range_}")
    return problems
