"""Evaluation sets found in training rows: how many rows, under which rule, and how fast beside datatrove.

    python benchmarks/decontamination.py            # GSM8K, HumanEval, and five per cent of other sets
    python benchmarks/decontamination.py --peer     # and datatrove's n-gram filter on the same rows, one core

Needs `shared/data` beside the clone. Seconds are processor seconds.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.curate.decontaminate.index import NgramIndex, Texts, build_index, ngrams_of
from pipeline.curate.decontaminate.matches import find_in, matches_of
from pipeline.engines import cpu
from pipeline.schema import MESSAGES

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SHARES = (0.1, 0.25, 0.5, 0.8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", action="store_true", help="run datatrove too")
    arguments = parser.parse_args()
    train, test = (_rows(f"instruct-gsm8k/{split}.jsonl.gz") for split in ("train", "test"))
    functions, files = _stdlib()
    peps = [_longest(row) for row in _rows("text-peps/peps.jsonl.gz")]
    problems = [row["prompt"] + row["canonical_solution"] for row in _rows("eval-humaneval/HumanEval.jsonl.gz")]
    shares = " | ".join(f"share ≥ {share}" for share in SHARES)
    print(f"| looked for | in | any n-gram | common left out: any | {shares} | MB/s |")
    print("|---|---|---|---|" + "---|" * (len(SHARES) + 1))
    for half in ("question", "answer"):
        study(f"GSM8K test {half}s", [row[half] for row in test], f"GSM8K train {half}s", [row[half] for row in train])
    study("HumanEval", problems, "standard library, files", files)
    for name, every in (("functions", functions), ("PEPs", peps)):
        test_rows, others = _drawn(every)
        study(f"5 % of the {name}", test_rows, f"the other {name}", others)
    if arguments.peer:
        _peer([row["question"] for row in test], [row["question"] for row in train], "GSM8K questions")
        _peer(problems, files, "HumanEval in files")


def study(name: str, wanted: Sequence[str], where: str, rows: Sequence[str]) -> None:
    """Print how many rows hold something of the texts."""
    index = _index(wanted)
    messages = _messages(rows)
    began = time.process_time()
    found, of = find_in(messages, index, cpu)
    seconds = time.process_time() - began
    grams = index.grams[found.slots]
    pairs = np.unique(np.stack([of, grams]), axis=1)
    few = np.bincount(pairs[1], minlength=len(index.bounds) - 1)[pairs[1]] <= 10
    counts = [len(np.unique(pairs[0])), len(np.unique(pairs[0][few]))]
    counts += [len(np.unique(matches_of(pairs[0, few], pairs[1, few], index, share).rows)) for share in SHARES]
    size = sum(len(row.encode()) for row in rows) / 1e6
    shown = " | ".join(f"{count:,}" for count in counts)
    print(f"| {name} ({len(wanted):,}) | {where} ({len(rows):,}, {size:.1f} MB) | {shown} | {size / seconds:.0f} |")


def _index(texts: Sequence[str]) -> NgramIndex:
    every = np.arange(len(texts))
    whose = Texts(ids=pa.array(map(str, every)), rows=every, halves=np.zeros(len(texts), np.int8))
    return build_index(ngrams_of(pa.array(texts, pa.large_string()), 13, 8, cpu), whose, 10, cpu)


def _messages(rows: Sequence[str]) -> pa.ListArray:
    return pa.array([[{"role": "text", "content": row, "extra": None}] for row in rows], MESSAGES)


def _peer(wanted: Sequence[str], rows: Sequence[str], name: str) -> None:
    """Datatrove's filter on the same rows, its n-grams hashed before the clock starts; 13 words for both."""
    from datatrove.data import Document
    from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter, NGramsDecontIndexer

    config = NGramsDecontConfig(n_grams=13)
    with tempfile.TemporaryDirectory() as folder:
        indexer = object.__new__(NGramsDecontIndexer)  # made as it is, it wants a package of evaluation tasks
        theirs = NGramsDecontFilter(folder, config=config)
        indexer.config, indexer.tokenizer, indexer.hash_func = config, theirs.tokenizer, theirs.hash_func
        theirs._index_hashes = {value: "task" for text in wanted for value in indexer.compute_hashes(text)}
        documents = [Document(text=row, id=str(number)) for number, row in enumerate(rows)]
        began = time.process_time()
        hit = sum(theirs.filter(document) is not True for document in documents)
        their_seconds = time.process_time() - began
    index, messages = _index(wanted), _messages(rows)
    began = time.process_time()
    found, of = find_in(messages, index, cpu)
    ours = len(matches_of(of, index.grams[found.slots], index, 0.0).rows)
    seconds = time.process_time() - began
    size = sum(len(row.encode()) for row in rows) / 1e6
    print(
        f"{name}, {size:.1f} MB: ours {ours} rows, {seconds:.2f} s; datatrove {hit} rows, {their_seconds:.2f} s; "
        f"{their_seconds / seconds:.0f} times as fast"
    )


def _drawn(rows: list[str]) -> tuple[list[str], list[str]]:
    test = np.random.default_rng(0).random(len(rows)) < 0.05
    chosen = [row for row, drawn in zip(rows, test, strict=True) if drawn]
    return chosen, [row for row, drawn in zip(rows, test, strict=True) if not drawn]


def _rows(name: str) -> list[dict[str, str]]:
    with gzip.open(DATA / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _longest(row: dict[str, str]) -> str:
    return max((value for value in row.values() if isinstance(value, str)), key=len)


def _stdlib() -> tuple[list[str], list[str]]:
    """Functions and files of the standard library's own folder."""
    functions, files = [], []
    for path in sorted(Path(os.__file__).parent.glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="ignore")
        files.append(text)
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                functions.append("\n".join(lines[node.lineno - 1 : node.end_lineno]))
    return functions, files


if __name__ == "__main__":
    main()
