"""Who may speak in a conversation."""

from __future__ import annotations

__all__ = ["CUT_FIRST", "ROLES"]

ROLES = ("system", "developer", "user", "assistant", "tool", "function")

CUT_FIRST = (*ROLES, "input", "output")
"""What `pack.truncation_field` may name beside the fields of a prompt template; `input` is the user, `output` the
assistant."""
