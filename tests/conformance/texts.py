"""Real text: a few hundred documents of every kind in the shared data, the same ones in every run."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.engines import cpu
from tests.text.columns import column, shared

__all__ = ["english", "languages", "rows_of"]

LONGEST = 6000
"""Characters that are taken of a document."""

_LANGUAGES = "arb cmn_hans deu_1996 ell_polytonic eng fra heb hin hye jpn khm kor lao mya rus spa tam tha tur vie yor"


@cache
def english() -> tuple[str, ...]:
    """Prose, technical text, speeches, verse, questions and answers, Markdown."""
    found = [text[:LONGEST] for text in _jsonl("text-peps", "peps.jsonl.gz", "text", 12)]
    found += [text[:LONGEST] for text in _jsonl("text-owasp-revisions", "owasp_revisions.jsonl.gz", "text", 14)]
    found += list(_pieces(_gzip("text-wikitext2", "test.txt.gz"), 4000, 40))
    found += list(_pieces(_gzip("text-nltk-public-domain", "input.txt.gz"), 3000, 20))
    for name in ("inaugural.zip", "state_union.zip"):
        with zipfile.ZipFile(shared("text-nltk-public-domain") / name) as archive:
            for member in [one for one in sorted(archive.namelist()) if one.endswith(".txt")][::5]:
                found.append(archive.read(member).decode("utf-8", "replace")[:LONGEST])
    for folder, file, keys, step in (
        ("instruct-gsm8k", "test.jsonl.gz", ("question", "answer"), 40),
        ("instruct-dolly-hhrlhf-small", "dolly_hhrlhf_train_small.jsonl.gz", ("prompt", "response"), 25),
        ("instruct-self-instruct", "user_oriented_instructions.jsonl", ("instruction",), 12),
    ):
        for row in _rows(shared(folder) / file)[::step]:
            found.append("\n\n".join(str(row[key]) for key in keys))
    codes = json.loads(gzip.decompress((shared("instruct-gpteacher-code") / "codegen-instruct.json.gz").read_bytes()))
    found += ["\n\n".join((row["instruction"], row["response"])) for row in codes[::120]]
    return tuple(text for text in found if text.strip())


@cache
def languages() -> tuple[str, ...]:
    """The Universal Declaration of Human Rights and pages about commands, in many languages and scripts."""
    with zipfile.ZipFile(shared("text-nltk-public-domain") / "udhr2.zip") as archive:
        there = set(archive.namelist())
        members = [f"udhr2/{name}.txt" for name in _LANGUAGES.split()]
        found = [archive.read(name).decode("utf-8")[:LONGEST] for name in members if name in there]
    found += _jsonl("text-tldr-multilang", "tldr.jsonl.gz", "text", 90)
    return tuple(text for text in found if text.strip())


@cache
def rows_of(texts: tuple[str, ...]) -> tuple[dict[str, float], ...]:
    """The signals of every text."""
    found = cpu.signals(column(texts))
    return tuple({name: values[row].item() for name, values in found.items()} for row in range(len(texts)))


def _rows(path: Path) -> list[dict[str, Any]]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in data.splitlines()]


def _jsonl(folder: str, file: str, key: str, step: int) -> list[str]:
    return [row[key] for row in _rows(shared(folder) / file)[::step]]


def _gzip(folder: str, file: str) -> str:
    return gzip.decompress((shared(folder) / file).read_bytes()).decode()


def _pieces(text: str, characters: int, count: int) -> Iterator[str]:
    step = len(text) // count
    for at in range(count):
        yield text[at * step : at * step + characters]
