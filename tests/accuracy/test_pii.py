"""How well personal data is found in the labelled sets: the targets of docs/pii.md."""

from __future__ import annotations

import pytest

from benchmarks import pii
from tests.text.columns import SHARED, shared

RECALL = {"email": 0.99, "credit_card": 0.98, "iban": 0.98, "ip": 0.97, "ssn": 0.97, "phone": 0.90, "api_key": 0.75}
"""The least share of labels that are found whole."""

SURVIVAL = {"email": 0.95, "credit_card": 0.95, "ip": 0.95, "ssn": 0.95, "phone": 0.90, "api_key": 0.90}
"""The least share of look-alikes that stay."""

PRECISION = 0.95
"""The least share of spans that touch a label, for each entity."""


@pytest.mark.parametrize("seed", [None, 11, 12, 13])
def test_planted(seed: int | None) -> None:
    corpus = shared("pii-planted") / "corpus"
    if seed is not None:
        shared("text-peps")
    documents = pii.planted(corpus) if seed is None else pii.plant(SHARED, seed, 600)
    scores, errors = pii.measure(documents)
    for entity, least in RECALL.items():
        assert scores[entity].labels >= 15, entity
        assert scores[entity].recall >= least, (entity, errors)
        assert scores[entity].precision >= PRECISION, (entity, errors)
    for entity, least in SURVIVAL.items():
        assert scores[entity].traps >= 15, entity
        assert scores[entity].survival >= least, (entity, errors)


def test_presidio() -> None:
    scores, errors = pii.measure(pii.presidio(shared("pii-presidio-tests")))
    for entity in ("email", "credit_card", "iban", "ip", "ssn", "phone"):
        assert scores[entity].labels >= 10, entity
        assert scores[entity].recall >= RECALL[entity], (entity, errors)
        assert scores[entity].precision >= PRECISION, (entity, errors)
    assert sum(score.doubtful for score in scores.values()) <= 1


def test_code_has_few_numbers_that_look_personal() -> None:
    """The standard library holds no card, account or key, and few telephone numbers outside its tests."""
    found = pii.find(texts := pii.library()[::3])
    counts = dict.fromkeys(RECALL, 0)
    for span in (span for spans in found for span in spans):
        counts[span.entity] = counts.get(span.entity, 0) + 1
    megabytes = sum(map(len, texts)) / 1e6
    for entity in ("phone", "credit_card", "ssn", "iban", "api_key"):
        assert counts[entity] <= megabytes, (entity, counts[entity])
