"""Properties of a whole curation, on a real Dask cluster."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from pipeline.curate import duplicates
from pipeline.curate.dedup.decide import decide
from pipeline.engines import engine_for
from pipeline.errors import InputError
from pipeline.report.drops import read_drops
from pipeline.run import RunDirectory
from pipeline.schema import SPLITS
from tests.curate.conftest import Curated

Curation = Callable[..., Curated]
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NO_RULES = {"rules": {"preset": "none"}}
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in "aeiou" for c in ("n", "r", "st", "", "mble", "tion")]


def prose(seed: int, words: int = 120) -> str:
    """Text that shares nothing but words with that of another seed."""
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def edited(text: str, seed: int, edits: int = 2) -> str:
    """The text with a few words changed."""
    draw = random.Random(seed)
    words = text.split()
    for _ in range(edits):
        words[draw.randrange(len(words))] = f"edited{draw.randrange(1000)}"
    return " ".join(words)


def corpus() -> list[Any]:
    """Distinct rows, exact copies, near copies, short rows, repetitive rows and malformed lines."""
    rows: list[Any] = [{"text": prose(seed), "n": seed} for seed in range(120)]
    rows += [{"text": prose(seed).upper().replace(" ", "  ")} for seed in range(0, 40, 4)]  # equal in normal form
    rows += [{"text": edited(prose(seed), seed)} for seed in range(1, 60, 4)]
    rows += [{"text": "too short"}, {"text": "again and " * 100}, {"text": "\ufeff \x00"}]
    rows += [b"{not json", b'{"body": 1}', b'{"text": "\xff"}', b'{"text": null}']
    random.Random(7).shuffle(rows)
    return rows


def test_every_row_is_in_exactly_one_place(run_curation: Curation) -> None:
    rows = corpus()
    done = run_curation(rows, ingest={"max_rejected": 0.5, "part_bytes": 4096})
    kept, gone = done.kept["id"].to_pylist(), set(done.ledger["id"].to_pylist())
    assert len(kept) == len(set(kept))
    assert not gone & set(kept)
    assert {int(name.split("#")[1]) for name in gone | set(kept)} == set(range(len(rows)))
    counts = done.manifest["rows"]
    assert counts["in"] == len(rows) == counts["kept"] + counts["dropped"] + counts["rejected"]
    assert counts["kept"] == len(kept)
    assert counts["rejected"] == 4
    stages = set(done.ledger["stage"].to_pylist())
    assert stages == {"ingest", "clean", "filter", "exact", "fuzzy"}


def test_the_row_kept_instead_is_really_kept(run_curation: Curation) -> None:
    done = run_curation(corpus(), ingest={"max_rejected": 0.5})
    lines = done.ledger.filter(pc.is_in(done.ledger["stage"], pc.cast(["exact", "fuzzy"], "string")))
    assert len(lines) >= 20
    assert set(lines["evidence"].to_pylist()) <= set(done.kept["id"].to_pylist())
    assert all(value >= 0.8 for value in lines["value"].to_pylist())


def test_near_duplicates_are_removed_not_only_exact_ones(run_curation: Curation) -> None:
    rows = [{"text": prose(1)}, {"text": edited(prose(1), 5)}, {"text": prose(2)}]
    both = run_curation(rows, name="both")
    assert len(both.kept) == 2
    assert both.ledger["stage"].to_pylist() == ["fuzzy"]
    exact = run_curation(rows, name="exact", curate={"dedup": {"fuzzy": None}})
    assert len(exact.kept) == 3
    neither = run_curation([*rows, rows[0]], name="neither", curate={"dedup": {"exact": False, "fuzzy": None}})
    assert len(neither.kept) == 4


def test_parts_and_their_number_change_nothing(run_curation: Curation) -> None:
    rows = corpus()
    one = run_curation(rows, name="one", file="data", ingest={"max_rejected": 0.5, "part_bytes": 1 << 30})
    many = run_curation(rows, name="many", file="data", ingest={"max_rejected": 0.5, "part_bytes": 2048})
    assert len(list((one.root / "documents").glob("part-*"))) == 1
    assert len(list((many.root / "documents").glob("part-*"))) > 20
    assert len(one.decisions()) >= len(rows)
    assert one.decisions() == many.decisions()


def test_the_order_of_rows_does_not_change_what_is_kept(run_curation: Curation) -> None:
    rows = [row for row in corpus() if isinstance(row, dict)]
    # Of equally long copies the first is kept, so compare in normal form.
    one = run_curation(rows, name="one")
    other = run_curation(random.Random(3).sample(rows, len(rows)), name="other")

    def texts(done: Curated) -> set[str]:
        return {" ".join(text.casefold().split()) for text in done.texts().values()}

    assert len(texts(one)) > 100
    assert texts(one) == texts(other)


def test_a_row_keeps_its_split_when_its_place_changes(run_curation: Curation) -> None:
    rows = [{"text": prose(seed)} for seed in range(60)]

    def splits(done: Curated) -> dict[str, str]:
        return {
            row["messages"][0]["content"]: split for split, table in done.splits.items() for row in table.to_pylist()
        }

    before = splits(run_curation(rows, name="before"))
    after = splits(run_curation([{"text": prose(99)}, *rows[::-1]], name="after", file="renamed"))
    assert len(before) == 60
    assert set(before.values()) == set(SPLITS)
    assert {text: after[text] for text in before} == before


def test_no_pair_of_near_duplicates_is_in_two_splits(run_curation: Curation) -> None:
    chain = [prose(500, words=60)]
    for seed in range(40):
        chain.append(edited(chain[-1], seed, edits=2))
    rows = [{"text": text} for text in chain] + [{"text": prose(seed)} for seed in range(100)]
    halves = {"split": {"train": 0.5, "validation": 0.25, "test": 0.25}}
    done = run_curation(rows, curate={**halves, **NO_RULES})
    assert all(len(table) for table in done.splits.values())
    kept = done.kept["cluster"].to_pylist()
    assert len(set(kept)) < len(kept), "the chain's ends share a cluster, and so a split"
    engine = engine_for("cpu")
    split = np.repeat(np.arange(3), [len(table) for table in done.splits.values()])
    texts = pa.array(done.texts().values(), pa.large_string())
    sketches = engine.sketch(engine.normalise(texts))
    a, b = np.triu_indices(len(texts), 1)
    alike = engine.similarity(sketches[a], sketches[b]) >= 0.8
    assert not (alike & (split[a] != split[b])).any()


def test_case_and_indentation_are_meaning_in_code_but_not_in_text(run_curation: Curation) -> None:
    body = "\n".join(f"    {line}" for line in prose(1).split())
    rows = [{"text": f"if a:\n{body}\nelse:\n{body}\nb()"}, {"text": f"if a:\n{body}\nelse:\n{body}\n    b()"}]
    only_exact = {"dedup": {"fuzzy": None}, **NO_RULES}
    assert len(run_curation(rows, name="code", kind="code", curate=only_exact).kept) == 2
    assert len(run_curation(rows, name="text", kind="text", curate={**only_exact, "clean": None}).kept) == 1


def test_chats_that_differ_only_in_their_tool_calls_are_two(run_curation: Curation) -> None:
    def chat(arguments: str) -> dict[str, Any]:
        call = {"id": "1", "type": "function", "function": {"name": "act", "arguments": arguments}}
        ask = {"role": "user", "content": "Do it, please, as we said before."}
        return {"messages": [ask, {"role": "assistant", "content": "Done.", "tool_calls": [call]}]}

    rows = [chat(json.dumps({"path": prose(seed)})) for seed in (1, 1, 2)]
    done = run_curation(rows, kind="chat", curate=NO_RULES)
    assert len(done.kept) == 2
    assert done.ledger["stage"].to_pylist() == ["exact"]


def test_the_source_with_the_higher_priority_survives(tmp_path: Path, run_curation: Curation) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"text": prose(1)}) + "\n")
    first = tmp_path / "first.jsonl"
    first.write_text(json.dumps({"text": prose(1)}) + "\n")
    source = {"kind": "text", "format": "text"}
    done = run_curation(
        [],
        sources=[
            {**source, "name": "a", "path": str(first)},
            {**source, "name": "b", "path": str(other), "priority": 1},
        ],
    )
    assert done.kept["id"].to_pylist() == ["b/other.jsonl#0"]


PERSONAL = {
    "email": "jane.roe@northwind.org",
    "phone": "+1 (415) 555-2671",
    "ip": "93.184.216.34",
    "credit_card": "4111 1111 1111 1111",
    "ssn": "536-22-1847",
    "iban": "DE89 3704 0044 0532 0130 00",
}


def test_personal_data_reaches_no_file_of_the_run(run_curation: Curation) -> None:
    inside = ", ".join(PERSONAL.values())
    rows: list[Any] = [
        {
            "text": f"{prose(seed)} Contact: {value}.",
            "author": {"contact": [inside], value: "as a key"},
            "escaped": "jane\u002eroe\u0040northwind.org",
            "number": 4111111111111111,
        }
        for seed, value in enumerate(PERSONAL.values())
    ]
    rows += [{"text": f"short {value}"} for value in PERSONAL.values()]  # dropped by a rule
    rows += [f'{{"text": "{value}'.encode() for value in PERSONAL.values()]  # malformed
    rows += [
        json.dumps({"text": prose(90), "mail": "X"}).replace('"X"', r'"jane\u002eroe\u0040northwind.org"').encode()
    ]
    done = run_curation(rows, ingest={"max_rejected": 0.5})
    assert len(done.kept) == len(PERSONAL) + 1
    for table in (done.kept, done.ledger):
        text = json.dumps(table.drop_columns(["id"]).to_pylist(), ensure_ascii=False)
        for name, value in PERSONAL.items():
            assert value not in text, name
    tags = json.dumps(done.kept["messages"].to_pylist())
    for name in PERSONAL:
        assert f"<{name.upper()}>" in tags
    numbers = [json.loads(value).get("number") for value in done.kept["metadata"].to_pylist()]
    assert numbers.count("<CREDIT_CARD>") == len(PERSONAL), "the number of a card becomes a string"


def test_pii_null_and_clean_null_leave_text_as_it_came(run_curation: Curation) -> None:
    text = "Mail jane.roe@northwind.org \r\nnow\u00a0 " + prose(3)
    done = run_curation([{"text": text}], curate={"pii": None, "clean": None, **NO_RULES})
    assert done.texts() == {"s/run.jsonl#0": text}


def test_too_many_malformed_rows_stop_the_run_and_nothing_is_lost(run_curation: Curation, tmp_path: Path) -> None:
    rows: list[Any] = [{"text": prose(seed)} for seed in range(9)] + [b"{broken secret-9000"]
    with pytest.raises(InputError) as raised:
        run_curation(rows, ingest={"max_rejected": 0.05})
    message = str(raised.value)
    assert "1 of 10 rows (10.0%)" in message
    assert "run.jsonl:10" in message
    assert "max_rejected" in message
    assert "secret-9000" not in message
    assert not (tmp_path / "run" / "documents" / "_manifest.json").exists()
    written = (tmp_path / "run" / "documents" / "part-00000.parquet").stat()
    done = run_curation(rows, ingest={"max_rejected": 0.1})
    assert len(done.kept) == 9
    assert (done.root / "documents" / "part-00000.parquet").stat().st_mtime_ns == written.st_mtime_ns


def test_the_breaker_stops_a_run_that_would_remove_too_much(run_curation: Curation) -> None:
    rows = [{"text": edited(prose(1), seed)} for seed in range(40)]
    with pytest.raises(InputError, match="max_removed"):
        run_curation(rows, curate={"dedup": {"fuzzy": {"max_removed": 0.5}}})


def test_steps_are_kept_for_the_try_that_allows_more(
    run_curation: Curation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(decide.__kwdefaults__, "few", 0)  # few rows are decided on anew
    rows = [{"text": edited(prose(1), seed)} for seed in range(40)]
    with pytest.raises(InputError, match="max_removed"):
        run_curation(rows, curate={"dedup": {"fuzzy": {"max_removed": 0.5}}})
    work = tmp_path / "run/duplicates/_work"
    steps = {path: path.stat().st_mtime_ns for path in work.rglob("*.npy") if not path.name.startswith("state-")}
    assert len(steps) > 5
    found: dict[Path, int] = {}
    monkeypatch.setattr(
        duplicates.breaker, "check", lambda *_: found.update({path: path.stat().st_mtime_ns for path in steps})
    )
    run_curation(rows, curate={"dedup": {"fuzzy": {"max_removed": 0.99}}})
    assert found == steps
    monkeypatch.undo()
    with pytest.raises(InputError, match="max_cluster"):  # also of what is finished
        run_curation(rows, curate={"dedup": {"fuzzy": {"max_removed": 0.99, "max_cluster": 2}}})


def test_a_second_run_does_nothing_and_a_changed_one_only_what_is_needed(run_curation: Curation) -> None:
    rows = corpus()
    first = run_curation(rows, ingest={"max_rejected": 0.5})
    stamps = {path: path.stat().st_mtime_ns for path in first.root.rglob("*.parquet")}
    run_curation(rows, ingest={"max_rejected": 0.5})
    assert stamps == {path: path.stat().st_mtime_ns for path in first.root.rglob("*.parquet")}
    run_curation(rows, ingest={"max_rejected": 0.5}, seed=1)
    for path, stamp in stamps.items():
        changed = path.stat().st_mtime_ns != stamp
        assert changed == (path.relative_to(first.root).parts[0] in ("contamination", "curated", "ledger")), path


def test_nothing_survives(run_curation: Curation) -> None:
    done = run_curation([{"text": "short"}])
    assert len(done.kept) == 0
    assert done.manifest["rows"] == {"in": 1, "kept": 0, "dropped": 1, "rejected": 0}


@pytest.mark.parametrize("exact", [True, False])
def test_rows_that_say_little_or_nothing_are_no_duplicates_of_each_other(run_curation: Curation, exact: bool) -> None:
    texts = ["", None, " \n", "", "a", "b", "ab", "A", "?", "!", "\u200b", "\u200b\u200b", "\u00ad"]
    rows = [{"text": text} for text in texts]
    curate = {**NO_RULES, "clean": None, "dedup": {"exact": exact}}
    done = run_curation(rows, curate=curate, ingest={"max_rejected": 1.0})
    lines = {int(line["id"].partition("#")[2]): line for line in done.ledger.to_pylist()}
    removed = {row: line for row, line in lines.items() if line["stage"] in ("exact", "fuzzy")}
    assert {texts[row] for row in removed} <= {"A", "a", "\u200b"}, "only what says the same"
    assert {"a", "A"} & {texts[row] for row in removed}
    kept = {texts[int(row.partition("#")[2])] for row in done.kept["id"].to_pylist()}
    assert {"b", "ab", "?", "!"} <= kept
    assert len(done.kept) + len(lines) == len(rows)


def test_an_empty_source(run_curation: Curation) -> None:
    done = run_curation([])
    assert done.manifest["rows"] == {"in": 0, "kept": 0, "dropped": 0, "rejected": 0}


@pytest.mark.skipif(not SHARED.exists(), reason="needs the labelled sets of shared/data, which are not in this clone")
def test_planted_duplicates_are_found(run_curation: Curation) -> None:
    """Against the planted truth: what is planted is found, and nothing is removed that was not planted."""
    folder = SHARED / "dups-planted-text" / "corpus"
    with gzip.open(folder / "corpus.jsonl.gz", "rt") as lines:
        rows = [json.loads(line) for line in lines]
    with gzip.open(folder / "truth_docs.jsonl.gz", "rt") as lines:
        truth = {line["id"]: line for line in map(json.loads, lines)}
    done = run_curation(rows, curate=NO_RULES)
    name = {f"s/run.jsonl#{number}": row["id"] for number, row in enumerate(rows)}
    kept = {name[row] for row in done.kept["id"].to_pylist()}
    removed = [
        (name[row], name[instead])
        for row, instead in zip(done.ledger["id"].to_pylist(), done.ledger["evidence"].to_pylist(), strict=True)
    ]
    right = [truth[row]["cluster"] == truth[instead]["cluster"] for row, instead in removed]
    assert len(removed) > 300
    assert sum(right) / len(right) >= 0.99
    near = {"exact", "case", "ws", "unicode", "block-1", "edit_word-1", "edit_char-1"}
    pairs = [(row, line["from"]) for row, line in truth.items() if line["kind"] in near]
    found = [not (row in kept and origin in kept) for row, origin in pairs]
    assert len(pairs) > 200
    assert sum(found) / len(found) >= 0.97


def test_a_part_of_which_nothing_is_left(run_curation: Curation) -> None:
    rows = [{"text": "short"}] * 200 + [{"text": prose(seed)} for seed in range(10)]
    done = run_curation(rows, ingest={"part_bytes": 2048})
    assert len(done.kept) == 10


def test_the_report_has_redacted_examples_of_what_a_rule_dropped(run_curation: Curation) -> None:
    rows = [{"text": f"short {value}, " + "and again " * 60} for value in PERSONAL.values()]
    rows += [{"text": f"short {number}"} for number in range(20)]
    done = run_curation(rows, ingest={"part_bytes": 1024})
    excerpts = json.loads((done.root / "documents" / "_manifest.json").read_text())["summary"]["excerpts"]
    assert set(excerpts) == {"word_count", *(f"top_{n}gram_share_curator" for n in (2, 3, 4))}
    assert [len(rows) for rows in excerpts.values()] == [5, 5, 5, 5]
    shown = json.dumps(excerpts, ensure_ascii=False)
    assert "<EMAIL>" in shown
    assert not [value for value in PERSONAL.values() if value in shown]
    drops = {(drop.stage, drop.rule): drop for drop in read_drops(RunDirectory(done.root)) or []}
    assert all(line["text"] for line in drops["filter", "top_2gram_share_curator"].examples)


def test_the_report_shows_the_text_of_duplicates(run_curation: Curation) -> None:
    near = edited(prose(1), 2)[:-30]  # shorter, so that the two copies rank above it
    done = run_curation([{"text": prose(1)}, {"text": prose(1)}, {"text": near}])
    drops = {drop.stage: drop.examples for drop in read_drops(RunDirectory(done.root)) or []}
    for stage, text in (("exact", prose(1)), ("fuzzy", near)):
        assert [line["text"] for line in drops[stage]] == [f"{text[:300]}… ({len(text):,} characters)"]
