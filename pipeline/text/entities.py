"""The kinds of personal data that are looked for."""

from __future__ import annotations

__all__ = ["ENTITIES"]

ENTITIES = (
    "email",
    "phone",
    "ip",
    "credit_card",
    "ssn",
    "iban",
    "mac",
    "crypto",
    "url_credentials",
    "private_key",
    "api_key",
)
"""Each is replaced by its tag: its name in upper case within angle brackets, as in `<CREDIT_CARD>`."""
