"""Who speaks: the file's names for roles, and those that a source's `roles` adds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.config import Source
from pipeline.errors import RecipeError, did_you_mean

__all__ = ["speakers_of"]


def speakers_of(source: Source, known: Iterable[str]) -> Mapping[str, str]:
    """The names that a file may give to speakers → those of the format.

    Args:
        source: its `roles` are added to the format's own names, or give one of these another meaning.
        known: the format's own names.

    Raises:
        RecipeError: `roles` names none of the format's.
    """
    own = list(known)
    for name, role in source.roles.items():
        if role not in own:
            raise RecipeError(
                f"format {source.format} knows no role {role!r}{did_you_mean(role, own)}",
                where=f"source {source.name}, roles: {name}",
                mend=f"give one of {', '.join(own)}",
            )
    return {name: name for name in own} | source.roles
