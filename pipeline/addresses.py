"""Addresses as they may be shown: without the user and the password that stand in them."""

from __future__ import annotations

import re

__all__ = ["without_secrets"]

_SECRET = re.compile(r"(?<=://)[^\s/?#]*@")
"""RFC 3986 §3.2.1: all of an authority up to its last `@`."""


def without_secrets(text: str) -> str:
    """A text, such as another program's message, with `user:password@` taken out of every address in it."""
    return _SECRET.sub("", text)
