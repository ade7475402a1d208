"""How fast the text operations are, beside a bare copy and a peer over the same texts, on one core.

    python benchmarks/curation.py [MEGABYTES]

The peer is datatrove (extra `bench`): its Gopher quality and repetition filters, which measure about what `signals`
does, over the first part of the texts.

The texts are the modules of the running interpreter's standard library. Each operation is called once to load its
machine code, then takes the best of three. Ratios hold across machines; megabytes per second do not.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pyarrow as pa
from texts import best_of, standard_library

from pipeline.engines import CLEANERS, ENTITIES, cpu


def main() -> None:
    texts = standard_library(float(sys.argv[1]) if len(sys.argv) > 1 else 16.0)
    normal = cpu.normalise(texts)
    operations: list[tuple[str, pa.LargeStringArray, Callable[[pa.LargeStringArray], object]]] = [
        ("copy", texts, lambda t: bytes(memoryview(t.buffers()[2]))),
        *((f"clean: {name}", texts, lambda t, name=name: cpu.clean(t, [name])) for name in CLEANERS),
        ("signals", texts, cpu.signals),
        ("redact", texts, lambda t: cpu.redact(t, ENTITIES)),
        ("normalise", texts, cpu.normalise),
        ("digest", normal, lambda t: cpu.digest(t, normalised=True)),
        ("sketch", normal, cpu.sketch),
    ]
    print(f"{len(texts)} texts, {texts.nbytes / 1e6:.1f} MB, one core")
    print(f"{'operation':<20}{'MB/s':>10}{'× copy':>10}")
    bare = ours = 0.0
    for name, column, operation in operations:
        rate = column.nbytes / best_of(3, lambda: operation(column)) / 1e6  # noqa: B023
        bare = bare or rate
        print(f"{name:<20}{rate:>10.0f}{bare / rate:>10.1f}")
        if name == "signals":
            ours = rate
    peer = datatrove_rate(texts)
    print(f"{'datatrove: Gopher':<20}{peer:>10.2f}{bare / peer:>10.0f}")
    print(f"signals are {ours / peer:.0f} times as fast as datatrove's Gopher quality and repetition filters")


def datatrove_rate(texts: pa.LargeStringArray, megabytes: float = 1.0) -> float:
    """MB/s of the peer's two filters, run on every document whatever the other says."""
    from datatrove.data import Document
    from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter

    filters = (GopherQualityFilter(), GopherRepetitionFilter())
    documents: list[Document] = []
    size = 0
    for text in texts.to_pylist():
        if size < megabytes * 1e6:
            documents.append(Document(text=text, id=str(len(documents))))
            size += len(text.encode())
    for one in filters:
        one.filter(documents[0])  # loads its tokenizer
    begin = time.perf_counter()
    for document in documents:
        for one in filters:
            one.filter(document)
    return size / (time.perf_counter() - begin) / 1e6


if __name__ == "__main__":
    main()
