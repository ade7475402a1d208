"""`history`: the registry of models, and `promote --rollback`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.cli.recipe import add_recipe, read_recipe

if TYPE_CHECKING:
    from pipeline.evaluate.champion import Champion

__all__ = ["add_commands", "add_rollback", "rollback"]

_SHOWN = 12
"""Characters of a fingerprint."""


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `history` to the parser."""
    one = commands.add_parser(
        "history", parents=[shared], help="every model that was promoted, kept out or taken back, and why"
    )
    add_recipe(one)
    one.add_argument("--json", action="store_true", help="all that the registry holds, as JSON")
    one.set_defaults(command=_history)


def add_rollback(promote: argparse.ArgumentParser) -> None:
    """Add the options of `promote` that move the pointer back."""
    promote.add_argument("--rollback", action="store_true", help="make the former champion the champion again")
    promote.add_argument("--to", metavar="MODEL", help="with --rollback: the model to go to, as `history` shows it")


def rollback(arguments: argparse.Namespace) -> int:
    """Run `promote --rollback`."""
    from pipeline.errors import RecipeError
    from pipeline.promote import rollback as move

    if not arguments.rollback:
        raise RecipeError("--to goes with --rollback", where="--to", mend="write promote --rollback --to MODEL RECIPE")
    champion = move(read_recipe(arguments), to=arguments.to).champion
    print(f"the champion is {champion.model[:_SHOWN]} of {champion.run} again")
    return 0


def _history(arguments: argparse.Namespace) -> int:
    import json

    from pipeline.cli.tables import print_table
    from pipeline.promote import history

    standing, pointer = history(read_recipe(arguments))
    if arguments.json:
        print(json.dumps(standing.to_json() if standing else None, indent=1, ensure_ascii=False))
        return 0
    if standing is None:
        print(f"there is no champion yet; {pointer} will name it")
        return 0
    rows = [
        (
            "*" if _is_last(number, standing.history, standing.champion) else "",
            str(one.get("time", "")),
            str(one["event"]),
            str(one.get("model", ""))[:_SHOWN],
            str(one.get("run", "")),
            *(str(one.get(name, ""))[:_SHOWN] for name in ("recipe", "data", "tokenizer", "template")),
            str(one.get("code", "")).rpartition(" ")[2][:_SHOWN],
            str(one.get("reason", "")),
        )
        for number, one in enumerate(standing.history)
    ]
    head = ("", "time", "event", "model", "run", "recipe", "data", "tokenizer", "template", "code", "why")
    print_table(head, rows)
    print(f"* the champion, as {pointer} says")
    return 0


def _is_last(number: int, history: list[dict[str, object]], champion: Champion) -> bool:
    """Whether an entry is the last of the champion."""
    return champion.model == history[number].get("model") and all(
        one.get("model") != champion.model for one in history[number + 1 :]
    )
