"""Packing: ours beside the algorithms of other trainers, on the same lengths, in one run.

    python benchmarks/packing.py [--rows 50000] [--seed 0]

The others are their algorithm, not their code: next-fit (torchtune, NeMo AutoModel), first-fit over eight open bins
(torchtitan), best-fit from a buffer of 100 (nanochat), best-fit decreasing in batches of 1000 rows (TRL). Bins are
compared with the bound L2, below which no packing can go. Plain Python where order forces it, so only the number of
bins compares, not the time; the time of ours is shown by itself.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.pack.binpack import best_fit_decreasing, lower_bound

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    best_fit_decreasing(np.array([1, 2]), 4)  # compiled before it is timed
    for name, (mean, sigma, capacity) in WORKLOADS.items():
        draw = np.random.default_rng(arguments.seed)
        lengths = draw.lognormal(np.log(mean) - sigma**2 / 2, sigma, arguments.rows)
        lengths = np.clip(lengths, 1, capacity).astype(np.int64)
        bound = lower_bound(lengths, capacity)
        began = time.perf_counter()
        ours = best_fit_decreasing(lengths, capacity).bins
        seconds = time.perf_counter() - began
        print(f"{name}, bins of {capacity}: bound {bound}, {arguments.rows} rows in {1000 * seconds:.0f} ms")
        for label, bins in [("ours", ours), *((label, peer(lengths, capacity)) for label, peer in PEERS.items())]:
            efficiency = lengths.sum() / (bins * capacity)
            print(f"  {label:<22}{bins:>8} bins  {efficiency:7.2%} full  {bins / bound - 1:+8.3%} over the bound")


if __name__ == "__main__":
    main()
