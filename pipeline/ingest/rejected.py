"""Why a line is no row."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.errors import did_you_mean, plain_keys

__all__ = ["RULES", "Rejected", "missing_key"]

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
    "not_text",
    "too_long",
)
"""Every `rule` that stage `ingest` writes into the ledger."""


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
    near = did_you_mean(key, plain_keys(present))
    return Rejected("missing_key", f"{where}no key {key!r}{near}")
