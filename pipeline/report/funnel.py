"""Where the rows went, from the first stage to the last, and the lines that say so."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.report.packing import SplitPacking, read_packing
from pipeline.report.rules import read_rules
from pipeline.run import Manifest, Rows, RunDirectory
from pipeline.schema import SPLITS

__all__ = ["Step", "conservation", "funnel", "print_summary", "summary_lines"]

_DROPS = {
    "clean": "nothing left after cleaning, or never at rest",
    "redact": "quarantined by redaction",
    "filter": "failed a rule",
    "decontaminate": "found in an evaluation set or the test split",
    "exact": "exact duplicates",
    "fuzzy": "near duplicates",
    "substrings": "boilerplate, or a rule failed by what is left of them",
}
"""Stages of the ledger, in the order in which rows meet them, and what each takes away."""

_UNPACKED = {
    "overflow": "longer than a bin",
    "fertility": "too few or too many characters a token",
    "no_target": "no answer within a bin's length",
    "blend": "beyond their source's share of the blend",
}
"""Rules of packing."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A line of the funnel.

    Args:
        name: of the step.
        rows: that are left after it.
        dropped: rows that it took away; below 0 where it brought some.
        note: in what sense.
    """

    name: str
    rows: int
    dropped: int
    note: str


def funnel(run: RunDirectory) -> list[Step]:
    """Follow the rows from the sources into the bins; empty before curation has finished.

    `rows` of a step is always `rows` of the step before less `dropped`; the splits are shares of the rows kept,
    not steps, and stand in the note of the last step of curation.
    """
    curated = Manifest.read(run.path("curated"))
    if curated is None or curated.rows is None:
        return []
    rows = Rows.from_json(curated.rows)
    left = rows.in_
    steps = [Step(name="rows in", rows=left, dropped=0, note="read from the sources")]

    def take(name: str, dropped: int, note: str) -> None:
        nonlocal left
        left -= dropped
        steps.append(Step(name=name, rows=left, dropped=dropped, note=note))

    take("ingest", rows.rejected, "rejected: malformed")
    by_stage: Mapping[str, int] = curated.summary.get("dropped", {})
    for stage in [*_DROPS, *sorted(by_stage.keys() - _DROPS.keys())]:
        if stage in by_stage or stage not in ("redact", "substrings", "decontaminate"):
            note = _DROPS.get(stage, "dropped")
            take(stage, by_stage.get(stage, 0), f"{note}{_alone(run)}" if stage == "filter" else note)
    splits = curated.summary.get("splits", {})
    take("kept", left - rows.kept, "  ".join(f"{split} {splits.get(split, 0):,}" for split in SPLITS))
    if earlier := curated.summary.get("earlier"):
        note = "  ".join(f"{split} {earlier[split]:,}" for split in SPLITS)
        replay = f"; {curated.summary['left_out']:,} not trained on again" if curated.summary["left_out"] else ""
        take("earlier", -sum(earlier.values()), f"taken over from earlier batches: {note}{replay}")
    tokens, packed = Manifest.read(run.path("tokens")), read_packing(run)
    if tokens is not None and (files := tokens.summary.get("pretokenised")):
        taken, left_out = (sum(one[key] for one in files) for key in ("taken", "left_out"))
        take("token files", -taken, f"taken from files of tokens, not curated; {left_out:,} left out")
    if packed is not None:
        rows_packed = sum(split.rows for split in packed.values())
        bins = sum(split.bins for split in packed.values())
        take("packed", left - rows_packed, f"into {bins:,} bins; {_overflow(packed.values())}")
    return steps


def conservation(run: RunDirectory) -> str | None:
    """`in = kept + dropped + rejected` with the run's numbers, or None before curation has finished.

    Raises:
        RunDirectoryError: they do not add up.
    """
    curated = Manifest.read(run.path("curated"))
    if curated is None or curated.rows is None:
        return None
    rows = Rows.from_json(curated.rows)
    rows.check("curated")
    return f"{rows.in_:,} rows in = {rows.kept:,} kept + {rows.dropped:,} dropped + {rows.rejected:,} rejected"


def print_summary(run: RunDirectory) -> None:
    """Print what a finished run comes to."""
    print("\n".join(summary_lines(run)))


def summary_lines(run: RunDirectory) -> list[str]:
    """The funnel, packing efficiency, test loss before and after, the gate's decision and the page's path."""
    lines = [f"{step.name:<14} {step.rows:>12,} {_minus(step.dropped):>12}  {step.note}" for step in funnel(run)]
    if equation := conservation(run):
        lines += ["", equation]
    if leaks := _leaks(run):
        lines.append(leaks)
    if packed := read_packing(run):
        shares = (f"{name} {split.efficiency:.2%}" for name, split in packed.items() if split.bins)
        lines.append(f"packing efficiency: {', '.join(shares)}")
    if (loss := _test_loss(run)) is not None:
        lines.append(loss)
    decision = Manifest.read(run.path("promotion"))
    if decision is not None:
        word = "promoted" if decision.summary["promoted"] else "not promoted"
        lines.append(f"{word}: {decision.summary['reason']}")
    page = run.path("report.html")
    if page.exists():
        lines.append(f"report: {run.shown / page.name}")
    return lines


def _leaks(run: RunDirectory) -> str | None:
    """What the splits share: near duplicates, which must be none, and rows that hold a test row."""
    curated, held = Manifest.read(run.path("curated")), Manifest.read(run.path("contamination"))
    if curated is None or held is None or "leakage" not in curated.summary:
        return None
    pairs = curated.summary["leakage"]["pairs"] + curated.summary["leakage"]["equal"]
    rows = sum(held.summary["rows"].values())
    return f"across splits: {pairs:,} near-duplicate pairs, {rows:,} rows that hold a test row"


def _overflow(splits: Iterable[SplitPacking]) -> str:
    """Why rows did not become examples, and how many were cut."""
    dropped: Counter[str] = Counter()
    cut = 0
    for split in splits:
        dropped.update(split.dropped)
        cut += split.truncated
    reasons = [f"{count:,} dropped: {_UNPACKED.get(rule, rule)}" for rule, count in sorted(dropped.items()) if count]
    return "; ".join([*reasons, f"{cut:,} cut to a bin's length"])


def _alone(run: RunDirectory) -> str:
    """The rules that take away most rows that no other rule would."""
    rules = sorted(read_rules(run) or [], key=lambda one: (-one.alone, one.rule))
    shown = ", ".join(f"{one.rule} {one.alone:,}" for one in rules[:3] if one.alone)
    return f"; alone: {shown}" if shown else ""


def _minus(count: int) -> str:
    return f"−{count:,}" if count > 0 else f"+{-count:,}" if count else "0"


def _test_loss(run: RunDirectory) -> str | None:
    metrics = read_metrics(run)
    loss = metrics.get("test", {}).get("loss", {}) if metrics else {}
    if loss.get("before") is None or loss.get("after") is None:
        return None
    champion = f" (champion {loss['champion']:.4f})" if loss.get("champion") is not None else ""
    return f"test loss: {loss['before']:.4f} before → {loss['after']:.4f} after{champion}"


def read_metrics(run: RunDirectory) -> dict[str, dict[str, dict[str, Any]]] | None:
    """`evaluation/metrics.json`, or None before evaluation has finished."""
    if Manifest.read(run.path("evaluation")) is None:
        return None
    metrics: dict[str, dict[str, dict[str, Any]]] = json.loads(
        run.path("evaluation/metrics.json").read_text(encoding="utf-8")
    )
    return metrics
