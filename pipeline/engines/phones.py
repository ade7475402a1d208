"""Telephone numbers."""

from __future__ import annotations

__all__ = ["COUNTRIES"]

COUNTRIES: tuple[str, ...] = ("US", "CA", "GB")
"""The countries (ISO 3166) whose national forms are looked for, unless the recipe names others."""
