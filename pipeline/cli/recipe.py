"""`validate` and `plan`: what a recipe says and what it would do; neither writes anything."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.config import Recipe

__all__ = ["add_commands", "add_recipe", "read_recipe"]


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `validate` and `plan` to the parser."""
    validate = commands.add_parser(
        "validate", parents=[shared], help="every problem of a recipe at once, or the recipe with its defaults"
    )
    add_recipe(validate)
    validate.set_defaults(command=_validate)
    plan = commands.add_parser("plan", parents=[shared], help="what would run, what is reused, and why")
    add_recipe(plan)
    plan.set_defaults(command=_plan)


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a recipe and change it."""
    parser.add_argument("recipe", metavar="RECIPE", help="a YAML file, such as data/demo.yaml")
    parser.add_argument(
        "overrides", metavar="key.path=value", nargs="*", help="change a key: train.steps=50, sources.0.path=x.jsonl"
    )


def read_recipe(arguments: argparse.Namespace) -> Recipe:
    """The recipe that the arguments name, with their overrides.

    Raises:
        RecipeError: with every problem.
    """
    from pipeline.recipe import load_recipe

    return load_recipe(arguments.recipe, arguments.overrides)


def _validate(arguments: argparse.Namespace) -> int:
    from pipeline import preflight
    from pipeline.recipe import dump_recipe

    recipe = read_recipe(arguments)
    preflight.check(recipe)
    if recipe.train is not None:
        from pipeline.train.outlook import outlook  # seconds, for torch: so `run` does without

        outlook(recipe)
    print(f"# {arguments.recipe} is right; fingerprint: {recipe.fingerprint()}")
    print(dump_recipe(recipe), end="")
    return 0


def _plan(arguments: argparse.Namespace) -> int:
    from pipeline import preflight
    from pipeline.cli.tables import print_table
    from pipeline.run import RunDirectory
    from pipeline.stages import outlook

    recipe = read_recipe(arguments)
    preflight.check(recipe)
    run = RunDirectory(Path(recipe.run))
    run.check_owner(recipe)
    rows = [(stage.stage, stage.action, stage.why) for stage in outlook(run, recipe)]
    if recipe.train is not None:
        from pipeline.train.outlook import outlook as train_outlook

        training = train_outlook(recipe, run)
    print_table(("stage", "action", "why"), rows)
    if recipe.train is not None:
        print()
        print_table(("training", "what"), training.rows())
    return 0
