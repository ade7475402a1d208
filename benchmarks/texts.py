"""Real text for the benchmarks, as much as they need, and how they measure."""

from __future__ import annotations

import gzip
import json
import random
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

__all__ = ["best_of", "best_of_each", "changed_texts", "standard_library", "write_rows"]

PEPS = Path(__file__).parents[2] / "shared" / "data" / "text-peps" / "peps.jsonl.gz"
"""Prose, where it is on this machine."""


def standard_library(megabytes: float) -> pa.LargeStringArray:
    """The modules of the running interpreter's standard library, up to about so many bytes."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    texts, size = [], 0.0
    for path in sorted(folder.rglob("*.py")):
        if "site-packages" in path.parts or size > megabytes * 1e6:
            continue
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:  # the library's tests hold files in other encodings
            continue
        size += path.stat().st_size
    return pa.array(texts, pa.large_string())


def changed_texts(megabytes: float) -> Iterator[str]:
    """The standard library and, where it is here, prose, again and again with other lines in front, until it is enough.

    Every repetition begins at another line of each text, so no two rows are equal, nor does a compressor see that they
    resemble each other: the same line comes back only after everything else.
    """
    texts = [text for text in standard_library(1e9).to_pylist() if text.strip()]
    if PEPS.exists():
        texts += [json.loads(line)["text"] for line in gzip.decompress(PEPS.read_bytes()).splitlines()]
    rng = random.Random(0)
    size = 0
    while True:
        rng.shuffle(texts)
        for text in texts:
            lines = text.split("\n")
            begin = rng.randrange(len(lines))
            text = "\n".join([*lines[begin:], *lines[:begin]])
            yield text
            size += len(text)
            if size >= megabytes * 1e6:
                return


def write_rows(path: Path, texts: Iterator[str]) -> int:
    """Write `{"text": …, "url": …}` a line, and return the bytes."""
    with path.open("w", encoding="utf-8") as stream:
        for number, text in enumerate(texts):
            row = {"text": text, "url": f"https://example.org/{number}"}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path.stat().st_size


def best_of(times: int, call: Callable[[], object]) -> float:
    """Seconds of the fastest of several calls, after one that loads what is compiled."""
    call()
    return best_of_each(times, {"": call})[""]


def best_of_each(
    times: int, calls: dict[str, Callable[[], object]], clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Seconds of the fastest of several calls of each.

    They take turns, so that all see the machine's bad moments, each time in another order, so that none always finds
    the heap and the caches as the same other one leaves them.
    """
    seconds = dict.fromkeys(calls, float("inf"))
    rng = random.Random(0)
    for _ in range(times):
        for name in rng.sample(list(calls), len(calls)):
            begin = clock()
            calls[name]()
            seconds[name] = min(seconds[name], clock() - begin)
    return seconds
