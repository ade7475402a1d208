"""Every operation of an engine on a small batch: what engines are compared on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.engines import CLEANERS, ENTITIES, Engine
from pipeline.schema import MESSAGES
from tests.text.cases.json_rows import LINES
from tests.text.cases.rows import ROWS

__all__ = ["OPERATIONS", "TEXTS", "flat", "results"]

LONG = "the cat sat on the mat, the cat ran. <b>Call</b> 020 7946 0123 or Ã© café ‘so’…\r\n" * 4
TEXTS = ["", *(row.decode("utf-8", "replace") for row in ROWS), LONG, "Ångström ﬁ ａ＠ｂ.org", ""]
"""Empty, short and long, of every kind that a kernel looks for; more than a launch has threads in the tests."""

JSON = [
    '{"mail": "jane@b.example", "n": [4111111111111111, "plain", {"a@b.example": 1, "c@d.example": 2}]}',
    '{"arguments": "{\\"to\\": \\"x@y.example\\"}"}',
    "{}",
]


def column(texts: list[str]) -> pa.LargeStringArray:
    """A slice of a column, so that its first row does not begin at 0."""
    return pa.array(["before", *texts, "after"], pa.large_string())[1:-1]


def messages() -> pa.ListArray:
    rows = [[], ["a"], ["", "b\n"], [LONG, "x", ""], [""]]
    return pa.array([[{"role": "r", "content": c, "extra": None} for c in row] for row in rows], MESSAGES)


def _find(engine: Engine, texts: pa.LargeStringArray) -> Any:
    hashes = engine.hash_ngrams(texts, 2)
    table, slots = engine.ngram_table(np.unique(hashes.hashes, axis=0), [2])
    return hashes, slots, *table, *engine.find_ngrams(texts, table)


def _cut(engine: Engine, texts: pa.LargeStringArray) -> Any:
    bounds = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset :][: len(texts) + 1]
    rows = np.arange(len(texts))
    starts, ends = bounds[:-1] + np.diff(bounds) // 4, bounds[1:] - np.diff(bounds) // 4
    return engine.cut_spans(texts, rows, starts, ends, rows % 2 == 0), engine.digest_spans(texts, starts, ends)


def _alike(engine: Engine, normal: pa.LargeStringArray) -> Any:
    by_words = engine.sketch(normal, values=8, shingle=2, unit="words")
    return by_words, engine.band_keys(by_words, 2, 3), engine.similarity(by_words, np.roll(by_words, 1, axis=0))


def _buckets(engine: Engine) -> Any:
    """Buckets without rows, of one and of many, with more rows than centres."""
    random = np.random.default_rng(0)
    sketches = random.integers(0, 4, (12, 8)).astype(np.uint32)
    sketches[6:] = sketches[:6]
    sketches[6:, 0] += 1
    bounds = np.array([0, 1, 3, 3, 15, 30])
    ranks = np.concatenate([np.sort(random.permutation(40)[:size]) for size in np.diff(bounds)])
    places = random.integers(0, len(sketches), bounds[-1])
    return engine.compare_buckets(bounds, ranks, places, sketches, np.array([6, 3, 4, 2]), 3)


def _read(engine: Engine) -> Any:
    """Lines that are plain and others, of which one key's text is wanted twice, and one that is missing."""
    lines = [*LINES, b'{"text": "' + LONG.replace("\r\n", "\\r\\n").encode() + b'", "n": [1, 2]}']
    ends = np.cumsum([len(line) for line in lines])
    buffer = np.frombuffer(b"".join(lines), np.uint8)
    starts = np.concatenate([[0], ends[:-1]])
    return [engine.read_lines(buffer, starts, ends, keys) for keys in ([b"text"], [b"text", b"text"], [b"none"])]


def _shared(engine: Engine, normal: pa.LargeStringArray) -> Any:
    twice = pa.concat_arrays([normal, normal])
    windows, counts = engine.tally_windows(twice, width=16)
    return windows, counts, engine.cut_shared(twice, windows[counts > 2], width=16)


Operation = Callable[[Engine], Any]

OPERATIONS: dict[str, Operation] = {
    **{f"clean {name}": lambda e, name=name: e.clean_until_stable(column(TEXTS), [name]) for name in CLEANERS},
    "signals": lambda e: e.signals(column(TEXTS), (np.arange(len(TEXTS)) % 7 - 1).astype(np.int8)),
    "find": lambda e: e.find_entities(column(TEXTS), ENTITIES),
    "redact": lambda e: e.redact(column(TEXTS), ENTITIES),
    "redact JSON": lambda e: e.redact_json(column(JSON), ENTITIES),
    "join": lambda e: e.join(messages()),
    "digest": lambda e: e.digest(column(TEXTS)),
    "combine": lambda e: e.combine(e.digest(column(TEXTS), normalised=True), np.array([0, 0, 3, len(TEXTS)])),
    "normalise": lambda e: e.normalise(column(TEXTS)),
    "sketch": lambda e: e.sketch(e.normalise(column(TEXTS)), values=8),
    "fingerprints": lambda e: e.fingerprints(column(TEXTS), digests=True, values=8),
    "alike": lambda e: _alike(e, e.normalise(column(TEXTS))),
    "read": _read,
    "buckets": _buckets,
    "shingles": lambda e: e.shingles(e.normalise(column(TEXTS))),
    "shared": lambda e: _shared(e, e.normalise(column(TEXTS))),
    "stretches": lambda e: e.stretches(column(TEXTS), 32),
    "cut": lambda e: _cut(e, column(TEXTS)),
    "n-grams": lambda e: _find(e, column(TEXTS)),
    "words": lambda e: (e.count_words(column(TEXTS)), e.place_words(column(TEXTS))),
    "nothing": lambda e: (e.signals(column([])), e.normalise(column([])), e.redact(column([]), ENTITIES)),
    "blank": lambda e: (e.signals(column(["", ""])), e.sketch(column(["", ""])), e.clean(column([""]), CLEANERS)),
}


def flat(result: Any) -> Iterator[tuple[str, bytes]]:
    """The type and the bytes of every array of a result, floats included: what must be equal to the last bit."""
    if isinstance(result, np.ndarray):
        yield f"{result.dtype}{result.shape}", result.tobytes()
    elif isinstance(result, pa.Array):
        values = result.cast(pa.large_binary()).to_pylist()
        yield f"{result.type}[{len(values)}]", repr(values).encode()
    elif isinstance(result, dict):
        for name, values in result.items():
            yield name, b""
            yield from flat(values)
    else:
        for part in result:
            yield from flat(part)


def results(engine: Engine, names: list[str] | None = None) -> dict[str, list[tuple[str, bytes]]]:
    """Every operation's result."""
    return {name: list(flat(OPERATIONS[name](engine))) for name in names or OPERATIONS}
