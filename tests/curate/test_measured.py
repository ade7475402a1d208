"""`signals/`: every row that reached the rules, what it measures and what it fails, and a sweep over it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.inspect_run import Dropped, find_row
from pipeline.report.rules import read_rules
from pipeline.run import RunDirectory
from pipeline.schema import SIGNALS
from pipeline.sweep import removals, sweep
from tests.curate.conftest import Curated
from tests.curate.test_curate import corpus, prose

Curation = Callable[..., Curated]
RULES = {"preset": "playbook", "word_count": {"min": 50, "max": 130}, "long": {"signal": "char_count", "max": 720}}
CHANGES: dict[str, Any] = {"ingest": {"max_rejected": 0.5, "part_bytes": 16384}}


def varied() -> list[Any]:
    """The corpus of the other tests, and texts of 30 to 148 words."""
    return corpus() + [{"text": prose(seed, words=30 + 2 * (seed - 200))} for seed in range(200, 260)]


def numbers(table: pa.Table) -> str:
    """Signals in a form in which NaN equals itself."""
    return repr(table.select(list(SIGNALS)).to_pylist())


def summary(root: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((root / "documents" / "_manifest.json").read_text())["summary"]
    return value


def test_every_row_that_reached_the_rules_is_there_once_with_what_it_fails(run_curation: Curation) -> None:
    done = run_curation(varied(), curate={"rules": RULES}, **CHANGES)
    measured = done.measured
    gone = done.ledger.filter(pc.is_in(done.ledger["stage"], pc.cast(["ingest", "clean"], "string")))
    reached = {f"s/run.jsonl#{number}" for number in range(done.manifest["rows"]["in"])} - set(gone["id"].to_pylist())
    assert sorted(measured["id"].to_pylist()) == sorted(reached)
    assert measured["id"].to_pylist() == sorted(reached, key=lambda row: int(row.split("#")[1])), "in their order"
    lines = done.ledger.filter(pc.equal(done.ledger["stage"], "filter")).to_pylist()
    failed = {(row["id"], rule) for row in measured.select(["id", "failed"]).to_pylist() for rule in row["failed"]}
    assert failed == {(line["id"], line["rule"]) for line in lines}
    assert {"long", "word_count"} <= {rule for _, rule in failed}
    values = {row["id"]: row for row in measured.to_pylist()}
    for line in lines:
        assert line["value"] == values[line["id"]]["char_count" if line["rule"] == "long" else line["rule"]]


def test_signals_are_of_the_text_that_is_kept(run_curation: Curation) -> None:
    rows = [{"text": f"Write to jane.roe@northwind.org\r\nnow. {'Word of mouth. ' * 3}"}]
    done = run_curation(rows, curate={"rules": {"preset": "none"}})
    text = done.texts()["s/run.jsonl#0"]
    assert "<EMAIL>" in text
    assert done.measured["char_count"].to_pylist() == [len(text)]
    assert numbers(done.kept) == numbers(done.measured)


def test_signals_depend_on_no_part(run_curation: Curation) -> None:
    one = run_curation(varied(), name="one", file="data", ingest={"max_rejected": 0.5})
    many = run_curation(varied(), name="many", file="data", ingest={"max_rejected": 0.5, "part_bytes": 8192})
    assert numbers(one.measured) == numbers(many.measured)
    assert one.measured["failed"].to_pylist() == many.measured["failed"].to_pylist()
    assert summary(one.root)["rules"] == summary(many.root)["rules"]


def test_the_manifest_counts_what_each_rule_drops_and_drops_alone(run_curation: Curation) -> None:
    done = run_curation(varied(), curate={"rules": RULES}, **CHANGES)
    failed = [tuple(names) for names in done.measured["failed"].to_pylist()]
    counts = summary(done.root)["rules"]
    assert counts["word_count"]["failed"] > counts["word_count"]["alone"] > 0
    assert counts["line_count"] == {"failed": 0, "alone": 0}
    for rule, count in counts.items():
        assert count == {"failed": sum(rule in names for names in failed), "alone": failed.count((rule,))}
    run = RunDirectory(done.root)
    shown = {one.rule: one for one in read_rules(run) or []}
    assert {rule: {"failed": one.failed, "alone": one.alone} for rule, one in shown.items()} == counts
    assert shown["long"].bounds["text"] == "char_count ≤ 720"
    assert shown["word_count"].bounds["text"] == "50 … 130"
    by_rule: Counter[str] = Counter()
    for one in removals(run):
        by_rule[f"{one.rule} failed"] += one.failed
        by_rule[f"{one.rule} alone"] += one.alone
    assert all(by_rule[f"{rule} {key}"] == count for rule, both in counts.items() for key, count in both.items())


def test_a_dropped_row_can_be_looked_into(run_curation: Curation) -> None:
    done = run_curation([{"text": "too short"}, {"text": "\x00"}])
    dropped, blank = (find_row(RunDirectory(done.root), f"s/run.jsonl#{number}") for number in (0, 1))
    assert isinstance(dropped, Dropped)
    assert isinstance(blank, Dropped)
    assert dropped.signals["word_count"] == 2
    assert blank.signals == {}, "it never reached the rules"


def test_a_sweep_is_what_a_run_with_that_bound_does(run_curation: Curation) -> None:
    here = run_curation(varied(), name="here", file="data", curate={"rules": RULES}, **CHANGES)
    settings = ["word_count.min=50,70", "long.max=720,null"]
    outcomes = {
        tuple(setting.value for setting in one.settings): one for one in sweep(RunDirectory(here.root), settings)
    }
    kept = json.loads((here.root / "documents" / "_manifest.json").read_text())["rows"]["kept"]
    assert kept > 50
    for as_run in (outcomes[()], outcomes[50.0, 720.0]):
        assert (as_run.kept, as_run.change) == (kept, 0)
        counts = summary(here.root)["rules"]
        assert as_run.alone == {rule: counts[rule]["alone"] for rule in ("word_count", "long")}
    there = {"preset": "playbook", "word_count": {"min": 70, "max": 130}}
    other = run_curation(varied(), name="there", file="data", curate={"rules": there}, **CHANGES)
    manifest = json.loads((other.root / "documents" / "_manifest.json").read_text())
    swept = outcomes[70.0, None]
    assert swept.kept == manifest["rows"]["kept"]
    assert swept.kept != kept
    assert swept.change == swept.kept - kept
    assert swept.alone == {"word_count": summary(other.root)["rules"]["word_count"]["alone"], "long": 0}
