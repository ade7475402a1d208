"""`inspect`: what happened to rows, and what the model sees of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import Recipe
    from pipeline.inspect_run import Kept
    from pipeline.run import RunDirectory

__all__ = ["add_commands"]

_DROPPED = 20
_TOKENS = 3


def add_commands(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add `inspect` to the parser."""
    inspect = commands.add_parser(
        "inspect", parents=[shared], help="what happened to rows; tokens with their loss mask"
    )
    inspect.add_argument("run", metavar="RUN", help="the run directory")
    what = inspect.add_mutually_exclusive_group(required=True)
    what.add_argument("--dropped", action="store_true", help="rows that were dropped, and by which rule")
    what.add_argument("--row", metavar="ID", help="where this row is")
    what.add_argument("--tokens", action="store_true", help="packed tokens; the targets are marked")
    what.add_argument("--token", metavar="BIN:OFFSET", help="which row, message and characters a packed token is of")
    inspect.add_argument("--rule", metavar="R", help="with --dropped: only this rule's")
    inspect.add_argument(
        "-n", type=_count, metavar="N", help=f"how many (default: {_DROPPED} rows, {_TOKENS} examples)"
    )
    inspect.set_defaults(command=_inspect)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"give a whole number from 1, not {text!r}")
    return int(text)


def _inspect(arguments: argparse.Namespace) -> int:
    from pipeline.errors import RecipeError
    from pipeline.run import RunDirectory

    if arguments.rule is not None and not arguments.dropped:
        raise RecipeError("--rule goes with --dropped", mend="curate-and-train inspect RUN --dropped --rule R")
    run, recipe = RunDirectory.existing(arguments.run)
    if arguments.dropped:
        _show_dropped(run, arguments.rule, arguments.n or _DROPPED)
    elif arguments.row is not None:
        _show_row(run, arguments.row)
    elif arguments.token is not None:
        _show_token(run, recipe, arguments.token)
    else:
        from pipeline.pack.show import show_tokens

        show_tokens(run, arguments.n or _TOKENS)
    return 0


def _show_dropped(run: RunDirectory, rule: str | None, limit: int) -> None:
    from pipeline.cli.tables import print_table
    from pipeline.inspect_run import alone_by_rule, dropped_rows, drops_by_rule

    lines = dropped_rows(run, rule=rule, limit=limit)
    counts = {key: count for key, count in drops_by_rule(run).items() if rule in (None, key[1])}
    if not counts:
        print("no row was dropped" + (f" by {rule}" if rule else ""))
        return
    # Rows that only this rule drops; the other stages have one line a row.
    alone = {("filter", name): f"{count:,}" for name, count in alone_by_rule(run).items()}
    rows = [(*key, f"{count:,}", alone.get(key, "")) for key, count in counts.items()]
    print_table(("stage", "rule", "lines", "alone"), rows)
    print()
    _print_ledger(lines)
    if (total := sum(counts.values())) > len(lines):
        print(f"… and {total - len(lines):,} more; -n {total} shows all")


def _show_row(run: RunDirectory, row_id: str) -> None:
    from pipeline.cli.tables import print_table
    from pipeline.inspect_run import Dropped, find_row

    found = find_row(run, row_id)
    if isinstance(found, Dropped):
        print(f"{row_id}: not kept; the ledger says why")
        print()
        _print_ledger(found.lines)
        if found.signals:
            print()
            print_table(("signal", "value"), found.signals.items())
    else:
        _print_kept(found)


def _show_token(run: RunDirectory, recipe: Recipe, place: str) -> None:
    from pipeline.cli.tables import print_table
    from pipeline.inspect_run import Kept, decisions, find_row
    from pipeline.pack.lineage import trace

    origin = trace(run, recipe, place)
    part = origin.part or "cannot be told: the template writes another text once the row's strings are marked in it"
    where = f"message {origin.message} ({origin.role}), {part}" if origin.role else part
    span = f", characters {origin.characters[0]} to {origin.characters[1]}" if origin.characters else ""
    facts = [
        ("token", f"{origin.split}:{origin.bin}:{origin.offset} is {origin.token} {origin.text!r}"),
        ("loss", "target" if origin.target else "context"),
        ("row", origin.row),
        ("token of the row", origin.place),
        ("from", where + span),
    ]
    print_table(("what", "found"), facts)
    found = find_row(run, origin.row)
    if isinstance(found, Kept):
        print()
        print_table(("decision", "value", "bound"), decisions(run, found))


def _print_kept(kept: Kept) -> None:
    from pipeline.cli.tables import print_table, printable
    from pipeline.schema import SIGNALS

    row = kept.row
    print(f"{printable(row['id'])}: kept in {kept.split} (source {row['source']}, kind {row['kind']})")
    if kept.lines:
        print("but not packed:")
        _print_ledger(kept.lines)
    if kept.cut:
        print("evaluation texts were cut out of it:")
        _print_ledger(kept.cut)
    print()
    signals = [(name, row[name]) for name in SIGNALS]
    print_table(("signal", "value"), [("cluster", f"{row['cluster']:016x}"), *signals])
    for message in row["messages"]:
        print(f"\n── {message['role']}")
        print(printable(message["content"]))
        if message["extra"]:
            print(f"   extra: {printable(message['extra'])}")
    for key in ("tools", "metadata"):
        if row[key]:
            print(f"\n── {key}\n{printable(row[key])}")


def _print_ledger(lines: Iterable[dict[str, Any]]) -> None:
    from pipeline.cli.tables import print_table

    columns = ("id", "stage", "rule", "value", "threshold", "evidence")
    print_table(columns, [[line[column] for column in columns] for line in lines])
