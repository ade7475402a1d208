"""What happened to a row: kept in a split, dropped by a rule, or never seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipeline.errors import InputError, RunDirectoryError, did_you_mean
from pipeline.report.rules import read_rules
from pipeline.run import Manifest, RunDirectory
from pipeline.schema import CURATED, LEDGER, SIGNALS, SPLITS, VERDICTS
from pipeline.signals import SIGNALS as KNOWN_SIGNALS

__all__ = ["Dropped", "Kept", "alone_by_rule", "decisions", "dropped_rows", "drops_by_rule", "find_row"]

_CANDIDATES = 20_000
"""Ids that are searched for a near one; more would make a mistyped id slow."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A row that curation kept, as it is stored (cleaned and redacted)."""

    split: str
    row: Mapping[str, Any]
    lines: list[dict[str, Any]]
    """Ledger lines of packing, where the row did not become an example."""
    cut: list[dict[str, Any]]
    """What of evaluation sets was cut out of it, in the form of the ledger."""


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """The ledger's lines about a row, and its signals if it reached the rules."""

    lines: list[dict[str, Any]]
    signals: Mapping[str, float | str | None]


def find_row(run: RunDirectory, row_id: str) -> Kept | Dropped:
    """Say where the row with this id is.

    Raises:
        InputError: no row has this id; the message names a near one.
        RunDirectoryError: the run has no finished curation.
    """
    _require_curated(run)
    same = pc.field("id") == row_id
    lines = _ledger(run).to_table(filter=same).to_pylist()
    for split in SPLITS:
        found = _curated(run, split).head(1, filter=same).to_pylist()
        if found:
            return Kept(split=split, row=found[0], lines=lines, cut=_cut_out(run).to_table(filter=same).to_pylist())
    if lines:
        measured = _parts(run, "signals", VERDICTS).head(1, filter=same).to_pylist()
        return Dropped(lines=lines, signals={name: measured[0][name] for name in SIGNALS} if measured else {})
    raise InputError(
        f"no row of this run has the id {row_id!r}{did_you_mean(row_id, _ids_like(run, row_id))}",
        where=str(run.root),
        mend="an id is <source>/<shard>#<row>, rows counted from 0; sources: " + ", ".join(_sources(run)),
    )


def decisions(run: RunDirectory, kept: Kept) -> list[tuple[str, Any, str]]:
    """What curation decided on a kept row: its split, its cluster, and each rule with the row's value and the bound."""
    row = kept.row
    found: list[tuple[str, Any, str]] = [
        ("split", kept.split, ""),
        ("cluster", f"{row['cluster']:016x}", "near duplicates share it; this row is the one that was kept"),
    ]
    for one in read_rules(run) or []:
        if (bound := one.bounds.get(row["kind"])) is not None:
            signal = next((word for word in (one.rule, bound.split()[0]) if word in row), None)
            found.append((one.rule, row[signal] if signal else None, bound))
    return found


def dropped_rows(run: RunDirectory, *, rule: str | None = None, limit: int = 20) -> list[dict[str, Any]]:
    """The first lines of the ledger, of one rule or of all.

    Raises:
        InputError: there is no such rule.
        RunDirectoryError: the run has no finished curation.
    """
    if rule is None:
        _require_curated(run)
        return _ledger(run).head(limit).to_pylist()  # type: ignore[no-any-return]
    known = {name for _, name in drops_by_rule(run)} | {one.rule for one in read_rules(run) or []}
    known |= set(KNOWN_SIGNALS)
    if rule not in known:
        raise InputError(
            f"no rule is called {rule!r}{did_you_mean(rule, sorted(known))}",
            where=str(run.path("ledger")),
            mend="`curate-and-train inspect RUN --dropped` lists the rules that dropped rows",
        )
    return _ledger(run).head(limit, filter=pc.field("rule") == rule).to_pylist()  # type: ignore[no-any-return]


def drops_by_rule(run: RunDirectory) -> dict[tuple[str, str], int]:
    """Lines of the ledger by (stage, rule), the most frequent first.

    Raises:
        RunDirectoryError: the run has no finished curation.
    """
    _require_curated(run)
    table = _ledger(run).to_table(columns=["stage", "rule"])
    counts = table.group_by(["stage", "rule"]).aggregate([([], "count_all")]).to_pylist()
    counts.sort(key=lambda count: (-count["count_all"], count["stage"], count["rule"]))
    return {(count["stage"], count["rule"]): count["count_all"] for count in counts}


def alone_by_rule(run: RunDirectory) -> dict[str, int]:
    """Rule of the stage `filter` → rows that fail it and no other rule."""
    return {one.rule: one.alone for one in read_rules(run) or []}


def _require_curated(run: RunDirectory) -> None:
    if Manifest.read(run.path("curated")) is None:
        raise RunDirectoryError(
            "the run has no finished curation to look into",
            where=str(run.root),
            mend="run `curate-and-train curate RECIPE` first",
        )


def _curated(run: RunDirectory, split: str) -> ds.Dataset:
    return _parts(run, f"curated/{split}", CURATED)


def _ledger(run: RunDirectory) -> ds.Dataset:
    """What curation dropped or rejected, and what packing dropped of the rows that curation kept."""
    return ds.dataset([_parts(run, "ledger", LEDGER), _parts(run, "packed/dropped", LEDGER)])


def _cut_out(run: RunDirectory) -> ds.Dataset:
    """What of evaluation sets was cut out, by pass one and, where the run has used it, by the stage `substrings`."""
    curated = Manifest.read(run.path("curated"))
    later = ["substrings"] if curated and "substrings" in curated.inputs else []
    return ds.dataset([_parts(run, f"{folder}/cut", LEDGER) for folder in ("documents", *later)])


def _parts(run: RunDirectory, folder: str, schema: pa.Schema) -> ds.Dataset:
    # Only files that the manifest names: a stray file in the folder is no part of the run.
    manifest = Manifest.read(run.path(folder.partition("/")[0]))
    names = [part["name"] for part in manifest.parts] if manifest else []
    files = [str(run.path(name)) for name in names if name.startswith((f"{folder}/", f"{folder}-"))]
    return ds.dataset(files, schema=schema, format="parquet") if files else ds.dataset(schema.empty_table())


def _ids_like(run: RunDirectory, row_id: str) -> list[str]:
    """Ids to look for a near one in: those of the same shard, else of the same source, else any."""
    shard = row_id.rpartition("#")[0]
    source = row_id.partition("/")[0]
    for prefix in dict.fromkeys((shard or source, source, "")):
        begins = pc.starts_with(pc.field("id"), prefix)
        found: list[str] = []
        for data in (*(_curated(run, split) for split in SPLITS), _ledger(run)):
            found += data.head(_CANDIDATES - len(found), columns=["id"], filter=begins)["id"].to_pylist()
        if found:
            return found
    return []


def _sources(run: RunDirectory) -> list[str]:
    found: set[str] = set()
    for data in (*(_curated(run, split) for split in SPLITS), _ledger(run)):
        found |= set(pc.unique(data.to_table(columns=["source"])["source"]).to_pylist())
    return sorted(found)
