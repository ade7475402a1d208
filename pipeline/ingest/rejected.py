"""Why a line is no row."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.errors import did_you_mean

__all__ = ["RULES", "Rejected", "missing_key", "nameable"]

RULES = (
    "malformed_json",
    "malformed_csv",
    "invalid_utf8",
    "missing_key",
    "null_value",
    "wrong_type",
    "wrong_role",
    "wrong_label",
    "missing_document",
    "wrong_tool_call",
    "empty_text",
    "too_long",
)
"""Every `rule` that stage `ingest` writes into the ledger."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,39}")


class Rejected(Exception):
    """This line cannot become a row.

    Args:
        rule: one of `RULES`.
        reason: a few words. They go into the ledger, so they may name keys of the format, types, columns and
            numbers, but never anything that the row says.
        value: what was measured, where the rule is a bound.
        threshold: the bound.
    """

    def __init__(self, rule: str, reason: str, *, value: float | None = None, threshold: float | None = None) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason
        self.value = value
        self.threshold = threshold


def missing_key(key: str, present: Iterable[str], *, where: str = "") -> Rejected:
    """The rejection of a row without `key`; names the nearest key that it has, if that is a plain word."""
    return Rejected("missing_key", f"{where}no key {key!r}{did_you_mean(key, nameable(present))}")


def nameable(keys: Iterable[str]) -> list[str]:
    """The keys of a row that may stand in a ledger or a message: plain words, as a key can hold personal data too."""
    return [key for key in keys if _PLAIN_KEY.fullmatch(key)]
