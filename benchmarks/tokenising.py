"""Tokenising: our stage beside the bare tokenizer, and beside `datasets` with the tokenizer's own masks.

    python benchmarks/tokenising.py [--rows 4000] [--kind pair|text] [--pack "{loss: last_answer}"]
    python benchmarks/tokenising.py --rows-of '{kind: chat, format: sharegpt, path: "data/*.json.gz"}'

The rows are functions of the standard library (docstring → source), its modules in pieces, or what a recipe's source
gives through the adapter of its format. All use one core and the same trained tokenizer; processor time, so a busy
machine hardly matters. *Bare* is `tokenizers`' own batch encoder, the same rows in the same batches, and nothing else:
no masks, nothing written. *Contents* is on what the rows hold; *rendered* on their text through the chat template,
made before the clock starts: what any trainer has to encode. `+ ids` takes the ids out. *datasets* is `Dataset.map`
with `apply_chat_template(…, return_assistant_tokens_mask=True)`, as TRL makes its masks (extra `bench`; not of rows
with tools). Ours reads the rows, renders, encodes, marks targets, and writes the part. What is trained is compared row
by row.
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
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from texts import best_of_each

from pipeline.config import Pack, Source
from pipeline.ingest.blocks import plan_parts
from pipeline.ingest.read import read_blocks
from pipeline.ingest.survey import survey
from pipeline.pack.examples import Renderer
from pipeline.pack.targets import Targets
from pipeline.pack.tokenise import ROWS, Job, pieces_of, tokenise_part
from pipeline.pack.tokenizer import describe_tokenizer, load_tokenizer, make_tokenizer
from pipeline.pack.tokens import TokenRows
from pipeline.run import RunDirectory, Stage
from pipeline.schema import ROWS as SCHEMA

Row = dict[str, Any]


def pairs() -> Iterator[Row]:
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and (doc := ast.get_docstring(node)):
                source = ast.get_source_segment(text, node) or ""
                yield row("pair", user=f"Write the function `{node.name}`.\n\n{doc}", assistant=source)


def texts() -> Iterator[Row]:
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        yield from (row("text", text=text[at : at + 4000]) for at in range(0, len(text), 4000))


def row(kind: str, **contents: str) -> Row:
    messages = [{"role": role, "content": content, "extra": None} for role, content in contents.items()]
    return {"source": "s", "kind": kind, "messages": messages, "tools": None, "metadata": None}


def numbered(rows: Iterator[Row], most: int) -> list[Row]:
    """The first of the rows, with ids."""
    return [{**one, "id": f"s/f#{number}"} for number, one in enumerate(islice(rows, most))]


def read(given: str) -> Iterator[Row]:
    """Rows of a source, written as in a recipe."""
    source = Source.model_validate({"name": "s", **yaml.safe_load(given)})
    for part in plan_parts([survey(source, part_bytes=1 << 26)], 1 << 26):
        yield from read_blocks(part, max_row_bytes=1 << 26).rows.to_pylist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--kind", choices=("pair", "text"), default="pair")
    parser.add_argument("--rows-of", metavar="SOURCE", help="a source's keys in YAML, as a recipe has them")
    parser.add_argument("--tokenizer", help="a folder or a name; without it one of 4096 pieces is trained on the rows")
    parser.add_argument("--pack", default="{}", help="further keys of a recipe's `pack`, in YAML: {loss: last_answer}")
    parser.add_argument("--rounds", type=int, default=4)
    arguments = parser.parse_args()
    source = read(arguments.rows_of) if arguments.rows_of else pairs() if arguments.kind == "pair" else texts()
    found = numbered(source, arguments.rows)
    contents = [[message["content"] for message in one["messages"]] for one in found]
    megabytes = size_of(contents)
    kinds = ", ".join(sorted({one["kind"] for one in found}))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "tokenizer").mkdir()
        pack = Pack.model_validate(
            {"vocab_size": 4096, "tokenizer": arguments.tokenizer, **yaml.safe_load(arguments.pack)}
        )
        make_tokenizer(pack, lambda: (text for one in contents for text in one), root / "tokenizer")
        tokenizer = load_tokenizer(root / "tokenizer")
        renderer = Renderer(tokenizer)
        rendered = [["".join(piece.text for piece in pieces_of(renderer, one)[0])] for one in found]
        print(
            f"{len(found)} rows of kind {kinds}, {sum(map(len, contents))} messages, contents {megabytes:.2f} MB, "
            f"rendered {size_of(rendered):.2f} MB"
        )
        seconds = best_of_each(
            arguments.rounds,
            {
                "bare, contents": bare(tokenizer, contents),
                "bare, contents + ids": bare(tokenizer, contents, ids=True),
                "bare, rendered": bare(tokenizer, rendered),
                "bare, rendered + ids": bare(tokenizer, rendered, ids=True),
                "ours": our_stage(root, found, Targets.of(pack)),
            },
            time.process_time,
        )
        if "text" not in kinds and "code" not in kinds and not any(one["tools"] for one in found):
            theirs, masks = datasets_masks(found, tokenizer)
            if theirs is not None:
                seconds |= best_of_each(1, {"datasets + masks": theirs}, time.process_time)
                compare(root, masks, tokenizer)
        print(f"  {'':<22}{'contents':>15}{'of bare on contents':>22}{'of bare on rendered':>22}")
        for label, value in seconds.items():
            shares = (seconds[base] / value for base in ("bare, contents", "bare, rendered"))
            print(f"  {label:<22}{megabytes / value:10.2f} MB/s" + "".join(f"{share:22.2f}" for share in shares))
        if "datasets + masks" in seconds:
            print(
                f"  ours is {seconds['datasets + masks'] / seconds['ours']:.1f} times as fast as `datasets` with masks"
            )


def size_of(rows: list[list[str]]) -> float:
    return sum(len(text.encode()) for texts in rows for text in texts) / 1e6


def bare(tokenizer: Any, rows: list[list[str]], *, ids: bool = False) -> Callable[[], None]:
    """The encoder alone on the texts of rows, in batches of as many rows as the stage has."""
    core = tokenizer.backend_tokenizer
    batches = [[text for one in rows[at : at + ROWS] for text in one] for at in range(0, len(rows), ROWS)]

    def encode() -> None:
        for batch in batches:
            for one in core.encode_batch_fast(batch, add_special_tokens=False):
                if ids:
                    np.array(one.ids, np.uint32)

    return encode


def our_stage(root: Path, found: list[Row], targets: Targets) -> Callable[[], None]:
    run = RunDirectory(root)
    stage = Stage(run=run, name="tokens", version=1, config={}, inputs={}, folders=("tokens",))
    source = root / "part-00000.parquet"
    pq.write_table(pa.Table.from_pylist(found, schema=SCHEMA), source)
    job = Job(
        stage=stage,
        source=source,
        part="train-00000",
        output="tokens/train/part-00000.arrow",
        tokenizer=root / "tokenizer",
        tokenizer_content="1",
        targets=targets,
        stop_ids=tuple(describe_tokenizer(load_tokenizer(root / "tokenizer"))["stop_ids"]),
    )
    return lambda: void(tokenise_part(job))


def datasets_masks(found: list[Row], tokenizer: Any) -> tuple[Callable[[], Any] | None, dict[int, list[int]]]:
    """Rows into ids and masks as TRL makes them; and what each row trains, once that has run."""
    trained: dict[int, list[int]] = {}
    try:
        import datasets
    except ImportError:
        print("  datasets is not installed (extra `bench`): not compared")
        return None, trained
    datasets.disable_progress_bars()
    rows = [[{key: message[key] for key in ("role", "content")} for message in one["messages"]] for one in found]

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
