"""`retrain`: the next batch of a series."""

from __future__ import annotations

import argparse

from pipeline.cli.recipe import add_recipe

__all__ = ["add_commands"]


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `retrain` to the parser."""
    one = commands.add_parser(
        "retrain", parents=[shared], help="train again on new shards beside the earlier ones, and promote if better"
    )
    add_recipe(one)
    one.set_defaults(command=_retrain)


def _retrain(arguments: argparse.Namespace) -> int:
    from pipeline.retrain import retrain
    from pipeline.run import RunDirectory

    done = retrain(arguments.recipe, arguments.overrides)
    if done.run is None:
        print(f"retrain: {done.reason}")
        return 0
    from pipeline.report.funnel import print_summary

    print_summary(RunDirectory(done.run))
    return 0
