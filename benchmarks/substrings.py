"""What many texts share, how fast it is found, and a suffix sort of the same texts beside it.

    python benchmarks/substrings.py [--length 200] [--documents 10] [--megabytes 16] [--peer] [--data ../shared/data]

Each corpus is searched by the tasks of the stage, one after the other in this process, from Parquet parts to spans;
seconds are of the processor, and disk is what the work folder holds at the end. `--peer` sorts the windows of each
corpus's first megabytes by prefix doubling in NumPy (what a suffix array is made of), counts the rows of each, and
holds the shared bytes against ours.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from texts import standard_library

from pipeline.curate.duplicates import DECISIONS
from pipeline.curate.substrings.search import search, spans_of
from pipeline.curate.substrings.texts import Part, contents
from pipeline.schema import MESSAGES

PART = 8 << 20
"""Bytes of text in a part."""


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    ask.add_argument("--length", type=int, nargs="*", default=[200])
    ask.add_argument("--documents", type=int, nargs="*", default=[10])
    ask.add_argument("--megabytes", type=float, default=16)
    ask.add_argument("--peer", action="store_true")
    options = ask.parse_args()
    searched([["to load what is compiled " * 20]] * 3, 64, 2)
    print(f"{'corpus':<22}   rows     MB  window  rows ≥   shared  in rows   MB/s   disk")
    for name, rows in corpora(options.data, options.megabytes):
        size = sum(len(text.encode()) for row in rows for text in row)
        for length in options.length:
            for documents in options.documents:
                spans, seconds, disk = searched(rows, length, documents)
                shared, touched = sum(b - a for _, _, a, b in spans), len({row for row, *_ in spans})
                print(
                    f"{name:<22}{len(rows):>7}{size / 1e6:>7.1f}{length:>8}{documents:>8}{shared / size:>9.2%}"
                    f"{touched:>9}{size / 1e6 / seconds:>7.0f}{disk / size:>7.2f}",
                    flush=True,
                )
        show(rows, spans)
        if options.peer:
            beside(rows, options.length[-1], options.documents[-1])


def corpora(data: Path, megabytes: float) -> Iterator[tuple[str, list[list[str]]]]:
    yield "standard library", [[text] for text in standard_library(megabytes).to_pylist()]
    for name, path, keys in (
        ("PEPs", "text-peps/peps.jsonl.gz", ("text",)),
        ("OWASP, 5 revisions", "text-owasp-revisions/*_revisions.jsonl.gz", ("text",)),
        ("Rust book, 5 revisions", "text-rustbook-revisions/*_revisions.jsonl.gz", ("text",)),
        ("tldr pages", "text-tldr-multilang/tldr.jsonl.gz", ("text",)),
        ("dolly", "instruct-dolly-hhrlhf-small/dolly_hhrlhf_train_small.jsonl.gz", ("prompt", "response")),
        ("GSM8K", "instruct-gsm8k/*train*.jsonl.gz", ("question", "answer")),
    ):
        rows = []
        for file in sorted(data.glob(path)):
            with gzip.open(file, "rt", encoding="utf-8") as lines:
                rows += [[str(value[key]) for key in keys if key in value] for value in map(json.loads, lines)]
        if rows and any(rows):
            yield name, rows


def searched(
    rows: Sequence[Sequence[str]], length: int, documents: int
) -> tuple[list[tuple[int, int, int, int]], float, int]:
    """Row, message, first and last byte of every span; seconds of the processor; bytes of the files in between."""
    with tempfile.TemporaryDirectory(prefix="substrings-") as name:
        folder = Path(name)
        parts = list(write(rows, folder))
        begin = time.process_time()
        paths = search(parts, length, documents, folder / "work", 0, lambda do, jobs: [do(job) for job in jobs])
        seconds = time.process_time() - begin
        disk = sum(path.stat().st_size for path in (folder / "work").rglob("*.npy"))
        spans = []
        for part, path in zip(parts, paths, strict=True):
            _, row_of, _ = contents(part)
            numbers, firsts, lasts = spans_of(path)
            here = row_of[numbers]
            message = numbers - np.searchsorted(row_of, here)
            columns = (part.start + here, message, firsts, lasts)
            spans += list(zip(*(column.tolist() for column in columns), strict=True))
    return spans, seconds, disk


def write(rows: Sequence[Sequence[str]], folder: Path) -> Iterator[Part]:
    start = number = 0
    while start < len(rows):
        end, size = start, 0
        while end < len(rows) and size < PART:
            size += sum(map(len, rows[end]))
            end += 1
        messages = [[{"role": "text", "content": text, "extra": None} for text in row] for row in rows[start:end]]
        documents, duplicates = (folder / f"{name}-{number}.parquet" for name in ("documents", "duplicates"))
        ids = [str(row) for row in range(start, end)]
        table = pa.table({"id": ids, "messages": pa.array(messages, MESSAGES)})
        pq.write_table(table, documents, compression="zstd", compression_level=1, use_dictionary=False)
        kept = {"survivor": None, "stage": None, "similarity": None, "cluster": 0}
        pq.write_table(pa.Table.from_pylist([kept] * (end - start), schema=DECISIONS), duplicates)
        yield Part(number=number, documents=documents, duplicates=duplicates, contaminated=(), start=start)
        start, number = end, number + 1


def show(rows: Sequence[Sequence[str]], spans: Sequence[tuple[int, int, int, int]]) -> None:
    """Print the passages that take most bytes."""
    found = Counter(rows[row][message].encode()[a:b] for row, message, a, b in spans)
    for text, count in sorted(found.items(), key=lambda one: (-len(one[0]) * one[1], one[0]))[:3]:
        print(f"    {len(text):>6} bytes, {count:>4} times: {text[:90].decode(errors='replace')!r}")


def beside(rows: Sequence[Sequence[str]], length: int, documents: int, *, megabytes: float = 2) -> None:
    """Sort windows by their bytes, by prefix doubling, and compare."""
    some: list[Sequence[str]] = []
    for row in rows:
        if sum(len(text) for one in some for text in one) > megabytes * 1e6:
            break
        some.append(row)
    size = sum(len(text.encode()) for row in some for text in row)
    ours, seconds, _ = searched(some, length, documents)
    begin = time.process_time()
    theirs = sorted_windows(some, length, documents)
    other = time.process_time() - begin
    same = "the same spans" if sorted(ours) == sorted(theirs) else "OTHER SPANS"
    print(f"    {size / 1e6:.1f} MB: ours {seconds:.1f} s, sorted {other:.1f} s, {other / seconds:.0f} times; {same}")


def sorted_windows(rows: Sequence[Sequence[str]], length: int, documents: int) -> list[tuple[int, int, int, int]]:
    texts = [(row, message, text.encode()) for row, one in enumerate(rows) for message, text in enumerate(one)]
    data = np.frombuffer(b"".join(text for _, _, text in texts), np.uint8)
    sizes = np.array([len(text) for _, _, text in texts])
    starts = np.cumsum(sizes) - sizes
    text_of = np.repeat(np.arange(len(texts)), sizes)
    rank, width = data.astype(np.int64), 1
    while width < length:  # the rank of the first `width` bytes from each place
        step = min(width, length - width)
        pair = rank * (int(rank.max()) + 2)
        pair[: len(pair) - step] += rank[step:] + 1
        _, rank = np.unique(pair, return_inverse=True)
        width += step
    whole = np.arange(len(data)) + length <= (starts + sizes)[text_of]
    places = np.flatnonzero(whole)
    row_of = np.array([row for row, _, _ in texts])[text_of[places]]
    pairs = np.unique(np.stack([rank[places], row_of]), axis=1)
    many = np.bincount(pairs[0], minlength=len(data)) >= documents
    spans: list[tuple[int, int, int, int]] = []
    for place in places[many[rank[places]]].tolist():
        row, message, _ = texts[text_of[place]]
        first = place - int(starts[text_of[place]])
        if spans and spans[-1][:2] == (row, message) and spans[-1][3] >= first:
            spans[-1] = (row, message, spans[-1][2], first + length)
        else:
            spans.append((row, message, first, first + length))
    return spans


if __name__ == "__main__":
    main()
