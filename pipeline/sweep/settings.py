"""`word_count.min=20,50,100`: which bounds a sweep tries."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config import Bound
from pipeline.config.rules import bound_problems
from pipeline.errors import InputError, did_you_mean
from pipeline.signals import SIGNALS
from pipeline.sweep.measured import MeasuredRows

__all__ = ["Setting", "parse_settings", "signal_of", "with_setting"]

_EXPRESSION = re.compile(r"(?P<rule>[^.=]+)\.(?P<side>min|max|in)=(?P<values>.+)")

_EXAMPLE = "write RULE.min=20,50,100, RULE.max=0.2 or RULE.in=en,en+de; null is no bound"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One side of one rule's bound; the value None takes that side away."""

    rule: str
    side: str
    value: float | tuple[str, ...] | None

    @property
    def key(self) -> str:
        """What is set, as it is written on the command line."""
        return f"{self.rule}.{self.side}"

    @property
    def shown(self) -> str:
        """The value, as it is written on the command line."""
        if self.value is None:
            return "null"
        return "+".join(self.value) if isinstance(self.value, tuple) else f"{self.value:g}"


def parse_settings(expressions: Sequence[str], rows: MeasuredRows) -> list[list[Setting]]:
    """The settings of every expression, one a value.

    Raises:
        InputError: an expression is malformed, stands twice, names no rule of the run and no signal, or a value is none
            that its signal can be compared with.
    """
    parsed = [_parse(expression, rows) for expression in expressions]
    keys = [settings[0].key for settings in parsed]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"{key} is given twice", mend=f"give all its values at once: {key}=20,50")
    return parsed


def signal_of(rule: str, rows: MeasuredRows) -> str | None:
    """The signal that a rule bounds: a rule of the run, or a signal itself; None for neither."""
    for rules in rows.rules.values():
        if rule in rules:
            return rules[rule].signal
    return rule if rule in SIGNALS else None


def with_setting(bound: Bound, setting: Setting) -> Bound:
    """The bound with one side replaced."""
    return bound.model_copy(update={"within" if setting.side == "in" else setting.side: setting.value})


def _parse(expression: str, rows: MeasuredRows) -> list[Setting]:
    match = _EXPRESSION.fullmatch(expression)
    if match is None:
        raise InputError(f"{expression!r} sets no bound", mend=_EXAMPLE)
    rule, side = match["rule"], match["side"]
    signal = signal_of(rule, rows)
    if signal is None:
        known = [*rows.names, *SIGNALS]
        raise InputError(
            f"the run has no rule, and there is no signal, {rule!r}{did_you_mean(rule, known)}",
            mend="`curate-and-train sweep RUN` lists the run's rules; docs/signals.md lists the signals",
        )
    settings = [
        Setting(rule=rule, side=side, value=_value(text, side, expression)) for text in match["values"].split(",")
    ]
    for setting in settings:
        if setting.value is not None:
            problems = bound_problems(rule, with_setting(Bound.model_construct(signal=signal), setting))
            if problems:
                raise InputError(problems[0], where=expression, mend=_EXAMPLE)
    return settings


def _value(text: str, side: str, expression: str) -> float | tuple[str, ...] | None:
    if text == "null":
        return None
    if side == "in":
        return tuple(text.split("+"))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{text!r} is no number", where=expression, mend=_EXAMPLE)
    return value
