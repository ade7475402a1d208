"""Names that a caller gives, checked."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["known"]


def known(names: Sequence[str], among: Sequence[str], what: str) -> None:
    """Raise ValueError for a name that is not among those there are."""
    for name in names:
        if name not in among:
            raise ValueError(f"no {what} is called {name!r}; there are {', '.join(among)}")
