"""Which keys of two nested values differ: what a message names when a run is not reused."""

from __future__ import annotations

from typing import Any

__all__ = ["differences"]


def differences(at: str, old: Any, new: Any) -> list[str]:
    """Dotted keys whose values differ, with both values where they are short."""
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for key in sorted({*old, *new}):
            found += differences(f"{at}.{key}" if at else str(key), old.get(key), new.get(key))
        return found
    if old == new:
        return []
    shown = f" {old} → {new}" if len(f"{old}{new}") < 60 else ""
    return [f"{at}{shown}"]
