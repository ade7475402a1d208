"""The kinds of personal data that are looked for."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["ENTITIES", "Entity"]

Entity = Literal[
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
]

ENTITIES: tuple[str, ...] = get_args(Entity)
"""Each is replaced by its tag: its name in upper case within angle brackets, as in `<CREDIT_CARD>`."""
