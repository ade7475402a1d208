"""Redaction finds what was planted, leaves the traps, and has nothing to do the second time."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import ENTITIES, cpu
from tests.text.columns import column, shared

TAG = re.compile("<(" + "|".join(entity.upper() for entity in ENTITIES) + ")>")
TYPES = {"EMAIL": "email", "PHONE": "phone", "IP": "ip", "CREDIT_CARD": "credit_card", "US_SSN": "ssn", "IBAN": "iban"}
PIECES = [
    *["1", "4", "5", "0", "555", "8.8.8.8", "4111 1111 1111 1111", "219-09-9999", "415-555-0123", "+44", "2001:db8::"],
    *["a@b.com", "x", "@", ".", "-", " ", "+", "(", ")", ":", "_", "é", "中", "<", ">", "<IP>", "version ", "=="],
    *["DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "\n", "'", "%", "x9", "::"],
]
MIXED = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize("seed", [None, 7, 20260])
def test_planted_data(seed: int | None, tmp_path: Path) -> None:
    """Recall, precision and surviving traps, on the given corpus and on two with other seeds."""
    folder = shared("pii-planted")
    corpus = folder / "corpus"
    if seed is not None:
        base = shared("text-peps") / "peps.jsonl.gz"
        command = [sys.executable, str(folder / "planted_pii.py"), "--base", str(base), "--out", str(tmp_path)]
        subprocess.run([*command, "--seed", str(seed), "--docs", "600"], check=True, capture_output=True)
        corpus = tmp_path
    texts = [row["text"] for row in rows(corpus / "corpus.jsonl.gz")]
    truth = rows(corpus / "truth_spans.jsonl.gz")
    redacted, counts = cpu.redact(column(texts), ENTITIES)

    planted: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    false: Counter[str] = Counter()
    traps: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for row, (after, spans) in enumerate(zip(redacted.to_pylist(), truth, strict=True)):
        in_row: Counter[str] = Counter()
        for span in spans["spans"]:
            if entity := TYPES.get(span["type"]):
                in_row[entity] += 1
                gone[entity] += span["value"] not in after
        planted += in_row
        for column_, entity in enumerate(ENTITIES):
            false[entity] += max(0, counts[row, column_] - in_row[entity])
        for trap in spans["traps"]:
            traps[trap["like"]] += 1
            kept[trap["like"]] += trap["value"] in after

    recall = {entity: gone[entity] / planted[entity] for entity in ENTITIES}
    precision = {entity: planted[entity] / (planted[entity] + false[entity]) for entity in ENTITIES}
    survival = {like: kept[like] / traps[like] for like in traps}
    assert min(recall.values()) >= 0.99, recall
    assert min(precision.values()) >= 0.99, precision
    assert min(survival.values()) >= 0.99, survival


def test_presidio_sentences() -> None:
    """An independent corpus: nothing but personal data is touched, and all of it goes where its form is distinctive.

    Most of its telephone numbers are national ones of some country, bare digits that could be anything; 0.28 of them
    have a form that we take.
    """
    with gzip.open(shared("pii-presidio-tests") / "generated_large.json.gz", "rt", encoding="utf-8") as file:
        sentences = json.load(file)
    redacted, counts = cpu.redact(column([s["full_text"] for s in sentences]), ENTITIES)
    floors = {"EMAIL_ADDRESS": 1.0, "CREDIT_CARD": 1.0, "US_SSN": 1.0, "IBAN_CODE": 1.0, "PHONE_NUMBER": 0.28}
    planted: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    for sentence, after in zip(sentences, redacted.to_pylist(), strict=True):
        for span in sentence["spans"]:
            planted[span["entity_type"]] += 1
            gone[span["entity_type"]] += span["entity_value"] not in after
    assert {name: gone[name] / planted[name] >= floor for name, floor in floors.items()} == dict.fromkeys(floors, True)
    assert counts.sum() == sum(gone[name] for name in [*floors, "IP_ADDRESS"])


@settings(max_examples=500, deadline=None)
@given(st.lists(MIXED, max_size=4), st.sets(st.sampled_from(ENTITIES), min_size=1))
def test_twice_is_once(texts: list[str], entities: set[str]) -> None:
    once, counts = cpu.redact(column(texts), sorted(entities))
    twice, more = cpu.redact(once, sorted(entities))
    assert twice.equals(once)
    assert not more.any()
    assert counts.shape == (len(texts), len(ENTITIES))
    once.validate(full=True)  # UTF-8 too
    for text, after, row in zip(texts, once.to_pylist(), counts, strict=True):
        tags = Counter(tag.lower() for tag in TAG.findall(after)) - Counter(tag.lower() for tag in TAG.findall(text))
        assert tags == Counter({entity: int(n) for entity, n in zip(ENTITIES, row, strict=True) if n})
        assert row[[e not in entities for e in ENTITIES]].sum() == 0


@settings(max_examples=200, deadline=None)
@given(MIXED, MIXED, MIXED)
def test_a_row_is_redacted_by_itself(before: str, text: str, after: str) -> None:
    alone, count = cpu.redact(column([text]), ENTITIES)
    among, counts = cpu.redact(column([before, text, after]), ENTITIES)
    assert among[1] == alone[0]
    assert np.array_equal(counts[1], count[0])
