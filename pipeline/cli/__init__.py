"""The `curate-and-train` command.

Everything heavy is imported inside the commands, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pipeline import __version__
from pipeline.cli import doctor, export, harness, history, inspect, lint, recipe, retrain, stages, sweep
from pipeline.cli.boundary import exit_code

__all__ = ["main"]

_EPILOG = """\
exit codes:
  0   done
  2   the recipe, the input or the machine is wrong; trying again cannot help
  75  stopped from outside with finished work saved; the same command goes on from there
  130 interrupted by Ctrl-C; the same command goes on from there
  1   anything else
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Raises:
        SystemExit: from argparse, for `--help`, `--version` (0) and a wrong command line (2).
    """
    arguments = _parser().parse_args(argv)
    return exit_code(arguments.command, arguments, debug=arguments.debug)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="curate-and-train",
        description="Turn raw domain data into a fine-tuned language model, again and again, unattended.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"curate-and-train {__version__}")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for group in (stages, retrain, history, harness, recipe, inspect, export, lint, sweep, doctor):
        group.add_commands(commands, shared)
    return parser
