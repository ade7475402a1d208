"""Tokenising: our stage beside the bare tokenizer, and beside `datasets` with the tokenizer's own masks.

    python benchmarks/tokenising.py [--rows 4000] [--kind pair|text]

The rows are functions of the standard library (docstring → source) or its modules in pieces. All three use one core and
the same trained tokenizer; processor time, so a busy machine hardly matters. *Bare* is `tokenizers`' own batch encoder
on the contents and nothing else: no template, no masks, nothing written; `+ ids` takes the ids out. *datasets* is
`Dataset.map` with `apply_chat_template(…, return_assistant_tokens_mask=True)`, as TRL makes its masks (extra `bench`).
Ours renders, encodes, marks targets, and writes the part. What is trained is compared row by row.
"""

from __future__ import annotations

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import argparse
import ast
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from texts import best_of_each

from pipeline.config import Pack
from pipeline.pack.targets import Targets
from pipeline.pack.tokenise import Job, tokenise_part
from pipeline.pack.tokenizer import describe_tokenizer, load_tokenizer, make_tokenizer
from pipeline.pack.tokens import TokenRows
from pipeline.run import RunDirectory, Stage
from pipeline.schema import ROWS

Row = dict[str, Any]


def pairs() -> Iterator[list[tuple[str, str]]]:
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (doc := ast.get_docstring(node)):
                source = ast.get_source_segment(text, node)
                yield [("user", f"Write the function `{node.name}`.\n\n{doc}"), ("assistant", source or "")]


def texts() -> Iterator[list[tuple[str, str]]]:
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        yield from ([("text", text[at : at + 4000])] for at in range(0, len(text), 4000))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--kind", choices=("pair", "text"), default="pair")
    arguments = parser.parse_args()
    found = [
        row for row, _ in zip(pairs() if arguments.kind == "pair" else texts(), range(arguments.rows), strict=False)
    ]
    contents = [content for row in found for _, content in row]
    megabytes = sum(len(content.encode()) for content in contents) / 1e6
    print(f"{len(found)} rows of kind {arguments.kind}, {megabytes:.1f} MB")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "tokenizer").mkdir()
        make_tokenizer(Pack(vocab_size=4096), lambda: iter(contents), root / "tokenizer")
        tokenizer = load_tokenizer(root / "tokenizer")
        core = tokenizer.backend_tokenizer

        def with_ids() -> None:
            for at in range(0, len(contents), 1024):
                for one in core.encode_batch_fast(contents[at : at + 1024], add_special_tokens=False):
                    np.array(one.ids, np.uint32)

        def bare() -> None:
            for at in range(0, len(contents), 1024):
                core.encode_batch_fast(contents[at : at + 1024], add_special_tokens=False)

        ours = our_stage(root, found, arguments.kind)
        seconds = best_of_each(4, {"bare tokenizers": bare, "bare + ids": with_ids, "ours": ours}, time.process_time)
        if arguments.kind == "pair":
            theirs, masks = datasets_masks(found, tokenizer)
            if theirs is not None:
                seconds |= best_of_each(1, {"datasets + masks": theirs}, time.process_time)
                compare(root, masks, tokenizer)
        for label, value in seconds.items():
            speed = seconds["bare tokenizers"] / value
            print(f"  {label:<18}{megabytes / value:7.2f} MB/s of one core  {speed:6.2f} of the bare tokenizer")
        if "datasets + masks" in seconds:
            print(
                f"  ours is {seconds['datasets + masks'] / seconds['ours']:.1f} times as fast as `datasets` with masks"
            )


def our_stage(root: Path, found: list[list[tuple[str, str]]], kind: str) -> Callable[[], None]:
    run = RunDirectory(root)
    stage = Stage(run=run, name="tokens", version=1, config={}, inputs={}, folders=("tokens",))
    rows: list[Row] = [
        {
            "id": f"s/f#{number}",
            "source": "s",
            "kind": kind,
            "messages": [{"role": role, "content": content, "extra": None} for role, content in row],
        }
        for number, row in enumerate(found)
    ]
    source = root / "part-00000.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=ROWS), source)
    job = Job(
        stage=stage,
        source=source,
        part="train-00000",
        output="tokens/train/part-00000.arrow",
        tokenizer=root / "tokenizer",
        tokenizer_content="1",
        targets=Targets(),
        stop_ids=tuple(describe_tokenizer(load_tokenizer(root / "tokenizer"))["stop_ids"]),
    )
    return lambda: void(tokenise_part(job))


def datasets_masks(
    found: list[list[tuple[str, str]]], tokenizer: Any
) -> tuple[Callable[[], Any] | None, dict[int, list[int]]]:
    """Rows into ids and masks as TRL makes them; and what each row trains, once that has run."""
    trained: dict[int, list[int]] = {}
    try:
        import datasets
    except ImportError:
        print("  datasets is not installed (extra `bench`): not compared")
        return None, trained
    datasets.disable_progress_bars()
    rows = [[{"role": role, "content": content} for role, content in row] for row in found]

    def tokenise(row: Row, number: int) -> Row:
        made = tokenizer.apply_chat_template(
            row["messages"], return_assistant_tokens_mask=True, return_dict=True, return_tensors=None
        )
        mask = made["assistant_masks"]
        trained[number] = [token for token, target in zip(made["input_ids"], mask, strict=True) if target]
        return {"input_ids": made["input_ids"], "assistant_masks": mask}

    def run() -> Any:
        given = datasets.Dataset.from_dict({"messages": rows})
        return given.map(tokenise, with_indices=True, load_from_cache_file=False, remove_columns=["messages"])

    return run, trained


def compare(root: Path, theirs: dict[int, list[int]], tokenizer: Any) -> None:
    rows = TokenRows.open(root / "tokens/train")
    numbers = np.arange(len(rows))
    lengths = rows.survey().lengths
    tokens, loss = rows.gather(numbers, lengths)
    cuts = np.cumsum(lengths)[:-1]
    ours = [own[mask].tolist() for own, mask in zip(np.split(tokens, cuts), np.split(loss, cuts), strict=True)]
    same_text = sum(tokenizer.decode(a) == tokenizer.decode(theirs[n]) for n, a in enumerate(ours))
    same_tokens = sum(a == theirs[n] for n, a in enumerate(ours))
    print(
        f"  trained text equal to the masks of `datasets` in {same_text} of {len(ours)} rows, tokens in {same_tokens}"
    )


def void(_: object) -> None:
    return None


if __name__ == "__main__":
    main()
