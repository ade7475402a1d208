"""`doctor`: can this machine run the pipeline?"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

__all__ = ["add_commands"]


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `doctor` to the parser."""
    doctor = commands.add_parser(
        "doctor", parents=[shared], help="versions, devices, memory, disk, Prefect API; exit code 1 if a check fails"
    )
    doctor.add_argument("--json", action="store_true", help="machine-readable")
    doctor.set_defaults(command=_doctor)


def _doctor(arguments: argparse.Namespace) -> int:
    from pipeline import __version__
    from pipeline.cli.tables import print_table
    from pipeline.doctor import examine

    checks = list(examine(Path.cwd()))
    failed = [check for check in checks if check.state == "fail"]
    if arguments.json:
        report = {"version": __version__, "passed": not failed, "checks": [asdict(check) for check in checks]}
        print(json.dumps(report, indent=1))
    else:
        columns = ("check", "state", "found", "mend")
        print_table(columns, [(check.name, check.state, check.found, check.mend) for check in checks])
    return 1 if failed else 0
