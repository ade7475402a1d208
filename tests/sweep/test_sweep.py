"""Properties: a sweep counts what judging every row again with the other bound would count."""

from __future__ import annotations

import math
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.errors import InputError, RunDirectoryError
from pipeline.run import RunDirectory
from pipeline.sweep import Outcome, removals, sweep
from tests.sweep.measured_runs import measured_run

RULES = {
    "preset": "none",
    "word_count": {"min": 3, "max": 8},
    "url_share": {"max": 0.5},
    "code": {"word_count": None, "short": {"signal": "char_count", "min": 2}},
}

rows = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from(["a", "b"]),
            "kind": st.sampled_from(["text", "code"]),
            "word_count": st.integers(0, 10),
            "char_count": st.integers(0, 4),
            "url_share": st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]),
            "comment_share": st.sampled_from([math.nan, 0.0, 0.9]),
        }
    ),
    min_size=1,
    max_size=12,
)


def fails(row: dict[str, Any], changes: dict[str, float]) -> set[str]:
    """The rules that a row fails, written out by hand."""
    text = row["kind"] == "text"
    low = changes.get("word_count.min", 3 if text else -math.inf)
    high = 8 if text else math.inf
    found = set()
    if row["word_count"] < low or row["word_count"] > high:
        found.add("word_count")
    if row["url_share"] > changes.get("url_share.max", 0.5):
        found.add("url_share")
    if not text and row["char_count"] < 2:
        found.add("short")
    if row["comment_share"] > changes.get("comment_share.max", math.inf):
        found.add("comment_share")
    return found


@settings(max_examples=25, deadline=None)
@given(rows, st.lists(st.integers(0, 10), min_size=1, max_size=3), st.lists(st.sampled_from([0.0, 0.5]), min_size=1))
def test_a_sweep_is_what_judging_again_would_be(
    drawn: list[dict[str, Any]], mins: list[int], shares: list[float]
) -> None:
    assume(not all(math.isnan(row["comment_share"]) for row in drawn))
    asked = {"word_count.min": mins, "url_share.max": shares, "comment_share.max": [0.5]}
    with tempfile.TemporaryDirectory() as folder:
        run = measured_run(Path(folder) / "run", drawn, RULES)
        outcomes = sweep(run, [f"{key}={','.join(map(str, values))}" for key, values in asked.items()])
    combinations: list[dict[str, float]] = [{}]
    combinations += [dict(zip(asked, values, strict=True)) for values in product(*asked.values())]
    several = len({row["source"] for row in drawn}) > 1
    sources = [None, "a", "b"] if several else [None]
    assert [(shown(outcome), outcome.source) for outcome in outcomes] == [
        (changes, source) for changes in combinations for source in sources
    ]
    for outcome in outcomes:
        here = [row for row in drawn if outcome.source in (None, row["source"])]
        failed = [fails(row, shown(outcome)) for row in here]
        assert outcome.rows == len(here) == outcome.kept + outcome.dropped
        assert outcome.kept == sum(not names for names in failed)
        assert outcome.change == outcome.kept - sum(not fails(row, {}) for row in here)
        assert outcome.alone == {
            name: sum(names == {name} for names in failed) for name in ("word_count", "url_share", "comment_share")
        }


def shown(outcome: Outcome) -> dict[str, Any]:
    return {setting.key: setting.value for setting in outcome.settings}


@settings(max_examples=15, deadline=None)
@given(rows)
def test_removals_are_what_the_run_s_rules_removed(drawn: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = removals(measured_run(Path(folder) / "run", drawn, RULES))
    kinds = {row["kind"] for row in drawn}
    expected = {("url_share", kind) for kind in kinds}
    expected |= {("word_count", "text")} & {("word_count", kind) for kind in kinds}
    expected |= {("short", "code")} & {("short", kind) for kind in kinds}
    assert {(one.rule, one.kind) for one in found} == expected
    for one in found:
        here = [row for row in drawn if row["kind"] == one.kind]
        failed = [fails(row, {}) for row in here]
        assert one.rows == len(here)
        assert one.failed == sum(one.rule in names for names in failed)
        assert one.alone == sum(names == {one.rule} for names in failed)
        values = sorted(row["char_count" if one.rule == "short" else one.rule] for row in here)
        assert one.quantiles[0] == values[0]
        assert one.quantiles[2] == values[(len(values) - 1) // 2]
        assert one.quantiles[-1] == values[-1]


ROWS = [
    {"source": "a", "kind": "text", "word_count": 2, "language": "en"},
    {"source": "a", "kind": "code", "word_count": 20, "language": "de"},
    {"source": "b", "kind": "text", "word_count": 5, "language": None},
]


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return measured_run(tmp_path / "run", ROWS, RULES)


def kept(outcomes: list[Outcome]) -> list[int]:
    return [outcome.kept for outcome in outcomes if outcome.source is None]


def test_null_takes_a_side_away(run: RunDirectory) -> None:
    assert kept(sweep(run, ["word_count.min=null,6"], kind="text")) == [1, 2, 0]


def test_only_the_kind_and_the_source_that_are_asked_for_are_looked_at(run: RunDirectory) -> None:
    assert {(one.source, one.rows) for one in sweep(run, ["word_count.min=0"], kind="text", source="b")} == {(None, 1)}
    assert {one.kind for one in removals(run, kind="code")} == {"code"}


def test_a_signal_that_is_text_is_swept_by_lists(run: RunDirectory) -> None:
    outcomes = sweep(run, ["language.in=en,en+de,null", "short.min=0"])
    assert [outcome.alone["language"] for outcome in outcomes if outcome.source is None] == [0, 1, 0, 0]


@pytest.mark.parametrize(
    ("expressions", "message"),
    [
        (["word_cont.min=3"], "'word_cont' (did you mean 'word_count'?)"),
        (["shor.min=3"], "'shor' (did you mean 'short'?)"),
        (["word_count=3"], "'word_count=3' sets no bound"),
        (["word_count.least=3"], "sets no bound"),
        (["word_count.min="], "sets no bound"),
        (["word_count.min=3,x"], "'x' is no number"),
        (["word_count.min=nan"], "'nan' is no number"),
        (["url_share.max=20"], "url_share is always between 0 and 1"),
        (["word_count.in=en"], "word_count takes `min` and `max`"),
        (["language.min=3"], "language takes `in`"),
        (["word_count.min=3", "word_count.min=4"], "word_count.min is given twice"),
        (
            [f"{name}.min={','.join(map(str, range(40)))}" for name in ("word_count", "char_count")],
            "1,600 combinations",
        ),
    ],
)
def test_what_cannot_be_swept_is_refused(run: RunDirectory, expressions: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        sweep(run, expressions)
    assert message in str(caught.value)
    assert caught.value.mend


def test_an_unknown_source_or_kind_names_a_near_one(run: RunDirectory) -> None:
    with pytest.raises(InputError, match=r"no kind 'txt' \(did you mean 'text'\?\)"):
        removals(run, kind="txt")
    with pytest.raises(InputError, match="no source 'c'"):
        sweep(run, ["word_count.min=3"], source="c")


def test_a_run_without_signals_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="curate-and-train curate RECIPE"):
        removals(RunDirectory(tmp_path))


def test_a_signal_that_no_row_has_is_said(tmp_path: Path) -> None:
    run = measured_run(tmp_path / "run", [{**row, "comment_share": math.nan} for row in ROWS], RULES)
    with pytest.raises(InputError, match="no row that is looked at has a comment_share"):
        sweep(run, ["comment_share.max=0.5"])


def test_a_run_of_no_rows(tmp_path: Path) -> None:
    run = measured_run(tmp_path / "run", [], RULES)
    assert removals(run) == []
    assert [(one.rows, one.kept) for one in sweep(run, ["word_count.min=3"])] == [(0, 0), (0, 0)]
