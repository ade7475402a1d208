"""`export`: a run in the formats that other trainers read."""

from __future__ import annotations

import argparse
from pathlib import Path

__all__ = ["add_commands"]


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `export` to the parser."""
    export = commands.add_parser("export", parents=[shared], help="write a run in a format that other trainers read")
    export.add_argument("run", metavar="RUN", help="the run directory")
    export.add_argument("--format", required=True, metavar="F", help="megatron, nanogpt, nemo, jsonl or hf")
    export.add_argument("--header", choices=("current", "legacy"), default="current", help="of nanogpt files")
    export.add_argument("out", metavar="OUT", type=Path, help="a new folder, or that of an earlier export")
    export.set_defaults(command=_export)


def _export(arguments: argparse.Namespace) -> int:
    from pipeline.export import export
    from pipeline.run import RunDirectory

    run, _ = RunDirectory.existing(arguments.run)
    with run.lock():
        about = export(run, arguments.format, arguments.out.absolute(), header=arguments.header)
    for split, counts in about["splits"].items():
        print(f"{split}: " + ", ".join(f"{value:,} {key}" for key, value in counts.items() if isinstance(value, int)))
    print(f"note: {about['note']}")
    print(arguments.out)
    return 0
