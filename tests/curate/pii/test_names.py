"""Names by Presidio and a spaCy model, through the real analyzer; nothing of what a model finds is believed blindly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline import preflight
from pipeline.config import Ner, Pii, Recipe
from pipeline.curate.pii.names import Names, finder, identity, problems
from pipeline.curate.pii.redact import UNSETTLED, ledger_of, redact
from pipeline.engines import ENTITIES, cpu
from pipeline.errors import InputError, MachineError
from pipeline.schema import LEDGER
from tests.curate.conftest import MODEL
from tests.curate.pii.test_redact import table
from tests.text.columns import column

NAMES = ("person", "location")


def found(names: Names, texts: list[str]) -> list[tuple[int, str, str]]:
    """(text, entity, value) of every span."""
    spans = names(column(texts))
    whole = "".join(texts).encode()
    return [
        (row, (*ENTITIES, *names.names)[entity], whole[start:end].decode())
        for row, start, end, entity in zip(*(array.tolist() for array in spans), strict=True)
    ]


def pii(model: str, **more: Any) -> Pii:
    return Pii.model_validate({"ner": {"model": model}, **more})


def contents(rows: pa.Table, section: Pii) -> list[str]:
    done = redact(rows, section, cpu)
    assert not done.failed.any()
    twice = redact(done.table, section, cpu)
    assert twice.table.equals(done.table)
    assert not any(twice.counts.values())
    return [message["content"] for row in done.table.to_pylist() for message in row["messages"]]


def test_spans_are_in_bytes_and_in_order(names_model: str) -> None:
    names = finder(Ner(model=names_model))
    assert names.names == NAMES
    texts = ["In Oslo: José Núñez, Jane Doe.", "", "12345 ☎", "spanner", "😀 Oslo", "In Oslo: José Núñez, Jane Doe."]
    first = [(0, "location", "Oslo"), (0, "person", "José Núñez"), (0, "person", "Jane Doe")]
    assert found(names, texts) == [*first, (4, "location", "Oslo"), *((5, *rest) for _, *rest in first)]
    assert found(names, []) == []


@settings(max_examples=30, deadline=None)
@given(texts=st.lists(st.lists(st.sampled_from(["Oslo", "Jane Doe", " ", "é", "x", "\n"])).map("".join), max_size=5))
def test_a_text_is_read_by_itself(names_model: str, texts: list[str]) -> None:
    names = finder(Ner(model=names_model))
    alone = [(row, *rest) for row, text in enumerate(texts) for _, *rest in found(names, [text])]
    assert found(names, texts) == alone
    sliced = names(column(["Oslo", *texts])[1:])
    assert (sliced.starts - 4).tolist() == names(column(texts)).starts.tolist()


def test_a_long_text_is_read_in_pieces_cut_between_words(names_model: str) -> None:
    names = finder(Ner(model=names_model, max_chars=1000))
    for before in range(9):  # a cut falls on every place of a name
        text = "-" * before + "é Jane Doe, " * 500
        assert len(found(names, [text])) == 500
    unbroken = "x" * 2500 + " Oslo"
    assert found(names, [unbroken]) == [(0, "location", "Oslo")]


def test_ours_win_and_of_a_name_the_rest_is_left(names_model: str) -> None:
    rows = table(["Jane Doe jane@corp.org in Oslo"], metadata='{"Oslo":"by José Núñez","x":"\\ud83d Jane Doe"}')
    section = pii(names_model)
    [row] = redact(rows, section, cpu).table.to_pylist()
    assert row["messages"][0]["content"] == "<PERSON> <EMAIL> in <LOCATION>"
    assert row["metadata"] == '{"<LOCATION>":"by <PERSON>","x":"\\ud83d <PERSON>"}'


@pytest.mark.parametrize(
    ("operator", "after"),
    [
        ("tag", "<PERSON> met <PERSON> and <PERSON> in <LOCATION>"),
        ("pseudonym", "<PERSON_1> met <PERSON_2> and <PERSON_1> in <LOCATION_1>"),
        ("mask", "******** met ********** and ******** in ****"),
    ],
)
def test_what_stands_in_place_of_a_name_is_no_name(names_model: str, operator: str, after: str) -> None:
    """The model takes PERSON for one."""
    rows = table(["Jane Doe met José Núñez and Jane Doe in Oslo"])
    assert contents(rows, pii(names_model, operator=operator)) == [after]


def test_only_what_is_asked_for_and_believed(names_model: str) -> None:
    text = "Jane Doe in Oslo"
    assert found(finder(Ner(model=names_model, entities=["LOCATION"])), [text]) == [(0, "location", "Oslo")]
    assert found(finder(Ner(model=names_model, score=0.9)), [text]) == []  # of a spaCy model all have 0.85
    done = redact(table([text]), pii(names_model, entities=["ip"]), cpu)
    assert done.counts == {"ip": 0, "person": 1, "location": 1}


def test_the_model_is_loaded_once(names_model: str) -> None:
    assert finder(Ner(model=names_model)) is finder(Ner(model=names_model))


def test_what_is_missing_is_said_before_the_run(names_model: str, tmp_path: Path) -> None:
    assert problems(Ner(model=names_model)) == []
    [absent] = problems(Ner(model="en_core_web_huge"))
    assert "no spaCy model en_core_web_huge on this machine" in absent
    assert problems(Ner(model="json"))  # a module, but no model
    assert problems(Ner(model=str(tmp_path)))
    [other] = problems(Ner(model=names_model, entities=["PERSON", "NRP"]))
    assert "does not find NRP; it finds LOCATION, PERSON" in other
    with pytest.raises(MachineError, match="en_core_web_huge"):
        redact(table(["x"]), pii("en_core_web_huge"), cpu)
    (tmp_path / "rows.jsonl").write_text('{"text": "x"}\n')
    recipe = {
        "run": str(tmp_path / "run"),
        "sources": [{"name": "s", "kind": "text", "format": "text", "path": str(tmp_path / "rows.jsonl")}],
        "train": {"model": {"config": MODEL}},
        "curate": {"pii": {"operator": "hash", "key_env": "NO_SUCH_KEY", "ner": {"model": "en_core_web_huge"}}},
    }
    with pytest.raises(InputError) as caught:
        preflight.check(Recipe.model_validate(recipe))
    assert "NO_SUCH_KEY" in str(caught.value)
    assert "en_core_web_huge" in str(caught.value)


def test_another_model_is_another_stage(names_model: str, tmp_path: Path) -> None:
    assert identity(Ner(model=names_model)) == identity(Ner(model=names_model))
    other = tmp_path / "other"
    other.mkdir()
    for path in Path(names_model).rglob("*"):
        if path.is_file():
            (other / path.name).write_bytes(path.read_bytes() + b" ")
    assert identity(Ner(model=str(other))) != identity(Ner(model=names_model))
    assert identity(Ner(model="en_core_web_huge")) is None


@pytest.fixture
def failing_model(tmp_path: Path) -> str:
    """A model with a part that fails on some texts, and quotes them."""
    spacy = pytest.importorskip("spacy", reason="the extra ner is not installed")
    pytest.importorskip("presidio_analyzer", reason="the extra ner is not installed")

    @spacy.language.Language.component("fails_on_unlucky")
    def fails(doc: Any) -> Any:
        if "unlucky" in doc.text:
            raise ArithmeticError(f"no luck with {doc.text}")
        return doc

    model = spacy.blank("en")
    model.add_pipe("entity_ruler").add_patterns([{"label": "PERSON", "pattern": "Jane Doe"}])
    model.add_pipe("fails_on_unlucky")
    model.to_disk(tmp_path / "failing")
    return str(tmp_path / "failing")


def with_ids(rows: pa.Table) -> pa.Table:
    ids = pa.array([f"s/a#{row}" for row in range(len(rows))])
    return rows.append_column("id", ids).append_column("source", pa.repeat("s", len(rows)))


def test_a_row_whose_check_fails_is_lost_and_the_others_are_not(failing_model: str) -> None:
    section = Pii.model_validate({"ner": {"model": failing_model, "entities": ["PERSON"]}})
    texts = [f"Jane Doe wrote a{row}@b.com" + (" unlucky" if row in (3, 4, 9) else "") for row in range(11)]
    rows = with_ids(pa.concat_tables([table([text]) for text in texts]))
    done = redact(rows, section, cpu)
    assert done.failed.nonzero()[0].tolist() == [3, 4, 9]
    assert done.reasons == ["ArithmeticError"] * 3
    assert [row["messages"][0]["content"] for row in done.table.to_pylist()] == ["<PERSON> wrote <EMAIL>"] * 8
    assert {name: count for name, count in done.counts.items() if count} == {"email": 8, "person": 8}
    lines = ledger_of(rows, done)
    assert lines.schema.equals(LEDGER)
    assert lines.to_pylist() == [
        {"id": f"s/a#{row}", "source": "s", "stage": "redact", "rule": "failed"}
        | {"value": None, "threshold": None, "evidence": "ArithmeticError"}
        for row in (3, 4, 9)
    ]


@pytest.mark.parametrize("place", ["extra", "tools", "metadata"])
def test_a_row_fails_as_a_whole(failing_model: str, place: str) -> None:
    section = Pii.model_validate({"ner": {"model": failing_model, "entities": ["PERSON"]}})
    done = redact(table(["a@b.com"], **{place: '{"x":"unlucky"}'}), section, cpu)
    assert (len(done.table), done.reasons, done.failed.tolist()) == (0, ["ArithmeticError"], [True])
    assert not any(done.counts.values())
    kept = redact(
        table(["a@b.com"], **{place: '{"x":"unlucky"}'}), section.model_copy(update={"metadata": "keep"}), cpu
    )
    assert kept.reasons == []


def test_a_row_that_does_not_settle_is_lost(names_model: str) -> None:
    """Each round makes the next word a name: longer than anyone waits."""
    text = "Loop " + " ".join(f"loop{number}" for number in range(40))
    rows = pa.concat_tables([table(["a@b.com"]), table([text]), table(["x"], metadata=f'["{text}"]'), table(["Oslo"])])
    done = redact(with_ids(rows), pii(names_model), cpu)
    assert done.failed.tolist() == [False, True, True, False]
    assert done.reasons == [UNSETTLED] * 2
    assert [row["messages"][0]["content"] for row in done.table.to_pylist()] == ["<EMAIL>", "<LOCATION>"]
    direct = cpu.redact(column([text, "Oslo"]), ENTITIES, also=finder(Ner(model=names_model)))
    assert direct.texts.to_pylist() == ["", "<LOCATION>"]  # nothing half done is handed out
    assert direct.settled.tolist() == [False, True]
