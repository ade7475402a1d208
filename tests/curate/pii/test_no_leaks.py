"""No file of a run holds personal data, whatever the operator: parts, ledger, excerpts, manifests, logs.

Where the recipe leaves it in the rows, it is in the files that hold rows and nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.report import report
from pipeline.run import RunDirectory
from tests.curate.conftest import KEY, KEY_ENV, Curated

PLANTED = ("zoe.quist@planted-corp.org", "+44 20 7946 0958", "4111 1111 1111 1111", "4111111111111111", "73.162.14.201")
UNSETTLED = "Loop " + " ".join(f"loop{number}" for number in range(40))


def rows() -> list[dict[str, Any]]:
    mail, phone, card, number, ip = PLANTED
    words = "Some words that say nothing of anybody and are here to be enough."
    call = {"type": "function", "function": {"name": "send", "arguments": json.dumps({"to": mail, "card": number})}}
    return [
        {
            "messages": [
                {"role": "user", "content": f"{words} Write to {mail} or call {phone}, card {card}."},
                {"role": "assistant", "content": f"{words} I wrote to {mail} from {ip}.", "tool_calls": [call]},
            ],
            "tools": [{"name": "send", "description": f"asks {mail}"}],
            mail: 1,
            "card": int(number),
            "deep": [{"ip": ip, phone: None}],
        },
        {"messages": [{"role": "user", "content": f"{mail} {phone}"}, {"role": "assistant", "content": "short"}]},
        {"messages": [{"role": "user", "content": words}, {"role": "assistant", "content": f"{mail} {UNSETTLED}"}]},
    ]


def readable(path: Path) -> str:
    """All that a file says; Parquet is compressed, its statistics are not."""
    plain = path.read_bytes().decode("utf-8", "replace")
    if path.suffix != ".parquet":
        return plain
    return plain + json.dumps(pq.read_table(path).to_pylist(), ensure_ascii=False, default=str)


@pytest.mark.parametrize("operator", ["tag", "mask", "hash", "pseudonym"])
def test_nothing_planted_is_in_any_file(
    operator: str, run_curation: Callable[..., Curated], names_model: str, capfd: pytest.CaptureFixture[str]
) -> None:
    section = {"operator": operator, "key_env": KEY_ENV, "ner": {"model": names_model}}
    done = run_curation(
        rows(), kind="chat", curate={"pii": section, "rules": {"preset": "none", "word_count": {"min": 10}}}
    )
    files = [path for path in done.root.rglob("*") if path.is_file()]
    assert len(files) > 10
    said = {str(path): readable(path) for path in files} | {"output": "".join(capfd.readouterr())}
    for value in (*PLANTED, "loop39", KEY):
        assert not [path for path, text in said.items() if value in text], value
    assert len(done.kept) == 1
    lines = {(line["stage"], line["rule"], line["evidence"]) for line in done.ledger.to_pylist()}
    assert lines == {("filter", "word_count", None), ("redact", "failed", "Unsettled")}
    assert done.manifest["rows"] == {"in": 3, "kept": 1, "dropped": 2, "rejected": 0}


@pytest.mark.parametrize("pii", [None, {"entities": ["mac"]}])
def test_what_the_recipe_leaves_in_the_rows_is_on_no_page_nor_in_any_record(
    pii: dict[str, Any] | None, run_curation: Callable[..., Curated], capfd: pytest.CaptureFixture[str]
) -> None:
    mail, phone, card, number, ip = PLANTED
    # The address stands across the place where the texts of dropped rows are cut.
    prompt = f"Call {phone} or pay by {card}. {'Words that fill it. ' * 11}{'x' * 18} {mail} from {ip}, {number}."
    assert prompt.index(mail) < 300 < prompt.index(mail) + len(mail)
    answer = " ".join(f"word{place}" for place in range(60))
    same = {"input": prompt, "output": answer}
    near = {"input": prompt.replace(" or pay", " pay"), "output": answer}
    short = {"input": "Too short.", "output": f"{mail} {phone} {card}"}
    done = run_curation(
        [same, same, near, short],
        kind="pair",
        curate={
            "pii": pii,
            "rules": {"preset": "none", "word_count": {"min": 20}},
            "dedup": {"fuzzy": {"threshold": 0.6}},
            "split": {"train": 1.0, "validation": 0.0, "test": 0.0},
        },
    )
    page = report(*RunDirectory.existing(done.root)).read_text(encoding="utf-8")
    stages = {line["stage"] for line in done.ledger.to_pylist()}
    assert stages == {"exact", "fuzzy", "filter"}
    assert page.count("&lt;EMAIL&gt;") == 4, "two duplicates, a row that failed a rule, and the row that is kept"
    rows = [done.root / "documents", done.root / "curated"]
    files = [path for path in done.root.rglob("*") if path.is_file()]
    held = [path for path in files if path.suffix == ".parquet" and set(path.parents) & set(rows)]
    assert any(mail in readable(path) for path in held)
    said = {str(path): readable(path) for path in files if path not in held}
    said["output"] = "".join(capfd.readouterr())
    for value in (*PLANTED, mail.split("@")[0], mail.split("@")[1]):
        assert not [path for path, text in said.items() if value in text], value
