"""How well personal data is found, and how fast: recall, precision, look-alikes, false positives, MB/s.

    python benchmarks/pii.py DATA [SEED …]

DATA is a folder with the labelled sets `pii-planted` (and its generator, which plants other values under every SEED;
11, 12 and 13 by default) and `pii-presidio-tests`. Of the false positives on the standard library only the shape is
printed, and of missed labels too: letters as `a`, digits as `9`.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from pathlib import Path

import pyarrow as pa

from pipeline.engines import ENTITIES, cpu

LABELS = {
    "EMAIL": "email",
    "PHONE": "phone",
    "IP": "ip",
    "CREDIT_CARD": "credit_card",
    "US_SSN": "ssn",
    "IBAN": "iban",
    "SECRET": "api_key",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "IP_ADDRESS": "ip",
    "IBAN_CODE": "iban",
}
"""The sets' types that are ours too; the others (names, places, dates) are for the extra `ner`."""


PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "fc00::/7", "fe80::/10")


@dataclass(frozen=True)
class Label:
    """What stands in `[start, end)` of a text, in characters: an entity, or what only looks like one."""

    entity: str
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """A text with its labels, and the traps in it."""

    text: str
    labels: list[Label]
    traps: list[Label] = field(default_factory=list)


@dataclass
class Score:
    """Of one entity: labels, those found whole, spans found, those that touch a label; traps, those left alone."""

    labels: int = 0
    found: int = 0
    spans: int = 0
    right: int = 0
    traps: int = 0
    survived: int = 0
    doubtful: int = 0

    @property
    def recall(self) -> float:
        """Labels found whole / labels."""
        return self.found / self.labels if self.labels else 1.0

    @property
    def precision(self) -> float:
        """Spans on a label / spans."""
        return self.right / self.spans if self.spans else 1.0

    @property
    def survival(self) -> float:
        """Traps left alone / traps."""
        return self.survived / self.traps if self.traps else 1.0


def planted(corpus: Path) -> list[Document]:
    """The documents of a folder that `planted_pii.py` wrote."""
    truth = {row["id"]: row for row in lines(corpus / "truth_spans.jsonl.gz")}
    documents = []
    for row in lines(corpus / "corpus.jsonl.gz"):
        spans, traps = truth[row["id"]]["spans"], truth[row["id"]]["traps"]
        documents.append(
            Document(
                row["text"],
                [Label(LABELS[s["type"]], s["start"], s["end"]) for s in spans if s["type"] in LABELS],
                [Label(LABELS.get(s["like"], "other"), s["start"], s["end"]) for s in traps],
            )
        )
    return documents


def plant(data: Path, seed: int, documents: int = 1500) -> list[Document]:
    """Documents that the set's generator makes under another seed."""
    with tempfile.TemporaryDirectory() as folder:
        base = sorted((data / "text-peps").glob("*.jsonl.gz"))
        subprocess.run(
            [
                sys.executable,
                str(data / "pii-planted" / "planted_pii.py"),
                "--base",
                *map(str, base),
                "--out",
                folder,
                "--seed",
                str(seed),
                "--docs",
                str(documents),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return planted(Path(folder))


def presidio(folder: Path) -> list[Document]:
    """The documents of Presidio's tests."""
    rows = json.loads(gzip.decompress((folder / "generated_large.json.gz").read_bytes()))
    rows += json.loads((folder / "generated_small.json").read_text())
    return [
        Document(
            row["full_text"],
            [
                Label(LABELS.get(s["entity_type"], s["entity_type"].lower()), s["start_position"], s["end_position"])
                for s in row["spans"]
                if LABELS.get(s["entity_type"], s["entity_type"].lower()) in ENTITIES
            ],
        )
        for row in rows
    ]


def measure(documents: list[Document]) -> tuple[dict[str, Score], Counter[tuple[str, str]]]:
    """Find personal data in all documents, and compare.

    Returns:
        Entity → score, and how often each (kind of error and entity, shape) came.
    """
    scores = {entity: Score() for entity in ENTITIES}
    errors: Counter[tuple[str, str]] = Counter()
    for document, spans in zip(documents, find([d.text for d in documents]), strict=True):
        for label in document.labels:
            score = scores[label.entity]
            value = document.text[label.start : label.end]
            if is_doubtful(label.entity, value):
                score.doubtful += 1
                continue
            score.labels += 1
            covered = {k for s in spans if s.entity == label.entity for k in range(s.start, s.end)}
            whole = covered.issuperset(range(label.start, label.end))
            score.found += whole
            if not whole:
                errors[f"{label.entity} missed", shape(value)] += 1
        for span in spans:
            score = scores[span.entity]
            score.spans += 1
            right = any(label.entity == span.entity and touch(span, label) for label in document.labels)
            score.right += right
            if not right:
                errors[f"{span.entity} wrong", shape(document.text[span.start : span.end])] += 1
        for trap in document.traps:
            if trap.entity not in scores:
                continue
            score = scores[trap.entity]
            score.traps += 1
            hit = any(touch(span, trap) for span in spans)
            score.survived += not hit
            if hit:
                errors[f"{trap.entity} trapped", shape(document.text[trap.start : trap.end])] += 1
    return scores, errors


def find(texts: list[str]) -> list[list[Label]]:
    """The spans in each text, in characters."""
    spans = cpu.find_entities(pa.array(texts, pa.large_string()), ENTITIES)
    found: list[list[Label]] = [[] for _ in texts]
    bounds = [0]
    encoded = [text.encode() for text in texts]
    for text in encoded:
        bounds.append(bounds[-1] + len(text))
    for row, start, end, entity in zip(*(array.tolist() for array in spans), strict=True):
        first = len(encoded[row][: start - bounds[row]].decode())
        size = len(encoded[row][start - bounds[row] : end - bounds[row]].decode())
        found[row].append(Label(ENTITIES[entity], first, first + size))
    return found


def touch(a: Label, b: Label) -> bool:
    return a.start < b.end and b.start < a.end


def is_doubtful(entity: str, value: str) -> bool:
    """Whether a label contradicts what the entity is: an address of a private network is nobody's."""
    return entity == "ip" and any(ip_address(value) in ip_network(network) for network in PRIVATE)


def shape(value: str) -> str:
    """What a value looks like, without what it says."""
    kept = re.sub(r"[0-9]", "9", re.sub(r"[^\W\d_]", "a", value.replace("\n", " ")))
    return kept if len(kept) <= 48 else kept[:45] + "…"


def lines(path: Path) -> Iterable[dict]:  # type: ignore[type-arg]
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def library() -> list[str]:
    """Every module of the standard library that is UTF-8."""
    texts = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if "site-packages" not in path.parts:
            try:
                texts.append(path.read_text(encoding="utf-8"))
            except UnicodeDecodeError:  # the library's tests hold files in other encodings
                continue
    return texts


def rate(texts: list[str]) -> float:
    """MB/s of one core, all entities together, best of three."""
    column = pa.array(texts, pa.large_string())
    seconds = []
    for _ in range(4):
        begin = time.process_time()
        cpu.find_entities(column, ENTITIES)
        seconds.append(time.process_time() - begin)
    return float(column.nbytes / min(seconds[1:]) / 1e6)


def table(name: str, documents: list[Document]) -> None:
    scores, errors = measure(documents)
    print(f"\n{name}: {len(documents)} texts")
    print(f"| {'entity':<16}| labels | recall | precision | traps | survive | doubtful |")
    print("|---|---|---|---|---|---|---|")
    for entity, s in scores.items():
        if s.labels or s.spans or s.traps:
            print(
                f"| {entity:<16}| {s.labels} | {s.recall:.3f} | {s.precision:.3f} | {s.traps} | {s.survival:.3f} "
                f"| {s.doubtful} |"
            )
    for (kind, what), count in sorted(errors.items()):
        print(f"  {kind}: {what!r} × {count}")


def main() -> None:
    data = Path(sys.argv[1])
    seeds = [int(seed) for seed in sys.argv[2:]] or [11, 12, 13]
    table("pii-planted", planted(data / "pii-planted" / "corpus"))
    for seed in seeds:
        table(f"pii-planted, seed {seed}", plant(data, seed))
    table("pii-presidio-tests", presidio(data / "pii-presidio-tests"))
    texts = library()
    found = find(texts)
    counts = Counter(span.entity for spans in found for span in spans)
    print(f"\nthe standard library: {len(texts)} modules, {sum(map(len, texts)) / 1e6:.1f} M characters")
    for entity in ENTITIES:
        shapes = Counter(
            shape(text[s.start : s.end])
            for text, spans in zip(texts, found, strict=True)
            for s in spans
            if s.entity == entity
        )
        print(
            f"  {entity}: {counts[entity]}: {', '.join(f'{what!r} × {count}' for what, count in shapes.most_common(6))}"
        )
    prose = [row["text"] for path in sorted((data / "text-peps").glob("*.jsonl.gz")) for row in lines(path)]
    print(f"\nMB/s of one core: {rate(prose):.0f} on prose (text-peps), {rate(texts):.0f} on code (standard library)")


if __name__ == "__main__":
    main()
