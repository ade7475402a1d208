"""Redaction puts a tag in each place, has nothing to do the second time, and reads each row by itself."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import ENTITIES, cpu
from tests.text.columns import column

TAG = re.compile("<(" + "|".join(entity.upper() for entity in ENTITIES) + ")>")
PIECES = [
    *["1", "4", "5", "0", "555", "8.8.8.8", "4111 1111 1111 1111", "219-09-9999", "415-555-0123", "+44", "2001:db8::"],
    *["a@b.com", "x", "@", ".", "-", " ", "+", "(", ")", ":", "_", "é", "中", "<", ">", "<IP>", "version ", "=="],
    *["DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "\n", "'", "%", "x9", "::"],
    *[
        "password = ",
        '"',
        "https://",
        "bob:",
        "s3cretA1b2C3d4",
        "00:1b:44:11:3a:b7",
        "call ",
        "ghp_",
        "a1B2c3D4e5F6" * 3,
    ],
]
MIXED = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@settings(max_examples=500, deadline=None)
@given(st.lists(MIXED, max_size=4), st.sets(st.sampled_from(ENTITIES), min_size=1))
def test_twice_is_once(texts: list[str], entities: set[str]) -> None:
    once, counts, settled = cpu.redact(column(texts), sorted(entities))
    twice, more, _ = cpu.redact(once, sorted(entities))
    assert settled.all()
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
    alone, count, _ = cpu.redact(column([text]), ENTITIES)
    among, counts, _ = cpu.redact(column([before, text, after]), ENTITIES)
    assert among[1] == alone[0]
    assert np.array_equal(counts[1], count[0])
