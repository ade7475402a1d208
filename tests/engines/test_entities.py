"""Where personal data is found."""

from __future__ import annotations

import time

import numpy as np
import pytest

from pipeline.engines import ENTITIES, cpu
from tests.text.columns import column


def test_spans_are_places_in_the_buffer() -> None:
    texts = column(["", "none", "a@b.com and 8.8.8.8", "ü 219-09-9999"])[1:]
    spans = cpu.find_entities(texts, ENTITIES)
    buffer = b"nonea@b.com and 8.8.8.8" + "ü 219-09-9999".encode()
    values = [buffer[start:end] for start, end in zip(spans.starts, spans.ends, strict=True)]
    assert values == [b"a@b.com", b"8.8.8.8", b"219-09-9999"]
    assert spans.rows.tolist() == [1, 1, 2]
    assert [ENTITIES[k] for k in spans.entities] == ["email", "ip", "ssn"]
    assert [array.dtype for array in spans] == [np.int64, np.int64, np.int64, np.int8]


def test_an_unknown_entity_is_named() -> None:
    with pytest.raises(ValueError, match="no entity is called 'name'"):
        cpu.find_entities(column(["a"]), ["name"])


SIZE = 100_000


PATTERNS = (
    "1|1 |12-|@|a@|a.|@a.|+|+1|(|(1|:|a:|://|=|token=|=a1|_|sk-|A|-----BEGIN PRIVATE KEY-----|a-|\u200b|%40|1A|call |"
    "a%40b.|0x|1234 |é|DE89 "
)


@pytest.mark.parametrize("pattern", PATTERNS.split("|"))
def test_a_long_row_takes_time_in_proportion_to_its_bytes(pattern: str) -> None:
    def seconds(size: int) -> float:
        texts = column([pattern * (size // len(pattern.encode()))])
        times = []
        for _ in range(3):
            begin = time.process_time()
            cpu.find_entities(texts, ENTITIES)
            times.append(time.process_time() - begin)
        return min(times)

    short, long = seconds(SIZE), seconds(8 * SIZE)
    assert long <= 24 * max(short, 0.001)  # in proportion it is 8 times, in the square 64 times
