"""`pack.truncation_field` names what exists: a role that rows have, or a field of the prompt template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.config import Pack
from pipeline.config.roles import CUT_FIRST, ROLES
from pipeline.errors import InputError, did_you_mean
from pipeline.pack.prompt_template import chat_template_of, is_prompt_template, named_fields
from pipeline.pack.shipped import NAMES
from pipeline.pack.template import read_template

__all__ = ["ROLE_COUNTS", "check_cut", "check_fields", "check_recipe_fields"]

ROLE_COUNTS = tuple(f"rows_with_{role}" for role in ROLES)
"""Counted of a part: rows that have a message of each role."""

_ALIASES = {"input": "user", "output": "assistant"}


def check_recipe_fields(pack: Pack) -> None:
    """What can be told without a tokenizer.

    Raises:
        InputError: `truncation_field` names neither a role nor a field of the template.
    """
    if pack.template == "default" and pack.tokenizer is not None:
        return  # its own template may have fields: `check_fields` is asked once it is open
    text = "" if pack.template in ("default", *NAMES) else read_template(pack.template)
    check_fields(pack.truncation_fields, chat_template_of(text, bos=False) if is_prompt_template(text) else text)


def check_fields(fields: Iterable[str], chat_template: str) -> None:
    """Hold the fields against those of a chat template.

    Raises:
        InputError: one is neither a role nor a field of the template.
    """
    known = list(dict.fromkeys([*named_fields(chat_template), *CUT_FIRST]))
    for field in fields:
        if field not in known:
            raise InputError(
                f"there is nothing called {field!r} to cut first{did_you_mean(field, known)}",
                where=f"pack.truncation_field: {field}",
                mend="name a role, or a field of the prompt template: " + ", ".join(known),
            )


def check_cut(fields: Iterable[str], chat_template: str, counts: Mapping[str, int]) -> None:
    """Hold the fields against the rows of a run.

    Args:
        fields: `pack.truncation_field`.
        chat_template: whose named fields every row has.
        counts: `ROLE_COUNTS`, over all parts.

    Raises:
        InputError: no row has one of them.
    """
    named = named_fields(chat_template)
    have = [role for role in ROLES if counts[f"rows_with_{role}"]]
    for field in fields:
        if field not in named and _ALIASES.get(field, field) not in have:
            raise InputError(
                f"no row has {field!r}, which is to be cut first",
                where=f"pack.truncation_field: {field}",
                mend="leave it out; what rows have is: " + (", ".join([*have, *named]) or "no messages with roles"),
            )
