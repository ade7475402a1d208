"""Evaluation sets in a whole curation, on a real Dask cluster."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.curate.documents import stage, survey_sources
from pipeline.errors import InputError
from pipeline.inspect_run import Kept, find_row
from pipeline.report.funnel import funnel
from pipeline.run import RunDirectory
from tests.curate.conftest import KEY_ENV, Curated
from tests.curate.test_curate import NO_RULES, prose

Curation = Callable[..., Curated]
Named = Callable[..., dict[str, Any]]

QUESTION = " ".join(prose(700, words=30).split()).capitalize() + "?"
ANSWER = prose(701, words=25)


@pytest.fixture
def named(tmp_path: Path) -> Named:
    """An evaluation set in a file, as a recipe names it."""

    def write(rows: list[Any], name: str = "exam", **changes: Any) -> dict[str, Any]:
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(
            b"".join(row + b"\n" if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows)
        )
        columns = {"input": "question", "output": "answer"}
        return {"name": name, "kind": "pair", "format": "completion", "path": str(path), "columns": columns, **changes}

    return write


def exam() -> list[dict[str, Any]]:
    return [{"question": QUESTION, "answer": ANSWER}, {"question": prose(702, 6), "answer": "yes"}]


def rows() -> list[Any]:
    clean = [{"text": prose(seed)} for seed in range(40)]
    return [
        *clean[:20],
        {"text": f"{prose(800)} {QUESTION.upper()} {prose(801)}"},
        {"text": f"{prose(802)} {' ,- '.join(ANSWER.split()[5:19])} {prose(803)}"},
        {"text": f"{prose(804)} {' '.join(ANSWER.split()[5:17])} {prose(805)}"},  # twelve words
        {"text": f"{prose(806)} {QUESTION}\n\n{ANSWER}"},
        *clean[20:],
    ]


def test_rows_that_hold_evaluation_texts_are_dropped_and_named(run_curation: Curation, named: Named) -> None:
    done = run_curation(rows(), curate={"decontaminate": {"files": [named(exam())]}})
    assert len(done.kept) == len(rows()) - 3
    lines = [
        (int(line["id"].split("#")[1]), line["stage"], line["rule"], line["evidence"])
        for line in done.ledger.to_pylist()
    ]
    assert lines == [
        (20, "decontaminate", "evaluation_prompt", "exam/exam.jsonl#0"),
        (21, "decontaminate", "evaluation_answer", "exam/exam.jsonl#0"),
        (23, "decontaminate", "evaluation_prompt", "exam/exam.jsonl#0"),
        (23, "decontaminate", "evaluation_answer", "exam/exam.jsonl#0"),
    ]
    shares = done.ledger["value"].to_pylist()
    assert shares == [1.0, 2 / 13, 1.0, 1.0]
    counts = done.manifest["rows"]
    assert counts["in"] == counts["kept"] + counts["dropped"] + counts["rejected"]
    step = next(step for step in funnel(RunDirectory(done.root)) if step.name == "decontaminate")
    assert step.dropped == 3
    said = json.loads((done.root / "documents/_manifest.json").read_text())["summary"]
    assert said["contaminated"] == {"exam answer": 2, "exam prompt": 2}
    assert said["evaluation"]["exam"] == {
        "rows": 2,
        "looked_for": 1,
        "too_short": {"text": 0, "prompt": 1, "answer": 1},
        "common_ngrams": 0,
    }


def test_share_asks_for_more_than_one_n_gram(run_curation: Curation, named: Named) -> None:
    done = run_curation(rows(), curate={"decontaminate": {"files": [named(exam())], "share": 0.5}})
    assert [int(name.split("#")[1]) for name in done.ledger["id"].to_pylist()] == [20, 23, 23]


def test_what_many_evaluation_rows_say_is_a_template(run_curation: Curation, named: Named) -> None:
    template = "Answer the following question with one of the letters that stand before the possible answers below"
    asked = [{"question": f"{template}: {prose(seed, 5)}", "answer": "no"} for seed in range(900, 911)]
    given = [*rows(), {"text": f"{prose(807)} {template} {prose(808)}"}]
    few = run_curation(given, name="few", curate={"decontaminate": {"files": [named(asked[:10])]}})
    many = run_curation(given, name="many", curate={"decontaminate": {"files": [named(asked)]}})
    assert len(few.ledger) == 1
    assert len(many.ledger) == 0


def test_parts_and_the_order_of_rows_change_nothing(run_curation: Curation, named: Named) -> None:
    files = {"decontaminate": {"files": [named(exam())]}}
    one = run_curation(rows(), name="one", file="data", curate=files)
    many = run_curation(rows(), name="many", file="data", curate=files, ingest={"part_bytes": 2048})
    assert len(list((many.root / "documents").glob("part-*"))) > 5
    assert one.decisions() == many.decisions()
    shuffled = run_curation(random.Random(1).sample(rows(), len(rows())), name="shuffled", curate=files)
    assert sorted(shuffled.texts().values()) == sorted(one.texts().values())


def test_personal_data_is_looked_for_as_redaction_leaves_it(run_curation: Curation, named: Named) -> None:
    personal = f"{prose(910, 7)} write to jane.roe@northwind.org or {prose(911, 7)}"
    done = run_curation(
        [*rows()[:10], {"text": f"{prose(809)}\n{personal}"}],
        curate={"decontaminate": {"files": [named([{"question": personal, "answer": "x"}])]}},
    )
    assert done.ledger["rule"].to_pylist() == ["evaluation_prompt"]
    assert "jane" not in json.dumps(done.ledger.to_pylist())
    assert not [path for path in done.root.rglob("*") if path.is_file() and b"jane.roe" in path.read_bytes()]


@pytest.mark.parametrize("operator", ["tag", "mask", "hash", "pseudonym"])
@pytest.mark.parametrize("action", ["drop", "cut"])
def test_a_stand_in_s_number_or_digest_does_not_hide_an_evaluation_text(
    operator: str, action: str, run_curation: Curation, named: Named
) -> None:
    # Of thirteen words of the question one is always of the address, which is the row's second.
    question = f"{' '.join(prose(710, 11).split())} jane@corp.org {' '.join(prose(711, 11).split())}?"
    other = question.replace("jane@corp.org", "ann@corp.org")  # a copy in which another address is put
    given = [
        {"text": f"Ask bob@corp.org. {prose(830 + 2 * at)}\n{asked}\n{prose(831 + 2 * at)}"}
        for at, asked in enumerate(("Not the question.", question, other))
    ]
    pii = {"operator": operator, "key_env": KEY_ENV}
    files = [named([{"question": question, "answer": "yes"}])]
    done = run_curation(
        given, curate={"pii": pii, "decontaminate": {"files": files, "action": action, "keep": 0.1}, **NO_RULES}
    )
    if action == "drop":
        found = [(int(line["id"].split("#")[1]), line["rule"]) for line in done.ledger.to_pylist()]
        assert found == [(1, "evaluation_prompt"), (2, "evaluation_prompt")]
        return
    texts = done.texts()
    assert len(texts) == 3
    for at, text in enumerate(texts.values()):
        said = f"{prose(830 + 2 * at)} {prose(831 + 2 * at)}"
        assert set(said.split()) <= set(text.split())
        assert not set(question.split()) & set(text.split()) - set(said.split())


def test_chats_and_texts_are_evaluation_sets_too(run_curation: Curation, named: Named, tmp_path: Path) -> None:
    chat = [{"messages": [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]}]
    files = [
        named(chat, "talk", kind="chat", format="chat", columns={}),
        named([{"body": prose(5)}], "page", kind="text", format="text", columns={"text": "body"}),
    ]
    done = run_curation(rows(), curate={"decontaminate": {"files": files}})
    found = {(int(line["id"].split("#")[1]), line["rule"], line["evidence"]) for line in done.ledger.to_pylist()}
    assert found == {
        (5, "evaluation_text", "page/page.jsonl#0"),
        (20, "evaluation_prompt", "talk/talk.jsonl#0"),
        (21, "evaluation_answer", "talk/talk.jsonl#0"),
        (23, "evaluation_prompt", "talk/talk.jsonl#0"),
        (23, "evaluation_answer", "talk/talk.jsonl#0"),
    }


def test_a_changed_set_runs_pass_one_again(run_curation: Curation, named: Named) -> None:
    first = run_curation(rows(), curate={"decontaminate": {"files": [named(exam())]}})
    assert len(first.ledger) == 4
    second = run_curation(rows(), curate={"decontaminate": {"files": [named(exam()[1:])]}})
    assert len(second.ledger) == 0


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ([], "the evaluation set exam has no rows"),
        ([b"\n"], "the evaluation set exam has no rows"),
        ([*exam(), {"question": "x"}], "1 of 3 rows of the evaluation set exam are malformed"),
        ([b"{nothing"], "exam.jsonl:1"),
    ],
)
def test_a_set_that_cannot_be_looked_for_stops_the_run(
    run_curation: Curation, named: Named, given: list[Any], part: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as raised:
        run_curation(rows(), curate={"decontaminate": {"files": [named(given)]}})
    assert part in str(raised.value)
    assert "curate.decontaminate.files, exam" in str(raised.value)
    assert not list((tmp_path / "run").rglob("part-*"))


def test_a_set_that_is_not_there_is_named(run_curation: Curation, named: Named, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no file matches"):
        run_curation(rows(), curate={"decontaminate": {"files": [named(exam(), path=str(tmp_path / "exma.jsonl"))]}})


CUT = {"action": "cut"}


def test_cut_takes_out_the_words_and_leaves_every_other_byte(run_curation: Curation, named: Named) -> None:
    before, after = prose(800), prose(801)
    given = [{"text": f"{before} «{QUESTION.upper()}» {after}"}, *rows()[:5]]
    changed = {"clean": None, "pii": None, **NO_RULES}
    done = run_curation(given, curate={"decontaminate": {"files": [named(exam())], **CUT}, **changed})
    assert len(done.kept) == 6
    assert done.texts()["s/run.jsonl#0"] == f"{before} «?» {after}"
    lines = [line for path in (done.root / "documents").glob("cut-*") for line in _lines(path)]
    assert [(line["id"], line["rule"], line["evidence"]) for line in lines] == [
        ("s/run.jsonl#0", "cut_prompt", "exam/exam.jsonl#0")
    ]
    found = find_row(RunDirectory(done.root), "s/run.jsonl#0")
    assert isinstance(found, Kept)
    assert (found.lines, found.cut) == ([], lines)
    margin = run_curation(
        given,
        name="margin",
        file="run",
        curate={"decontaminate": {"files": [named(exam())], **CUT, "margin": 3}, **changed},
    )
    left, right = " ".join(before.split()[:-3]), " ".join(after.split()[3:])
    assert margin.texts()["s/run.jsonl#0"] == f"{left}  {right}"


def test_a_row_of_which_cut_leaves_little_is_dropped(run_curation: Curation, named: Named) -> None:
    given = [{"text": f"{QUESTION} {prose(1, 10)}"}, {"text": QUESTION}, *rows()[:5]]
    done = run_curation(given, curate={"decontaminate": {"files": [named(exam())], **CUT}, **NO_RULES})
    assert [(line["stage"], line["rule"]) for line in done.ledger.to_pylist()] == [("decontaminate", "cut_prompt")] * 2
    assert all(line["value"] < 0.5 == line["threshold"] for line in done.ledger.to_pylist())
    assert len(done.kept) == 5


@pytest.mark.parametrize("action", ["drop", "cut"])
def test_curating_what_was_curated_changes_nothing(run_curation: Curation, named: Named, action: str) -> None:
    words = QUESTION[:-1].split()
    # What is left of this one after a cut is, put together, an evaluation text again.
    nested = f"{' '.join(words[:15])} {QUESTION[:-1]} {' '.join(words[15:])}"
    given = [*rows(), {"text": f"{prose(810)} {nested} {prose(811)}"}]
    decontaminate = {"files": [named(exam())], "action": action}
    once = run_curation(given, name="once", curate={"decontaminate": decontaminate})
    texts = list(once.texts().values())
    again = run_curation([{"text": text} for text in texts], name="again", curate={"decontaminate": decontaminate})
    assert list(again.texts().values()) == texts
    assert len(again.ledger) == 0
    if action == "cut":
        assert len(texts) == len(given)
        assert not [text for text in texts if " ".join(words[2:15]).lower() in text.lower()]


def test_what_a_cut_leaves_is_deduplicated(run_curation: Curation, named: Named) -> None:
    given = [{"text": prose(1)}, {"text": f"{prose(1)} {QUESTION}"}]
    done = run_curation(
        given, curate={"decontaminate": {"files": [named(exam())], **CUT}, "dedup": {"fuzzy": None}, **NO_RULES}
    )
    assert done.ledger["stage"].to_pylist() in (["exact"], [])
    text = sorted(done.texts().values())
    assert text[0].startswith(prose(1))


def _lines(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def test_where_the_file_lies_does_not_matter_but_what_it_holds(
    run_curation: Curation, named: Named, tmp_path: Path
) -> None:
    from pipeline.recipe import load_recipe

    done = run_curation(rows(), curate={"decontaminate": {"files": [named(exam())]}})
    recipe = load_recipe(done.root / "recipe.yaml")
    before = stage(RunDirectory(done.root), recipe, survey_sources(recipe))
    assert before.why() is None
    named([{"question": "other", "answer": "words"}])
    after = stage(RunDirectory(done.root), recipe, survey_sources(recipe))
    assert "decontaminate/exam" in (after.why() or "")
