"""`harness`: lm-evaluation-harness on a run's model."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_commands"]


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `harness` to the parser."""
    one = commands.add_parser(
        "harness", parents=[shared], help="run tasks of lm-evaluation-harness on a run's model (extra `harness`)"
    )
    one.add_argument("run", metavar="RUN", help="the run directory")
    one.add_argument("--tasks", required=True, metavar="A,B", help="names of tasks")
    one.add_argument("--include", type=Path, metavar="FOLDER", help="of tasks of your own")
    one.add_argument("--limit", type=int, metavar="N", help="rows of each task")
    one.add_argument("--shots", type=int, metavar="N", help="examples in the prompt")
    one.add_argument("--plain", action="store_true", help="without the chat template")
    one.set_defaults(command=_harness)


def _harness(arguments: argparse.Namespace) -> int:
    from pipeline.cli.tables import print_table
    from pipeline.evaluate.harness import run_harness
    from pipeline.run import RunDirectory

    run, recipe = RunDirectory.existing(arguments.run)
    with run.lock():
        results = run_harness(
            run,
            arguments.tasks.split(","),
            include=arguments.include,
            limit=arguments.limit,
            shots=arguments.shots,
            batch=recipe.evaluate.batch,
            chat=not arguments.plain,
            device="cuda" if recipe.device == "cuda" else "cpu",
            seed=recipe.seed,
        )
    rows = [(task, name, value) for task, values in results.items() for name, value in values.items()]
    print_table(("task", "metric", "value"), rows)
    return 0
