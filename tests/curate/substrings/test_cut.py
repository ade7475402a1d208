"""What a cut does to rows, as a whole small curation does it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pipeline.curate import plan
from pipeline.curate.substrings import stage as substrings
from pipeline.curate.substrings.passages import PASSAGES
from pipeline.errors import InputError
from pipeline.inspect_run import Kept, find_row
from pipeline.report import report
from pipeline.report.drops import read_drops
from pipeline.report.funnel import conservation, funnel
from pipeline.run import RunDirectory
from tests.curate.conftest import Curated
from tests.curate.decontaminate.test_held_out import expected
from tests.curate.substrings.naive import shared_bytes
from tests.curate.test_curate import NO_RULES, prose
from tests.killed import killed_in_every_step

Curation = Callable[..., Curated]
LENGTH, DOCUMENTS, ROWS = 80, 4, 24
NOTICE = "This notice stands in very many files, and nobody has ever read it to its end, not even é or 日本. " * 2
HEADER = "# Licensed to the people of the world\n# by the people of the world, under terms\n# that nobody has read.\n"


def dedup(action: str = "cut", **changes: Any) -> dict[str, Any]:
    """The section of a recipe; near duplicates are off, as rows here share much."""
    asked = {"length": LENGTH, "documents": DOCUMENTS, "action": action, **changes}
    return {"dedup": {"fuzzy": None, "substrings": asked}, **NO_RULES}


def corpus() -> list[dict[str, Any]]:
    """Rows with a notice before, behind, in the middle, alone, twice; shared by too few; and without any."""
    rows = []
    for seed in range(ROWS):
        text, other = prose(seed, 40), prose(1000 + seed, 40)
        shapes = [
            f"{NOTICE}\n\n{text}",
            f"{text}\n\n{NOTICE}",
            f"{text} {NOTICE.strip()} {other}",
            f"{NOTICE}{text}{NOTICE}",
            text,
            f"{prose(5000 + seed // 6 % 3, 60)} {text}",
        ]
        rows.append({"text": shapes[seed % 6]})
    rows += [{"text": NOTICE + word} for word in ("", " \n")]
    random.Random(1).shuffle(rows)
    return rows


def found(done: Curated) -> pa.Table:
    return pa.concat_tables(
        [PASSAGES.empty_table(), *map(pq.read_table, sorted((done.root / "substrings").glob("part-*.parquet")))]
    )


def manifest(done: Curated) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((done.root / "substrings/_manifest.json").read_text())
    return value


def test_the_report_says_what_the_definition_says(run_curation: Curation) -> None:
    done = run_curation(corpus(), curate=dedup("report"), ingest={"part_bytes": 4096})
    assert len(list((done.root / "documents").glob("part-*.parquet"))) > 2
    kept = done.kept.to_pylist()
    expected = shared_bytes([[message["content"] for message in row["messages"]] for row in kept], LENGTH, DOCUMENTS)
    wanted = {
        (row["id"], message, *span)
        for row, messages in zip(kept, expected, strict=True)
        for message, spans in enumerate(messages)
        for span in spans
    }
    lines = found(done).to_pylist()
    assert {(line["id"], line["message"], line["start"], line["end"]) for line in lines} == wanted
    texts = {row["id"]: row["messages"][0]["content"].encode() for row in kept}
    passages: dict[bytes, set[str]] = {}
    for line in lines:
        passages.setdefault(texts[line["id"]][line["start"] : line["end"]], set()).add(line["id"])
    assert all(line["rows"] == len(passages[texts[line["id"]][line["start"] : line["end"]]]) for line in lines)
    summary = manifest(done)["summary"]
    assert summary["passages"] == len(passages) == len({line["passage"] for line in lines})
    assert summary["rows"] == len({line["id"] for line in lines})
    assert summary["bytes"] == sum(line["end"] - line["start"] for line in lines)
    assert summary["text_bytes"] == sum(map(len, texts.values()))
    assert summary["cut"] is None
    taken = sorted((-len(text) * len(rows) for text, rows in passages.items()))
    assert [-one["bytes"] * one["rows"] for one in summary["shown"]][:10] == taken[:10]
    plain = run_curation(corpus(), name="plain", file="run", curate={"dedup": {"fuzzy": None}, **NO_RULES})
    assert plain.texts() == done.texts(), "a report changes nothing"


def test_a_cut_takes_the_notice_and_leaves_the_rest(run_curation: Curation) -> None:
    done = run_curation(corpus(), curate=dedup())
    texts = done.texts()
    assert not [text for text in texts.values() if NOTICE[:LENGTH] in text]
    said = {row["text"] for row in corpus()}
    for seed in range(ROWS):
        assert any(prose(seed, 40) in text for text in texts.values()) == any(prose(seed, 40) in text for text in said)
    assert all(text == text.strip() for text in texts.values())
    gone = done.ledger.filter(pc.equal(done.ledger["stage"], "substrings")).to_pylist()
    assert [line["rule"] for line in gone] == ["boilerplate"], "of the two that are the notice alone, one was a copy"
    assert gone[0]["value"] > 0.95
    assert done.manifest["summary"]["dropped"]["substrings"] == 1
    rows = done.manifest["rows"]
    assert rows["in"] == len(corpus()) == rows["kept"] + rows["dropped"] + rows["rejected"]
    cut = manifest(done)["summary"]["cut"]
    assert cut["dropped"] == 1
    assert cut["rows"] == sum(NOTICE.strip() in row["text"] for row in corpus()) - 2
    for row in done.kept.select(["id", "messages", "byte_count"]).to_pylist():
        assert row["byte_count"] == len(row["messages"][0]["content"].encode()), "signals are of what is left"


def test_parts_and_the_order_of_rows_change_nothing(run_curation: Curation) -> None:
    rows = corpus()
    one = run_curation(rows, name="one", file="data", curate=dedup())
    many = run_curation(rows, name="many", file="data", curate=dedup(), ingest={"part_bytes": 2048})
    assert len(list((many.root / "documents").glob("part-*"))) > 4
    assert one.decisions() == many.decisions()
    assert manifest(one)["summary"] == manifest(many)["summary"]
    assert sorted(map(str, found(one).to_pylist())) == sorted(map(str, found(many).to_pylist()))
    other = run_curation(random.Random(2).sample(rows, len(rows)), name="other", curate=dedup())
    assert sorted(one.texts().values()) == sorted(other.texts().values())


def test_cutting_what_was_cut_cuts_nothing(run_curation: Curation) -> None:
    # Once a notice is gone, what stood on both sides of it is shared too; of each notice it stood beside one only.
    before, behind = "Nearly long enough to be shared before. ", "And nearly long enough to be shared behind it. "
    notices = [prose(6000 + number, 30) for number in range(DOCUMENTS)]
    rows = corpus() + [
        {"text": f"{prose(7000 + 10 * number + seed)} {notice} {prose(8000 + 10 * number + seed)}"}
        for number, notice in enumerate(notices)
        for seed in range(DOCUMENTS)
    ]
    rows += [{"text": f"{prose(9000 + n)} {before}{text} {behind}{prose(9100 + n)}"} for n, text in enumerate(notices)]
    once = run_curation(rows, curate=dedup(length=82), name="once")
    assert manifest(once)["summary"]["cut"]["rounds"] == 3
    assert not [text for text in once.texts().values() if before in text or behind in text]
    again = run_curation([{"text": text} for text in once.texts().values()], curate=dedup(length=82), name="again")
    assert sorted(again.texts().values()) == sorted(once.texts().values())
    assert manifest(again)["summary"]["bytes"] == 0
    nothing = dict.fromkeys(("rows", "dropped", "alike", "bytes", "spared"), 0)
    assert manifest(again)["summary"]["cut"] == {**nothing, "rounds": 1}
    assert manifest(again)["summary"]["shown"] == []


def test_code_loses_whole_lines_and_is_never_reflowed(run_curation: Curation) -> None:
    bodies = [f"def f{seed}():\n    if x:\n\n        return {seed}  # {prose(seed, 9)}\n" for seed in range(6)]
    rows = [{"text": f"import os{seed}\n{HEADER}{body}"} for seed, body in enumerate(bodies)]
    rows += [{"text": f"y = '{NOTICE} {seed}'\n"} for seed in range(6)]  # shared, but no whole line is
    curate = {**dedup(), "clean": None}
    done = run_curation(rows, kind="code", curate=curate)
    expected = [f"import os{seed}\n{body}" for seed, body in enumerate(bodies)] + [row["text"] for row in rows[6:]]
    assert sorted(done.texts().values()) == sorted(expected)
    again = run_curation([{"text": text} for text in done.texts().values()], kind="code", curate=curate, name="again")
    assert sorted(again.texts().values()) == sorted(expected)


def test_a_conversation_keeps_its_messages(run_curation: Curation) -> None:
    rows = [{"input": NOTICE, "output": prose(seed)} for seed in range(8)]
    rows += [{"input": f"{NOTICE} What is {prose(100 + seed, 4)}?", "output": NOTICE} for seed in range(8)]
    rows += [{"input": NOTICE, "output": NOTICE}]
    done = run_curation(rows, kind="pair", curate={**dedup(), "clean": None})
    kept = [tuple(message["content"].strip() for message in row["messages"]) for row in done.kept.to_pylist()]
    notice = NOTICE.strip()
    assert sorted(kept) == sorted(
        [(notice, prose(seed)) for seed in range(8)]
        + [(f"{prose(100 + seed, 4)}?", notice) for seed in range(8)]  # "What is" is shared too
    ), "a message that is boilerplate as a whole stays where another says something"
    assert manifest(done)["summary"]["cut"]["spared"] == 16
    assert [(line["stage"], line["rule"]) for line in done.ledger.to_pylist()] == [("substrings", "boilerplate")]


def test_what_is_left_is_judged_by_the_rules(run_curation: Curation) -> None:
    rows = [{"text": f"{NOTICE} {prose(seed, 3 if seed % 2 else 60)}"} for seed in range(12)]
    done = run_curation(rows, curate={**dedup(), "rules": {"preset": "none", "word_count": {"min": 5}}})
    assert len(done.kept) == 6
    lines = done.ledger.to_pylist()
    assert {(line["stage"], line["rule"], line["value"], line["threshold"]) for line in lines} == {
        ("substrings", "word_count", 3.0, 5.0)
    }


def test_an_address_that_a_cut_puts_together_is_redacted(run_curation: Curation) -> None:
    word = "x" * (2 * LENGTH)
    rows = [{"text": f"{prose(seed, 9)} jane.roe@{word}northwind{seed}.org {prose(seed + 50, 9)}"} for seed in range(8)]
    done = run_curation(rows, curate=dedup())
    text = json.dumps([done.kept["messages"].to_pylist(), manifest(done)["summary"]])
    assert "northwind1.org" not in text
    assert "jane.roe" not in text


def test_excerpts_are_redacted(run_curation: Curation) -> None:
    inside = f"Write to jane.roe@northwind.org or call +1 (415) 555-2671. {NOTICE}"
    rows = [{"text": f"{inside} {prose(seed)}"} for seed in range(6)]
    rows += [{"text": f"{prose(40 + seed)} j{seed}.roe@northwind.org {NOTICE}"} for seed in range(6)]
    done = run_curation(rows, curate={**dedup("report"), "pii": None, "clean": None})
    shown = manifest(done)["summary"]["shown"]
    assert shown[0]["rows"] >= 6
    assert any(one["excerpt"].startswith("Write to <EMAIL> or call <PHONE>.") for one in shown)
    assert any(one["excerpt"].startswith("This notice") for one in shown), "half an address is left out"
    assert "northwind" not in json.dumps(shown)


def test_stopped_in_any_step(run_curation: Curation, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"file": "data", "curate": dedup(), "ingest": {"part_bytes": 4096}}
    whole = run_curation(corpus(), name="whole", **options)

    def run() -> Curated:
        return run_curation(corpus(), name="stopped", **options)

    done, steps = killed_in_every_step(run, substrings, monkeypatch)
    searches = {"find_anchors", "count_share", "find_stretches", "find_windows", "find_spans"}
    assert searches | {"cut_part", "write_keys"} < set(steps)
    assert done.bytes() == whole.bytes()
    assert _files(done.root / "substrings") == _files(whole.root / "substrings")


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_plan_funnel_and_page_know_the_stage(run_curation: Curation) -> None:
    done = run_curation(corpus(), curate=dedup())
    run, recipe = RunDirectory.existing(done.root)
    stages = plan(run, recipe)
    names = ["documents", "duplicates", "contamination", "substrings", "curated"]
    assert [stage and stage.name for stage in stages] == names
    assert all(stage is not None and stage.why() is None for stage in stages)
    step = next(step for step in funnel(run) if step.name == "substrings")
    assert step.dropped == 1
    assert conservation(run) is not None
    drops = {(drop.stage, drop.rule): drop for drop in read_drops(run) or []}
    assert NOTICE[:40] in drops["substrings", "boilerplate"].examples[0]["text"]
    page = report(run, recipe).read_text(encoding="utf-8")
    assert "Text that many rows share" in page
    assert "This notice stands in very many" in page
    other = recipe.model_copy(update={"curate": recipe.curate.model_copy(update={
        "dedup": recipe.curate.dedup.model_copy(update={"substrings": None})})})  # fmt: skip
    assert [stage and stage.name for stage in plan(run, other)] == [*names[:3], "curated"]
    assert plan(run, other)[-1].why() is not None  # type: ignore[union-attr]


def noticed(texts: list[str]) -> list[dict[str, Any]]:
    """Every text below one notice and below another, which are nothing alike."""
    notices = [f"{prose(7000 + number, 60)}\n\n" for number in range(2)]
    return [{"text": notice + text} for notice in notices for text in texts]


HALVES = {"train": 0.4, "validation": 0.3, "test": 0.3}


@pytest.mark.parametrize("fuzzy", [None, {}, {"ignore_shared": 0.6}, {"verify": "exact"}], ids=str)
def test_rows_that_a_cut_made_equal_are_copies(run_curation: Curation, fuzzy: dict[str, Any] | None) -> None:
    texts = [prose(seed, 40) for seed in range(12)]
    section = dedup(documents=10)
    section["dedup"] |= {"fuzzy": fuzzy, "order": [{"signal": "char_count"}, "id"]}
    done = run_curation(noticed(texts), curate={**section, "split": HALVES}, ingest={"part_bytes": 4096})
    assert sorted(done.texts().values()) == sorted(texts)
    lines = [line for line in done.ledger.to_pylist() if line["stage"] == "exact"]
    assert len(lines) == 12
    number = {line["id"]: int(line["id"].rpartition("#")[2]) for line in lines}
    assert {int(line["evidence"].rpartition("#")[2]) % 12 for line in lines} == set(range(12))
    assert all(int(line["evidence"].rpartition("#")[2]) % 12 == number[line["id"]] % 12 for line in lines)
    assert not {line["evidence"] for line in lines} & set(number)
    cut = manifest(done)["summary"]["cut"]
    assert (cut["alike"], cut["dropped"], cut["rows"]) == (12, 12, 12)
    leakage = done.manifest["summary"]["leakage"]
    assert (leakage["equal"], leakage["pairs"], leakage["rows"]) == (0, 0, 12)


def test_rows_that_a_cut_made_nearly_equal_are_near_duplicates(run_curation: Curation) -> None:
    texts = [prose(seed, 40) for seed in range(12)]
    rows = noticed(texts)
    for row in rows[12:]:
        row["text"] += " Indeed."
    section = dedup(documents=10)
    section["dedup"]["fuzzy"] = {}
    done = run_curation(rows, curate={**section, "split": HALVES})
    assert len(done.kept) == 12
    lines = [line for line in done.ledger.to_pylist() if line["stage"] == "fuzzy"]
    assert len(lines) == 12
    assert all(0.8 <= line["value"] <= 1 and line["threshold"] == 0.8 for line in lines)
    assert done.manifest["summary"]["leakage"]["pairs"] == 0


def test_leakage_is_of_what_was_written_and_stops_the_run(run_curation: Curation) -> None:
    """Copies are left where the recipe says so, and lie on both sides of the splits."""
    section = dedup(documents=10)
    section["dedup"] |= {"exact": False}
    rows = noticed([prose(seed, 40) for seed in range(12)])
    with pytest.raises(InputError, match="pairs of duplicates lie in different splits") as raised:
        run_curation(rows, curate={**section, "split": HALVES})
    assert "exact: true" in raised.value.mend
    found = run_curation(rows, curate={**section, "split": {**HALVES, "max_leakage": 12}})
    splits: dict[str, set[str]] = {text: set() for text in found.texts().values()}
    for split, table in found.splits.items():
        for row in table.to_pylist():
            splits[row["messages"][0]["content"]].add(split)
    apart = sum(len(where) > 1 for where in splits.values())
    assert found.manifest["summary"]["leakage"]["equal"] == apart > 0
    with pytest.raises(InputError, match="max_leakage"):  # also of what is there
        run_curation(rows, curate={**section, "split": HALVES})


@pytest.mark.parametrize("action", ["drop", "cut"])
def test_what_is_left_is_held_against_the_evaluation_sets(run_curation: Curation, tmp_path: Path, action: str) -> None:
    """An evaluation text that the notice parted in two is whole once the notice is cut."""
    wanted = prose(1, 40)
    words = wanted.split()
    halves = " ".join(words[:10]), " ".join(words[10:20])
    rows = [{"text": f"{prose(100 + seed, 40)}\n\n{NOTICE}\n\n{prose(200 + seed, 40)}"} for seed in range(6)]
    rows.append({"text": f"{prose(300, 40)} {halves[0]} {NOTICE}{halves[1]} {prose(301, 40)}"})
    evaluation = tmp_path / "evaluation.jsonl"
    evaluation.write_text(json.dumps({"text": " ".join(words[:20])}) + "\n")
    files = [{"name": "held", "kind": "text", "format": "text", "path": str(evaluation)}]
    curate = {**dedup(), "decontaminate": {"files": files, "action": action}}
    done = run_curation(rows, curate=curate)
    texts = done.texts()
    assert all(halves[1] not in text for text in texts.values())
    if action == "drop":
        lines = [line for line in done.ledger.to_pylist() if line["stage"] == "decontaminate"]
        assert [line["id"] for line in lines] == ["s/run.jsonl#6"]
        assert lines[0]["evidence"].startswith("held/")
        return
    assert prose(301, 40) in texts["s/run.jsonl#6"]
    found = find_row(RunDirectory(done.root), "s/run.jsonl#6")
    assert isinstance(found, Kept)
    assert [line["evidence"].partition("/")[0] for line in found.cut] == ["held"]


@pytest.mark.parametrize("action", ["report", "drop"])
def test_the_test_split_is_held_against_what_a_cut_left(run_curation: Curation, action: str) -> None:
    """A notice stands between the words of each row; a long row holds the same words in one piece."""
    words = [prose(seed, 42).split() for seed in range(60)]
    short = [f"\n\n{NOTICE}\n\n".join(" ".join(row[at : at + 14]) for at in (0, 14, 28)) for row in words]
    long = [f"{prose(1000 + seed)} {' '.join(row)} {prose(2000 + seed)}" for seed, row in enumerate(words)]
    curate = {
        **dedup(),
        "split": {"train": 0.6, "validation": 0.2, "test": 0.2},
        "decontaminate": {"test_split": {"action": action}},
    }
    done = run_curation([{"text": text} for text in [*short, *long]], curate=curate)
    assert manifest(done)["summary"]["cut"]["rows"] == 60
    found = manifest(done)["summary"]["test_split"]
    assert sum(found.values()) > 3
    before = json.loads((done.root / "contamination/_manifest.json").read_text())["summary"]["rows"]
    assert sum(before.values()) == 0
    lines = done.ledger.to_pylist()
    if action == "report":
        assert sum(found.values()) == len(expected(done))
        assert lines == []
    else:
        assert expected(done) == {}
        assert {line["stage"] for line in lines} == {"decontaminate"}
        assert len({line["id"] for line in lines}) == sum(found.values())
        assert len(done.kept) == 120 - sum(found.values())
    assert done.manifest["summary"]["leakage"]["equal"] == 0
    conservation(RunDirectory(done.root))
