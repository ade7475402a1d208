"""Near duplicates among rows that share a template: how many are missed, and what it costs.

    python benchmarks/duplicates_templates.py [--rows 10000] [--own 40] [--changed 12] [--template 80 160]

A row is a template of so many words and so many words of its own, both of the PEPs; every fourth is the row before it
with the last of its own words replaced. The longer the template, the more rows share each band of their sketches, and
the closer to the threshold (0.8) are rows that are not near duplicates at all. Nothing is left out of the shingles.

*Planted* are the pairs of a row and its copy whose sketches agree in the threshold; *pairs* all that do, found by
comparing every row with every other: most of them are rows whose sketches agree by chance in a value or two more than
their texts do. A pair is *missed* if both of its rows are kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray
from planted_corpora import lines

from pipeline.config import Dedup, Fuzzy
from pipeline.curate.dedup.collisions import Part
from pipeline.curate.dedup.comparisons import CENTRES
from pipeline.curate.dedup.decide import decide
from pipeline.curate.dedup.work import here
from pipeline.curate.keys import sketch_column
from pipeline.curate.parquet import write_parquet
from pipeline.engines import engine_for
from pipeline.schema import KEYS


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    ask.add_argument("--rows", type=int, default=10_000)
    ask.add_argument("--own", type=int, default=40, help="words of a row's own")
    ask.add_argument("--changed", type=int, default=12, help="of them in a copy")
    ask.add_argument("--template", type=int, nargs="*", default=[0, 40, 80, 120, 160, 240, 360], help="words")
    ask.add_argument("--centres", type=int, default=CENTRES, help="rows of a bucket that others are compared with")
    options = ask.parse_args()
    if not (options.data / "text-peps").exists():
        sys.exit(f"the data set text-peps is not in {options.data}: give --data")
    words = [word for row in lines(options.data / "text-peps" / "peps.jsonl.gz") for word in row["text"].split()]
    decided(sketched(rows_of(words, 0, 10, 1, 200)), CENTRES)  # machine code is loaded before the clock runs
    print(
        f"{'template':>10}{'alike':>9}{'planted':>9}{'missed':>8}{'pairs':>12}{'missed':>8}{'removed':>9}{'seconds':>9}{'edges':>12}"
    )
    for template in options.template:
        sketches = sketched(rows_of(words, template, options.own, options.changed, options.rows))
        began = time.process_time()
        removed, edges = decided(sketches, options.centres)
        seconds = time.process_time() - began
        needed = int(np.ceil(Dedup().fuzzy.threshold * sketches.shape[1]))  # type: ignore[union-attr]
        pairs, missed = counted(sketches, removed, needed)
        planted = np.arange(3, len(sketches), 4)
        planted = planted[(sketches[planted] == sketches[planted - 1]).sum(axis=1) >= needed]
        kept = ~(removed[planted] | removed[planted - 1])
        random = np.random.default_rng(0).integers(0, len(sketches), (2, 1000))
        base = np.median((sketches[random[0]] == sketches[random[1]]).mean(axis=1))
        print(
            f"{template:>10}{base:>9.2f}{len(planted):>9,}{int(kept.sum()):>8,}{pairs:>12,}{missed:>8,}"
            f"{int(removed.sum()):>9,}{seconds:>9.1f}{edges:>12,}",
            flush=True,
        )


def rows_of(words: list[str], template: int, own: int, changed: int, count: int) -> list[str]:
    """The rows' texts."""
    random = np.random.default_rng(0)
    head, rest = words[:template], words[template:]
    texts: list[str] = []
    for start in range(0, len(rest) - own, own):
        mine = rest[start : start + own]
        texts.append(" ".join([*head, *mine]))
        if len(texts) % 4 == 3:
            for place in range(own - changed, own):
                mine[place] = rest[random.integers(len(rest))]
            texts.append(" ".join([*head, *mine]))
        if len(texts) >= count:
            break
    return texts[:count]


def sketched(texts: list[str]) -> NDArray[np.uint32]:
    """uint32 [rows, values]."""
    engine, fuzzy = engine_for("cpu"), Fuzzy()
    normal = engine.normalise(pa.array(texts, pa.large_string()))
    return engine.sketch(normal, values=fuzzy.sketch, shingle=fuzzy.shingle.width, unit=fuzzy.shingle.unit)


def decided(sketches: NDArray[np.uint32], centres: int) -> tuple[NDArray[np.bool_], int]:
    """Which rows are removed, and how many edges were written."""
    count = len(sketches)
    numbers = np.arange(count)
    # Neighbours in the survivor order are compared in any case: the order here says nothing about who is alike.
    shuffled = np.random.default_rng(1).permutation(count)
    digests = np.column_stack([numbers, numbers]).astype("<u8")
    table = pa.table(
        {
            "id": [f"r{row:07d}" for row in shuffled],
            "priority": np.zeros(count, np.int32),
            "length": np.zeros(count, np.int64),
            "digest": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), count, [None, pa.py_buffer(digests)]),
            "sketch": sketch_column(sketches),
        }
    )
    with tempfile.TemporaryDirectory(prefix="templates-") as name:
        path, work = Path(name) / "part-00000.parquet", Path(name) / "work"
        write_parquet(path, table, KEYS)
        part = Part(path=path, start=0, rows=count)
        dedup = Dedup.model_validate({"exact": False})
        done = decide([part], dedup, work, here, centres=centres)
        edges = sum(np.load(file, mmap_mode="r").shape[1] for file in (work / "edges").glob("*.npy"))
    removed = np.zeros(count, np.bool_)
    removed[done.candidates.rows[done.removed]] = True
    return removed, edges


@njit(cache=True, nogil=True)
def counted(sketches, removed, needed):  # type: ignore[no-untyped-def]
    """Pairs whose sketches agree in `needed` values, and those of which both rows are kept."""
    pairs = missed = 0
    for a in range(len(sketches)):
        for b in range(a):
            equal = 0
            for k in range(sketches.shape[1]):
                equal += sketches[a, k] == sketches[b, k]
            if equal >= needed:
                pairs += 1
                missed += not (removed[a] or removed[b])
    return pairs, missed


if __name__ == "__main__":
    main()
