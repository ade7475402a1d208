"""Precision and recall of near duplicates for every kind of shingle and size of sketch, and peers beside them.

    python benchmarks/duplicates.py [--seeds 1 2] [--values 64 112 128 192 256] [--ignore-shared] [--peers]
    python benchmarks/duplicates.py --short 1000 20000

The corpora are planted (`dups-planted-text` in the data): the one that lies there, and others made with its generator:
other seeds, rows under 300 characters, and code (the standard library). A *pair* counts for recall where the
normalised Jaccard similarity is 0.85 or more by character-24-grams and by word-5-grams; it is found if not both rows
are kept. A removed row counts as right where its Jaccard similarity to its survivor is 0.7 or more by one of the
truth's five measures. The threshold is 0.8 throughout.

Two more corpora are real: pages of which several revisions exist (`text-owasp-revisions`, `text-rustbook-revisions`),
each content once, with the Jaccard similarities of all pairs.

`--ignore-shared` runs everything a second time with what more than half of the rows share left out (planted rows share
nothing: it must change nothing).

`--peers` runs on the same rows and one core, from texts to the rows that are removed: datatrove's four MinHash stages
(14 buckets of 8, word-5-grams), rensa's MinHash and index (128 permutations, 16 bands of 8, word-5-grams, a candidate
compared by its sketch at 0.8), and the exact and near stage here.

`--short` does nothing but time datatrove and the stage here on so many rows of forty words, one in four a copy with a
word more, in the same way; both have run on other rows before. The folder that a contender writes to is made before its
time begins, and removed when it is over.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from planted_corpora import Corpus, alike, corpora, judged, near, short_rows

from pipeline.config import Dedup
from pipeline.curate.dedup.collisions import Part
from pipeline.curate.dedup.decide import bands_of, decide
from pipeline.curate.dedup.shared import WIDTH
from pipeline.curate.dedup.work import here, work_folder
from pipeline.curate.keys import sketch_column
from pipeline.curate.parquet import write_parquet
from pipeline.engines import engine_for
from pipeline.schema import KEYS

Contender: TypeAlias = Callable[[Corpus, Path], dict[int, int]]
"""Rows, and a folder to write to → removed row → survivor."""

TIMES = {"ours": 5, "datatrove": 1, "rensa": 5}
"""Runs of which the median counts: what takes milliseconds varies from one to the next."""

SHINGLES = [{"characters": width} for width in (5, 8, 12, 24)] + [{"words": width} for width in (3, 5)]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    ask.add_argument("--seeds", type=int, nargs="*", default=[1, 2])
    ask.add_argument("--values", type=int, nargs="*", default=[64, 112, 128, 192, 256])
    ask.add_argument("--ignore-shared", action="store_true")
    ask.add_argument("--peers", action="store_true")
    ask.add_argument("--short", type=int, nargs="*", metavar="ROWS", help="only time so many short rows")
    options = ask.parse_args()
    if not (options.data / "dups-planted-text").exists():
        sys.exit(f"the data set dups-planted-text is not in {options.data}: give --data")
    if options.short:
        for rows in options.short:
            raced(short_rows(options.data, rows))
        return
    with tempfile.TemporaryDirectory(prefix="duplicates-") as folder:
        found = list(corpora(options.data, options.seeds, Path(folder)))
        print("corpus: rows, pairs to find")
        for corpus in found:
            print(f"  {corpus.name}: {len(corpus.ids)}, {len(corpus.pairs)}")
        print(f"\n{'shingle':<15}{'values':>7}{'bands':>8}   recall / precision of each corpus; MB/s of the sketch")
        for shared, shingle, values in product([None, 0.5][: 1 + options.ignore_shared], SHINGLES, options.values):
            fuzzy = {"sketch": values, "shingle": shingle, "ignore_shared": shared}
            dedup = Dedup.model_validate({"exact": False, "fuzzy": fuzzy})
            assert dedup.fuzzy
            bands = "×".join(map(str, bands_of(dedup.fuzzy)))
            name = "{1} {0}".format(*next(iter(shingle.items()))) + (" *" if shared else "")
            cells: list[str] = []
            rates: list[float] = []
            for corpus in found:
                recall, precision, _ = judged(corpus, ours(corpus, dedup, rates, Path(folder)))
                cells.append(f"{recall:.3f} / {precision:.3f}")
            print(f"{name:<15}{values:>7}{bands:>8}   {'   '.join(cells)}   {np.median(rates):.0f}", flush=True)
        if options.peers:
            print("\nrecall / precision / F1, rows removed, processor seconds, wall seconds")
            for corpus in found:
                compared(corpus)


def ours(corpus: Corpus, dedup: Dedup, rates: list[float], folder: Path) -> dict[int, int]:
    """Removed row → survivor, as the stage decides."""
    engine, fuzzy = engine_for("cpu"), dedup.fuzzy
    assert fuzzy
    normal = engine.normalise(pa.array(corpus.texts, pa.large_string()))
    if fuzzy.ignore_shared:
        windows, rows = engine.tally_windows(normal, width=WIDTH)
        shared = windows[rows > fuzzy.ignore_shared * len(normal)]
        normal = engine.cut_shared(normal, shared, width=WIDTH)
    engine.sketch(normal.slice(0, 1), values=fuzzy.sketch, shingle=fuzzy.shingle.width, unit=fuzzy.shingle.unit)
    began = time.process_time()
    sketches = engine.sketch(normal, values=fuzzy.sketch, shingle=fuzzy.shingle.width, unit=fuzzy.shingle.unit)
    rates.append(sum(map(len, corpus.texts)) / 1e6 / (time.process_time() - began))
    return decided(corpus, dedup, sketches, engine.digest(normal, normalised=True), folder)


def decided(corpus: Corpus, dedup: Dedup, sketches: np.ndarray, digests: np.ndarray, folder: Path) -> dict[int, int]:
    """Write the keys, decide, and give back removed row → survivor."""
    path, count = folder / "part-00000.parquet", len(corpus.ids)
    table = pa.table(
        {
            "id": corpus.ids,
            "priority": np.zeros(count, np.int32),
            "length": [len(text) for text in corpus.texts],
            "digest": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), count, [None, pa.py_buffer(digests)]),
            "sketch": sketch_column(sketches),
        }
    )
    write_parquet(path, table, KEYS)
    work = work_folder(folder / "_work")
    done = decide([Part(path=path, start=0, rows=count)], dedup, work, here)
    shutil.rmtree(work, ignore_errors=True)
    rows, gone = done.candidates.rows, np.flatnonzero(done.removed)
    return dict(zip(rows[gone].tolist(), rows[done.survivor[gone]].tolist(), strict=True))


def mine(corpus: Corpus, folder: Path) -> dict[int, int]:
    """Removed row → survivor, from texts to decisions."""
    dedup, engine = Dedup(), engine_for("cpu")
    fuzzy = dedup.fuzzy
    assert fuzzy
    normal = engine.normalise(pa.array(corpus.texts, pa.large_string()))
    sketches = engine.sketch(normal, values=fuzzy.sketch, shingle=fuzzy.shingle.width, unit=fuzzy.shingle.unit)
    return decided(corpus, dedup, sketches, engine.digest(normal, normalised=True), folder)


def raced(corpus: Corpus) -> None:
    """Time datatrove and the stage, each on some rows first."""
    few = replace(corpus, ids=corpus.ids[:50], texts=corpus.texts[:50])
    print(f"{corpus.name}: {len(corpus.ids)}, {sum(map(len, corpus.texts)) / 1e6:.2f} million characters", flush=True)
    seconds = {}
    for name, call in (("ours", mine), ("datatrove", datatrove)):
        timed(call, few, 1)
        removed, seconds[name], waited = timed(call, corpus, TIMES[name])
        found = sum(a in removed or b in removed for a, b in corpus.pairs)
        print(
            f"  {name:<10}{seconds[name]:>8.4f} s, {waited:.4f} s of wall time, {len(removed)} rows removed, "
            f"{found} of {len(corpus.pairs)} copies"
        )
    print(f"  ours is {seconds['datatrove'] / seconds['ours']:.0f} times as fast", flush=True)


def compared(corpus: Corpus) -> None:
    """All on one core, from texts to removed rows."""
    timed(mine, corpus, 1)
    print(f"  {corpus.name}", flush=True)
    own = shown(corpus, "ours", mine)
    for name, peer in (("datatrove", datatrove), ("rensa", rensa)):
        seconds = shown(corpus, name, peer)
        print(f"    ours is {seconds / own:.1f} times as fast", flush=True)


def shown(corpus: Corpus, name: str, call: Contender) -> float:
    removed, seconds, waited = timed(call, corpus, TIMES[name])
    if any(row == kept for row, kept in removed.items()):
        # It names no survivor, so a removed row is right where any row that it keeps is alike: the kinder measure.
        kept = [row for row in range(len(corpus.ids)) if row not in removed]
        likest = {
            row: max(near(corpus, row, kept), key=lambda other: alike(corpus, row, other), default=row)
            for row in removed
        }
        right = sum(row != other and alike(corpus, row, other) >= 0.7 for row, other in likest.items())
        found = sum(a in removed or b in removed for a, b in corpus.pairs) / max(1, len(corpus.pairs))
        recall, precision = found, right / max(1, len(removed))
    else:
        recall, precision, _ = judged(corpus, removed)
    f1 = 2 * recall * precision / max(recall + precision, 1e-9)
    quality = f"{recall:.3f} / {precision:.3f} / {f1:.3f}"
    print(f"    {name:<10}{quality}  {len(removed):>5} {seconds:>8.4f} s  {waited:>8.4f} s", flush=True)
    return seconds


def timed(call: Contender, corpus: Corpus, times: int) -> tuple[dict[int, int], float, float]:
    """What it removes, and its processor and wall seconds, the medians of some runs.

    What lies on the heap before, such as the other corpora, is not gone through by Python's collector meanwhile.
    """
    tries = []
    for _ in range(times):
        gc.collect()
        gc.freeze()
        with tempfile.TemporaryDirectory(prefix="duplicates-") as folder:
            began, began_at = time.process_time(), time.perf_counter()
            removed = call(corpus, Path(folder))
            tries.append((time.process_time() - began, time.perf_counter() - began_at))
    seconds, waited = np.median(tries, axis=0).tolist()
    return removed, seconds, waited


def rensa(corpus: Corpus, folder: Path) -> dict[int, int]:
    """Removed row → survivor: the first candidate of the index whose sketch is similar enough."""
    from rensa import RMinHash, RMinHashLSH

    index = RMinHashLSH(threshold=0.8, num_perm=128, num_bands=16)
    kept: dict[int, RMinHash] = {}
    removed: dict[int, int] = {}
    for row, text in enumerate(corpus.texts):
        words = text.lower().split()
        sketch = RMinHash(num_perm=128, seed=42)
        sketch.update([" ".join(words[i : i + 5]) for i in range(max(1, len(words) - 4))])
        alike = [other for other in index.query(sketch) if sketch.jaccard(kept[other]) >= 0.8]
        if alike:
            removed[row] = min(alike)
        else:
            kept[row] = sketch
            index.insert(row, sketch)
    return removed


def datatrove(corpus: Corpus, folder: Path) -> dict[int, int]:
    """The rows that the peer's four stages remove, each as its own survivor: it names none."""
    from datatrove.data import Document
    from datatrove.pipeline.dedup import minhash
    from loguru import logger

    logger.disable("datatrove")
    config = minhash.MinhashConfig()
    rows = [Document(text=text, id=str(row)) for row, text in enumerate(corpus.texts)]
    minhash.MinhashDedupSignature(str(folder / "signatures"), config=config).run(iter(rows), 0, 1)
    buckets = minhash.MinhashDedupBuckets(str(folder / "signatures"), str(folder / "buckets"), config=config)
    for bucket in range(config.num_buckets):
        buckets.run(None, bucket, config.num_buckets)
    minhash.MinhashDedupCluster(str(folder / "buckets"), str(folder / "remove"), config=config).run(None, 0, 1)
    kept = minhash.MinhashDedupFilter(str(folder / "remove")).run(iter(rows), 0, 1)
    return {row: row for row in set(range(len(rows))) - {int(row.id) for row in kept}}


if __name__ == "__main__":
    main()
