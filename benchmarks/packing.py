"""Packing: ours beside the algorithms of other trainers, on the same lengths, in one run.

    python benchmarks/packing.py [--rows 50000] [--seed 0] [--large 10000000] [--trl 20000] [--conversations 4000]

First ten million lengths of each workload in a process of their own: processor time, and the most memory it had. Then
the number of bins beside others' algorithms (not their code): next-fit (torchtune, NeMo AutoModel), first-fit over
eight open bins (torchtitan), best-fit from a buffer of 100 (nanochat), best-fit decreasing in batches of 1000 rows
(TRL), each over the bound L2, below which no packing can go; and the real sets beside this checkout, if any. Then rows
of tokens into files of bins: ours beside TRL's `pack_dataset` (extra `bench`), everything read and written, in
processor time. Last, the whole way from conversations to bins with masks, on the same rows (functions of the standard
library) with the same tokenizer and template: ours, files on disk in between, beside `datasets` with the tokenizer's
masks and TRL's packing; what is trained is compared row by row.
"""

from __future__ import annotations

import os

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

import argparse
import gzip
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.pack.binpack import best_fit_decreasing
from pipeline.pack.costs import RANKS, attention_cost, slowest
from pipeline.pack.layout import BinLayout
from pipeline.pack.overflow import decide
from pipeline.pack.slices import Slices
from pipeline.pack.solve import pack_lengths
from pipeline.pack.tokens import TOKENS, TokenRows, list_array, token_batch
from pipeline.pack.write import SplitBins, write_bins

Lengths = NDArray[np.int64]

WORKLOADS = {
    "instructions, mean 145": (145, 0.8, 2048),
    "chat, mean 896": (896, 1.0, 4096),
    "chat, mean 803": (803, 1.0, 2048),
    "reasoning, mean 3627": (3627, 0.9, 8192),
}


def next_fit(lengths: Lengths, capacity: int) -> int:
    bins, free = 0, 0
    for length in lengths.tolist():
        if length > free:
            bins, free = bins + 1, capacity
        free -= length
    return bins


def first_fit_of_eight(lengths: Lengths, capacity: int) -> int:
    closed = 0
    free: list[int] = []
    for length in lengths.tolist():
        for number, space in enumerate(free):
            if space >= length:
                free[number] -= length
                break
        else:
            if len(free) == 8:
                free.remove(min(free))
                closed += 1
            free.append(capacity - length)
    return closed + len(free)


def best_fit_of_buffer(lengths: Lengths, capacity: int) -> int:
    waiting = lengths.tolist()[::-1]
    buffer = [waiting.pop() for _ in range(min(100, len(waiting)))]
    bins = 0
    while buffer:
        bins, free = bins + 1, capacity
        while fitting := [length for length in buffer if length <= free]:
            buffer.remove(max(fitting))
            free -= max(fitting)
            if waiting:
                buffer.append(waiting.pop())
    return bins


def decreasing_in_batches(lengths: Lengths, capacity: int) -> int:
    return sum(
        best_fit_decreasing(lengths[first : first + 1000], capacity).bins for first in range(0, len(lengths), 1000)
    )


PEERS: dict[str, Callable[[Lengths, int], int]] = {
    "next-fit": next_fit,
    "first-fit, 8 open": first_fit_of_eight,
    "best-fit, buffer 100": best_fit_of_buffer,
    "decreasing per 1000": decreasing_in_batches,
}


def large(rows: int) -> None:
    """Pack `rows` lengths of each workload, and say how long it took and what memory the process ever had."""
    compile_all()
    for name, (mean, sigma, capacity) in WORKLOADS.items():
        lengths = draw_lengths(mean, sigma, capacity, rows, 0)
        began = time.process_time()
        packing, bound = pack_lengths(lengths, capacity)
        layout = BinLayout.shuffled(packing, Slices.fronts(np.arange(rows), lengths), seed=0)
        seconds = time.process_time() - began
        gap = layout.bins / bound.bins - 1
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"  {name:<24}{seconds:6.2f} s of one core, {layout.bins} bins, {gap:+.4%} over the bound, {memory:.0f} MiB"
        )


def compile_all() -> None:
    """Go through every way to pack, before anything is timed: few rows of like length take the last."""
    pack_lengths(np.random.default_rng(0).integers(9, 12, 100), 40)


def beside_trl(rows: int) -> None:
    """Pack the same rows of tokens into files: ours, and TRL's `bfd` (extra `bench`)."""
    mean, sigma, capacity = WORKLOADS["chat, mean 803"]
    lengths = draw_lengths(mean, sigma, capacity, rows, 0)
    tokens = np.random.default_rng(0).integers(0, 50_000, int(lengths.sum()), dtype=np.uint32)
    loss = np.random.default_rng(1).random(len(tokens)) < 0.5
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "part-00000.arrow"
        with pa.ipc.new_file(path, TOKENS) as writer:
            ids = [f"s/f#{number}" for number in range(rows)]
            writer.write_batch(token_batch(ids, tokens, loss, lengths, 3 * lengths))
        ours = min(seconds_of(lambda: pack_file(path.parent, capacity)) for _ in range(2))
        bins = best_fit_decreasing(lengths, capacity).bins
        print(f"{rows} rows of tokens, chat, mean 803, into files of bins of {capacity}, processor time")
        print(f"  ours      {ours:7.2f} s  {bins} bins")
        try:
            import datasets
            from trl import pack_dataset  # type: ignore[attr-defined]
        except ImportError:
            print("  trl is not installed (extra `bench`): not compared")
            return
        datasets.disable_progress_bars()
        columns = {"input_ids": tokens.astype(np.int32), "assistant_masks": loss.astype(np.int8)}
        table = pa.table({name: list_array(pa.array(values), lengths) for name, values in columns.items()})
        given = datasets.Dataset(table)
        packed: list[Any] = []
        theirs = seconds_of(lambda: packed.append(pack_dataset(given, capacity, "bfd")))
        print(f"  TRL bfd   {theirs:7.2f} s  {len(packed[0])} bins, {len(packed[0]) / bins - 1:+.3%} of ours")
        print(f"  ours is {theirs / ours:.1f} times as fast")


def from_rows(rows: int) -> None:
    """Conversations into bins with masks: ours, and `datasets` and TRL (extra `bench`)."""
    from tokenising import compare, datasets_masks, numbered, our_stage, pairs

    from pipeline.config import Pack
    from pipeline.pack.targets import Targets
    from pipeline.pack.tokenizer import load_tokenizer, make_tokenizer

    found = numbered(pairs(), rows)
    contents = [message["content"] for row in found for message in row["messages"]]
    capacity = 2048
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "tokenizer").mkdir()
        make_tokenizer(Pack(vocab_size=4096), lambda: iter(contents), root / "tokenizer")
        tokenise = our_stage(root, found, Targets())
        tokenizer = load_tokenizer(root / "tokenizer")
        theirs, masks = datasets_masks(found, tokenizer)
        print(f"{len(found)} conversations into bins of {capacity}, masks included, processor time of one core")
        ours = [(seconds_of(tokenise), seconds_of(lambda: pack_file(root / "tokens/train", capacity))) for _ in "ab"]
        masked, packed = map(min, zip(*ours, strict=True))
        print(f"  ours               {masked:6.2f} s masks {packed:6.2f} s bins")
        if theirs is None:
            return
        from trl import pack_dataset  # type: ignore[attr-defined]

        made: list[Any] = []
        mask_seconds = seconds_of(lambda: made.append(theirs()))
        bin_seconds = seconds_of(lambda: made.append(pack_dataset(made[0], capacity, "bfd")))
        print(f"  datasets and TRL   {mask_seconds:6.2f} s masks {bin_seconds:6.2f} s bins")
        compare(root, masks, tokenizer)
        print(f"  ours is {(mask_seconds + bin_seconds) / (masked + packed):.1f} times as fast")


def pack_file(folder: Path, capacity: int) -> None:
    rows = TokenRows.open(folder)
    fate = decide(rows.survey(), capacity, "truncate", split="train", rows=rows)
    bins = SplitBins.of("train", rows, fate, seq_length=capacity, seed=0)
    for file in bins.files():
        write_bins(folder / "out" / Path(file.name).name, rows, bins.layout.part(file.begin, file.end), capacity)


def real_sets() -> None:
    """Pack what is in `shared/data` beside the checkout, tokenised by GPT-2's tokenizer."""
    root = Path(__file__).resolve().parents[1].parent / "shared/data"
    if not root.is_dir():
        print("real sets: shared/data is not beside this checkout: not packed")
        return
    print("real sets, GPT-2's tokens, rows above a bin cut")
    from transformers import AutoTokenizer

    core = AutoTokenizer.from_pretrained(root / "tokenizers/gpt2").backend_tokenizer
    for path in sorted(root.glob("*/*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts = [" ".join(strings(json.loads(line))) for line in lines]
        if len(texts) < 200:
            continue
        encoded = core.encode_batch_fast(texts, add_special_tokens=False)
        sizes = np.array([len(one.ids) for one in encoded])
        for capacity in (512, 2048):
            lengths = np.clip(sizes, 1, capacity)
            began = time.process_time()
            packing, bound = pack_lengths(lengths, capacity)
            seconds = time.process_time() - began
            greedy = best_fit_decreasing(lengths, capacity).bins
            over = f"{packing.bins - bound.bins} over the bound (best-fit decreasing: {greedy - bound.bins})"
            print(
                f"  {path.parent.name}/{path.name.split('.')[0]}, {len(texts)} rows, bins of {capacity}: {packing.bins}"
            )
            print(f"    {over}, {bound.proved_by}, {seconds:.2f} s")


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    values = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for one in values for text in strings(one)]


def seconds_of(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def draw_lengths(mean: int, sigma: float, capacity: int, rows: int, seed: int) -> Lengths:
    draw = np.random.default_rng(seed).lognormal(np.log(mean) - sigma**2 / 2, sigma, rows)
    return np.clip(draw, 1, capacity).astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--large", type=int, default=10_000_000, help="lengths packed to measure time and memory")
    parser.add_argument("--trl", type=int, default=20_000, help="rows of tokens packed beside TRL")
    parser.add_argument(
        "--conversations", type=int, default=4000, help="rows masked and packed beside datasets and TRL"
    )
    arguments = parser.parse_args()
    print(f"{arguments.large} lengths, in a process of their own")
    sys.stdout.flush()
    apart = multiprocessing.get_context("spawn").Process(target=large, args=(arguments.large,))
    apart.start()
    apart.join()
    compile_all()
    for name, (mean, sigma, capacity) in WORKLOADS.items():
        lengths = draw_lengths(mean, sigma, capacity, arguments.rows, arguments.seed)
        packing, proved = pack_lengths(lengths, capacity)
        bound = proved.bins
        layout = BinLayout.shuffled(packing, Slices.fronts(np.arange(len(lengths)), lengths), seed=0)
        costs = attention_cost(layout.lengths, layout.first)
        print(
            f"{name}, bins of {capacity}: bound {bound}, {arguments.rows} rows; "
            f"slowest of {RANKS} ranks {slowest(costs):.3f} shuffled, {slowest(np.sort(costs)):.3f} balanced"
        )
        for label, bins in [
            ("ours", packing.bins),
            *((label, peer(lengths, capacity)) for label, peer in PEERS.items()),
        ]:
            efficiency = lengths.sum() / (bins * capacity)
            print(f"  {label:<22}{bins:>8} bins  {efficiency:7.2%} full  {bins / bound - 1:+8.3%} over the bound")
    real_sets()
    beside_trl(arguments.trl)
    from_rows(arguments.conversations)


if __name__ == "__main__":
    main()
