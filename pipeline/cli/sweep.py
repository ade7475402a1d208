"""`sweep`: what other bounds of the rules would do, without reading text again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.run import RunDirectory

__all__ = ["add_commands"]

_EXAMPLES = """\
examples:
  sweep runs/demo                                   what each rule removes, alone and in all
  sweep runs/demo word_count.min=20,50,100          rows kept for each value
  sweep runs/demo word_count.min=20,50 url_share.max=0.1,null --kind pair
"""


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `sweep` to the parser."""
    sweep = commands.add_parser(
        "sweep",
        parents=[shared],
        help="what other bounds of the rules would do; no text is read again",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    sweep.add_argument("run", metavar="RUN", help="the run directory")
    sweep.add_argument(
        "settings", metavar="rule.min=value,…", nargs="*", help="bounds to try: min, max or in; null is no bound"
    )
    sweep.add_argument("--kind", metavar="K", help="only rows of this kind")
    sweep.add_argument("--source", metavar="S", help="only rows of this source")
    sweep.set_defaults(command=_sweep)


def _sweep(arguments: argparse.Namespace) -> int:
    from pipeline.run import RunDirectory

    run, _ = RunDirectory.existing(arguments.run)
    if arguments.settings:
        _show_outcomes(run, arguments.settings, arguments.kind, arguments.source)
    else:
        _show_removals(run, arguments.kind, arguments.source)
    return 0


def _show_outcomes(run: RunDirectory, expressions: list[str], kind: str | None, source: str | None) -> None:
    from pipeline.cli.tables import print_table
    from pipeline.sweep import sweep

    outcomes = sweep(run, expressions, kind=kind, source=source)
    keys = [setting.key for setting in outcomes[-1].settings]
    rules = list(outcomes[0].alone)
    print_table(
        (*keys, "source", "rows", "kept", "dropped", "change", *(f"{rule} alone" for rule in rules)),
        [
            (
                *([setting.shown for setting in outcome.settings] or ["as run"] * len(keys)),
                outcome.source or "all",
                f"{outcome.rows:,}",
                f"{outcome.kept:,}",
                f"{outcome.dropped:,}",
                f"{outcome.change:+,}",
                *(f"{outcome.alone[rule]:,}" for rule in rules),
            )
            for outcome in outcomes
        ],
    )


def _show_removals(run: RunDirectory, kind: str | None, source: str | None) -> None:
    from pipeline.cli.tables import print_table
    from pipeline.sweep import QUANTILES, removals

    found = removals(run, kind=kind, source=source)
    if not found:
        print("no rule was applied to these rows")
        return
    print_table(
        ("rule", "kind", "bound", "rows", "failed", "alone", *(f"p{100 * share:g}" for share in QUANTILES)),
        [
            (
                *(one.rule, one.kind, one.bound.shown),
                *(f"{count:,}" for count in (one.rows, one.failed, one.alone)),
                *one.quantiles,
            )
            for one in found
        ],
    )
