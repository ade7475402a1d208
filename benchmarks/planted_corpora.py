"""Rows of which the near duplicates are known: planted ones, and revisions of pages; and what of them was found."""

from __future__ import annotations

import gzip
import importlib.util
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["Corpus", "alike", "corpora", "judged", "near", "short_rows"]


@dataclass(frozen=True)
class Corpus:
    """Rows, and the pairs of them that must not both be kept."""

    name: str
    ids: list[str]
    texts: list[str]
    pairs: list[tuple[int, int]]
    generator: ModuleType
    known: dict[tuple[int, int], float] = field(default_factory=dict)


def corpora(data: Path, seeds: Sequence[int], folder: Path) -> Iterator[Corpus]:
    home = data / "dups-planted-text"
    spec = importlib.util.spec_from_file_location("planted_dups", home / "planted_dups.py")
    assert spec
    assert spec.loader
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    yield read("as it lies there", home / "corpus", generator)
    peps, code = str(data / "text-peps" / "peps.jsonl.gz"), folder / "code.jsonl"
    library(code)
    few = ["--clusters", "120", "--chains", "8", "--singles", "150"]
    for seed in seeds:
        for name, base, more in (
            ("text", peps, ["--piece", "--traps", "40"]),
            ("under 300", peps, ["--piece", "--min-chars", "150", "--max-chars", "300", "--traps", "0"]),
            ("code", str(code), ["--kind", "code", "--piece", "--traps", "10"]),
        ):
            out = folder / f"{name}-{seed}"
            command = [sys.executable, str(home / "planted_dups.py"), "--base", base, "--out", str(out)]
            subprocess.run([*command, "--seed", str(seed), *few, *more], check=True, stdout=subprocess.DEVNULL)
            yield read(f"{name}, seed {seed}", out, generator)
    for name in ("owasp", "rustbook"):
        if (data / f"text-{name}-revisions").exists():
            yield revisions(name, data / f"text-{name}-revisions", generator)


def short_rows(data: Path, count: int) -> Corpus:
    """Rows of forty words of the PEPs, each fourth the one before it with a word more."""
    words = [word for row in lines(data / "text-peps" / "peps.jsonl.gz") for word in row["text"].split()]
    own = iter(" ".join(words[at : at + 40]) for at in range(0, len(words) - 40, 40))
    texts: list[str] = []
    pairs = []
    while len(texts) < count and (text := next(own, "")):
        texts.append(text)
        if len(texts) % 4 == 3:
            pairs.append((len(texts) - 1, len(texts)))
            texts.append(f"{text} again")
    return Corpus("rows of forty words", [f"r{row}" for row in range(len(texts))], texts, pairs, ModuleType("none"))


def revisions(name: str, folder: Path, generator: ModuleType) -> Corpus:
    """Pages and their revisions, each content once."""
    rows = {row["blob"]: row["text"] for row in lines(folder / f"{name}_revisions.jsonl.gz")}
    at = {blob: place for place, blob in enumerate(rows)}
    pairs = [
        (at[line["blob_a"]], at[line["blob_b"]])
        for line in lines(folder / "truth_pairs.jsonl.gz")
        if min(line["j_char24"], line["j_word5"]) >= 0.85
    ]
    return Corpus(f"{name} revisions", list(rows), list(rows.values()), pairs, generator)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        yield from map(json.loads, rows)


def read(name: str, folder: Path, generator: ModuleType) -> Corpus:
    rows = list(lines(folder / "corpus.jsonl.gz"))
    at = {row["id"]: place for place, row in enumerate(rows)}
    pairs = [
        (at[line["a"]], at[line["b"]])
        for line in lines(folder / "truth_pairs.jsonl.gz")
        if min(line["jn_char24"], line["jn_word5"]) >= 0.85
    ]
    return Corpus(name, [row["id"] for row in rows], [row["text"] for row in rows], pairs, generator)


def library(path: Path) -> None:
    """The standard library as JSON lines."""
    with path.open("w", encoding="utf-8") as file:
        for source in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
            if "site-packages" in source.parts or "test" in source.parts:
                continue
            text = source.read_text(encoding="utf-8", errors="ignore")
            file.write(json.dumps({"text": text}) + "\n")


def judged(corpus: Corpus, survivor: dict[int, int]) -> tuple[float, float, int]:
    """Recall, precision, and rows removed; `survivor` names every removed row's, or itself where it is not known."""
    found = sum(a in survivor or b in survivor for a, b in corpus.pairs) / max(1, len(corpus.pairs))
    right = [alike(corpus, row, kept) >= 0.7 for row, kept in survivor.items()]
    return found, sum(right) / max(1, len(right)), len(right)


def alike(corpus: Corpus, a: int, b: int) -> float:
    """The largest of the truth's five similarities, or the first of 0.7 or more."""
    if (a, b) not in corpus.known:
        corpus.known[a, b] = _alike(corpus, a, b)
    return corpus.known[a, b]


def _alike(corpus: Corpus, a: int, b: int) -> float:
    make = corpus.generator
    one, other = corpus.texts[a], corpus.texts[b]
    best = 0.0
    for x, y in ((one, other), (make.normal(one), make.normal(other))):
        for shingles in (lambda t: make.char_shingles(t, 24), lambda t: make.char_shingles(t, 5), make.word_shingles):
            best = max(best, float(make.jaccard(set(shingles(x)), set(shingles(y)))))
            if best >= 0.7:
                return best
    return best


def near(corpus: Corpus, row: int, kept: list[int]) -> Iterator[int]:
    """Kept rows that share a word-3-gram with the row, those that share most first, at most five."""
    grams = _grams(corpus.texts[row])
    shared = [(len(grams & _grams(corpus.texts[other])), other) for other in kept]
    yield from (other for count, other in sorted(shared, reverse=True)[:5] if count)


def _grams(text: str, memo: dict[str, frozenset[int]] = {}) -> frozenset[int]:  # noqa: B006
    if text not in memo:
        words = text.lower().split()
        memo[text] = frozenset(hash(" ".join(words[i : i + 3])) for i in range(len(words)))
    return memo[text]
