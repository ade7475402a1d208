"""Curating what was curated changes nothing and drops nothing, and every row keeps its cluster and its split."""

from __future__ import annotations

import email.message
import gzip
import inspect
import json
import json.decoder
import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Recipe
from pipeline.curate import curate
from pipeline.engines import CLEANERS
from pipeline.run import Manifest, RunDirectory
from pipeline.schema import SIGNALS
from sources.python_stdlib import functions
from tests.conftest import ROOT
from tests.curate.conftest import KEY, KEY_ENV, MODEL
from tests.curate.curated_rows import FORMATS, stored
from tests.curate.test_curate import PERSONAL, edited, prose
from tests.text.columns import SHARED

KINDS = tuple(FORMATS)

CURATE = {
    "playbook": {"rules": {"preset": "playbook"}},
    "none": {"rules": {"preset": "none"}},
    "every cleaner": {
        "rules": {"preset": "none"},
        "clean": {kind: list(CLEANERS) for kind in KINDS},
        "pii": {"operator": "pseudonym", "operators": {"email": "hash", "phone": "mask"}, "key_env": KEY_ENV},
    },
}
"""Sections `curate`."""

MARKED_UP = [
    "<p>Tom &amp; Jerry met <b>{}</b> &lt;often&gt;.</p><br><!-- hidden -->{}\n\nWe use cookies to improve the page.",
    "# On *the* [docs](https://a.io) of {}\n\n* {} [1], they say.\n\nIt is so [2].\n\n-- \nAnn, {}\nSent from my phone",
    "# Copyright 2020 {}\n# Licensed under the MIT license, see {}\n\nimport a  # â€œvoilÃ  cafÃ©â€\x9d\n",
    "On Monday, 9:30, {} wrote:\n> “Well—no”, he said to {}...\n\nvoilÃ  cafÃ©, it is so.\n\nAll rights reserved.",
]
"""Texts that every cleaner changes, with places for personal data."""


def made() -> dict[str, list[dict[str, Any]]]:
    """Rows of every kind from what every machine has: prose, code, requests; with all that curation mends."""
    inside = list(PERSONAL.values())
    odd = [
        "\ufeff",
        "\x00\x07",
        "e\u0301",
        "\u00a0",
        "\u200b",
        "Å",
        "ﬁ",
        "\r\n",
        "\u2028",
        "日本語のテキスト",
        "😀\u200d",
    ]
    text = [page.read_text() for page in sorted((ROOT / "docs").glob("*.md"))]
    text += [
        f"{prose(seed)} {odd[seed % len(odd)]} {inside[seed % len(inside)]} {prose(seed + 1000)}" for seed in range(60)
    ]
    text += [unicodedata.normalize("NFD", f"Ünïcode déjà vu, naïve façade. {prose(seed)}") for seed in range(60, 70)]
    text += [f"{text[seed]}  \r\n\r\n\r\n" for seed in range(20, 30)]  # copies once they are clean
    text += [edited(text[seed], seed) for seed in range(30, 40)]
    code = [inspect.getsource(module) for module in (email.message, json, json.decoder, random, inspect)]
    code += [f"# {value}\n{inspect.getsource(gzip)}\n{prose(seed)}\n" for seed, value in enumerate(inside)]
    pairs = [
        row for shard in ("email/utils.py", "json/encoder.py", "email/charset.py") for row in functions(shard=shard)
    ]
    pairs += [{"input": f"Who is {value}? {prose(seed, 9)}", "output": f"{value}: {prose(seed + 50, 30)}"}
              for seed, value in enumerate(inside)]  # fmt: skip
    chats = [
        {
            "messages": [
                {"role": "user", "content": f"Please write to {value}. {prose(seed, 20)}", "name": value},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "1", "function": {"name": "send", "arguments": json.dumps({"to": value})}}],
                },
                {"role": "tool", "content": prose(seed + 70, 20), "tool_call_id": "1"},
                {"role": "assistant", "content": f"Done\u00a0: {value} {odd[seed]}"},
            ],
            "tools": [{"type": "function", "function": {"name": "send", "description": f"as {value}"}}],
            "contact": {value: [value]},
        }
        for seed, value in enumerate(inside)
    ]
    marked = [
        f"{page.format(value, value, value)}\n{prose(2000 + len(MARKED_UP) * seed + number, 150)}"
        for seed, value in enumerate(inside)
        for number, page in enumerate(MARKED_UP)
    ]
    pairs += [{"input": f"What says {page}", "output": page} for page in marked]
    triples = [
        {"query": f"Where is {value}?", "pos_doc": [page, prose(seed + 90, 30)], "neg_doc": [f"Not {value}. {page}"]}
        for seed, (value, page) in enumerate(zip(inside, marked, strict=False))
    ]
    plain = {
        kind: [{"text": one} for one in texts] for kind, texts in (("text", text + marked), ("code", code + marked))
    }
    return {**plain, "pair": pairs, "chat": chats, "retrieval": triples}


def published() -> dict[str, list[dict[str, Any]]]:
    """Rows of the shared data sets: standards, help pages of many languages, planted personal data, chats, pairs."""
    pairs = [
        {"input": row["prompt"], "output": row["response"]}
        for row in _read("instruct-dolly-hhrlhf-small/dolly_hhrlhf_train_small.jsonl.gz", 150)
        if row["prompt"].strip() and row["response"].strip()
    ]
    text = [
        *_read("text-peps/peps.jsonl.gz", 30),
        *_read("text-tldr-multilang/tldr.jsonl.gz", 150),
        *_read("pii-planted/corpus/corpus.jsonl.gz", 300),
    ]
    triples = [
        {"query": row["query"], "pos_doc": row["pos"], "neg_doc": row["neg"]}
        for row in _read("retrieval-triples/nq.jsonl.gz", 50)
    ]
    chats = list(_read("chat-oasst/messages.jsonl.gz", 100))
    return {"text": text, "code": [], "pair": pairs, "chat": chats, "retrieval": triples}


def _read(path: str, count: int) -> Iterator[dict[str, Any]]:
    """Rows spread over a data set."""
    with gzip.open(SHARED / path, "rt", encoding="utf-8") as lines:
        every = list(lines)
    for line in every[:: max(1, len(every) // count)]:
        yield json.loads(line)


@pytest.mark.parametrize("rows", [made, published])
@pytest.mark.parametrize("section", CURATE)
def test_curating_what_was_curated_changes_nothing(
    rows: Any, section: str, tmp_path: Path, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_ENV, KEY)
    if rows is published and not SHARED.exists():
        pytest.skip("needs the data sets of shared/data, which are not in this clone")
    paths = {}
    for kind, ours in rows().items():
        if ours:
            paths[kind] = tmp_path / f"{kind}.jsonl"
            # As a target's rows are written, so that exact JSON (of tool calls, say) is the same text again.
            lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in ours]
            paths[kind].write_text("".join(lines), encoding="utf-8")

    def run(name: str, sources: list[dict[str, Any]]) -> RunDirectory:
        document = {
            "run": str(tmp_path / name),
            "cluster": {"address": scheduler},
            "ingest": {"part_bytes": 1 << 18},
            "sources": sources,
            "curate": {**CURATE[section], "split": {"train": 0.5, "validation": 0.25, "test": 0.25}},
            "train": {"model": {"config": MODEL}},
        }
        recipe = Recipe.model_validate(document)
        curate(RunDirectory.open(recipe), recipe)
        return RunDirectory(tmp_path / name)

    once = run("once", [{"name": kind, "kind": kind, "format": FORMATS[kind], "path": str(path)}
                        for kind, path in paths.items()])  # fmt: skip
    target = {"format": "rows", "target": "tests.curate.curated_rows:rows"}
    args = {"root": str(once.root)}
    again = run("again", [{"name": kind, "kind": kind, **target, "args": {**args, "kind": kind}} for kind in paths])

    first, second = Manifest.read(once.path("curated")), Manifest.read(again.path("curated"))
    assert first is not None
    assert first.rows is not None
    assert second is not None
    assert second.rows is not None
    assert first.rows["dropped"] > 0
    assert sum((Manifest.read(once.path("documents")) or first).summary["redacted"].values()) > 0
    assert second.rows == {"in": first.rows["kept"], "kept": first.rows["kept"], "dropped": 0, "rejected": 0}
    redacted = (Manifest.read(again.path("documents")) or second).summary["redacted"]
    assert set(redacted.values()) == {0}
    for kind in paths:
        before = [(split, _said(row)) for split, row in stored(str(once.root), kind)]
        places = {f"{kind}/rows#{number}": number for number in range(len(before))}
        after: list[Any] = [None] * len(before)
        for split, row in stored(str(again.root), kind):
            after[places[row["id"]]] = (split, _said(row))
        changed = [
            (name, was[1][name], now[1][name])
            for was, now in zip(before, after, strict=True)
            for name in was[1]
            if was[1][name] != now[1][name]
        ]
        assert changed == []
        assert after == before


def _said(row: dict[str, Any]) -> Any:
    """Everything of a row but its name, in a form in which NaN equals itself."""
    columns = ("messages", "tools", "metadata", "cluster", *SIGNALS)
    return {name: repr(row[name]) for name in columns}
