"""`run`, one command a stage, and `report`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.cli.history import add_rollback, rollback
from pipeline.cli.recipe import add_recipe, read_recipe

if TYPE_CHECKING:
    from pipeline.config import Recipe
    from pipeline.run import RunDirectory

__all__ = ["add_commands"]

_HELP = {
    "curate": "read, clean, redact, filter, deduplicate and split the sources",
    "pack": "tokenise the kept rows and pack them into bins",
    "train": "train the model on the bins, under torchrun",
    "evaluate": "measure the model before and after on validation and test rows",
    "promote": "make the candidate the champion if it is better",
}


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `run`, the five stages and `report` to the parser."""
    run = commands.add_parser("run", parents=[shared], help="every stage, then the report; reuses what is unchanged")
    add_recipe(run)
    run.set_defaults(command=_run)
    for name, text in _HELP.items():
        one = commands.add_parser(name, parents=[shared], help=text)
        add_recipe(one)
        one.set_defaults(command=_one, stage=name)
        if name == "promote":
            add_rollback(one)
    page = commands.add_parser("report", parents=[shared], help="write the HTML page of a run again")
    page.add_argument("run", metavar="RUN", help="the run directory")
    page.set_defaults(command=_report)


def _run(arguments: argparse.Namespace) -> int:
    from pipeline import preflight
    from pipeline.stages import hold, order, run_stage

    recipe = read_recipe(arguments)
    preflight.check(recipe, packs=True)
    with hold(recipe) as run:
        for name in order(recipe):
            run_stage(name, run, recipe)
        _write_report(run, recipe)
    _print_summary(run)
    return 0


def _one(arguments: argparse.Namespace) -> int:
    if arguments.stage == "promote" and (arguments.rollback or arguments.to):
        return rollback(arguments)
    from pipeline import preflight
    from pipeline.stages import hold, run_stage

    recipe = read_recipe(arguments)
    name: str = arguments.stage
    preflight.check(recipe, packs=name != "curate")
    if name == "train" and recipe.train is not None and recipe.train.launch.node_rank:
        return _join(recipe)
    with hold(recipe, needs_before=name) as run:
        manifest = run_stage(name, run, recipe)
    rows = manifest.rows
    print(f"{name}: done in {run.shown}" + (f" ({_sentence(rows)})" if rows else ""))
    return 0


def _join(recipe: Recipe) -> int:
    """Train with the machine that has `node_rank` 0 and holds the run directory."""
    from pipeline.failures import explained
    from pipeline.run import RunDirectory
    from pipeline.train import join

    run, _ = RunDirectory.existing(recipe.run)
    with explained(run, "train"):
        join(run, recipe)
    print(f"train: node {recipe.training.launch.node_rank} is done")
    return 0


def _report(arguments: argparse.Namespace) -> int:
    from pipeline.run import RunDirectory

    run, recipe = RunDirectory.existing(arguments.run)
    with run.lock():
        _write_report(run, recipe)
    print(run.shown / "report.html")
    return 0


def _write_report(run: RunDirectory, recipe: Recipe) -> None:
    from pipeline.failures import explained

    with explained(run, "report"):
        from pipeline.report import report

        report(run, recipe)


def _print_summary(run: RunDirectory) -> None:
    from pipeline.report.funnel import print_summary

    print_summary(run)


def _sentence(rows: dict[str, int]) -> str:
    return (
        f"{rows['in']:,} rows in = {rows['kept']:,} kept + {rows['dropped']:,} dropped + {rows['rejected']:,} rejected"
    )
