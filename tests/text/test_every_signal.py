"""What holds for every signal of the table: its type, its range, and that nothing but the text decides it."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.engines.columns import to_arrow
from pipeline.signals import MEASURED
from pipeline.text.comments import FAMILIES
from tests.text.columns import HOSTILE, column

PROSE = (
    "The quick brown fox... see https://a.io/x?y=%41 (and 12 others)!\r\n"
    "• one\u00a0two\n\n- three\n# four {x} // five\n"
    "שלום \u200fעולם\n漢字かな交じり文。ภาษาไทย\n🙂👩‍👩‍👧 é e\u0301\n<p title='a'>&amp;</p>\nthe cat sat\nthe cat sat\n"
)
TEXTS = (
    "",
    "a",
    "\n",
    "\r\n",
    "\r\n\r\n",
    "\u00a0",
    "\u3000\u2028",
    "\u0301",
    "\ufeff",
    "🙂",
    "漢",
    "ก็",
    "ש",
    "...",
    "#",
    "https://a",
    "<",
    "'''",
    PROSE,
    PROSE[::-1],
    PROSE.upper(),
    "x" * 4000,
    " " * 4000,
    "\n" * 4000,
    "the " * 1000,
    "漢字" * 1000,
    "🙂 " * 1000,
)


def raw(rows: list[bytes]) -> pa.LargeStringArray:
    """A column of any bytes, which Arrow does not look at."""
    bounds = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    return to_arrow(np.frombuffer(b"".join(rows), np.uint8), bounds)


def check(texts: pa.LargeStringArray, families: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Measure, and hold every signal to its line of the table."""
    found = cpu.signals(texts, families)
    assert list(found) == list(MEASURED)
    for name, signal in MEASURED.items():
        values = found[name]
        assert values.dtype == np.dtype(signal.type), name
        assert values.shape == (len(texts),), name
        missing = np.isnan(values) if values.dtype == np.float64 else np.zeros(len(texts), bool)
        assert signal.applies is False or not missing.any(), name
        assert (values[~missing] >= 0).all(), name
        assert signal.high is None or (values[~missing] <= signal.high).all(), name
        assert np.isfinite(values[~missing]).all(), name
    return found


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> list[str]:
    """Names of the signals that differ, NaN being equal to itself."""
    return [name for name in a if not np.array_equal(a[name], b[name], equal_nan=a[name].dtype.kind == "f")]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(HOSTILE, st.sampled_from(TEXTS)), max_size=5), st.integers(-1, len(FAMILIES) - 1))
def test_any_text(texts: list[str], family: int) -> None:
    check(column(texts), np.full(len(texts), family, np.int8))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.integers(-1, len(FAMILIES) - 1))
def test_any_bytes(rows: list[bytes], family: int) -> None:
    check(raw(rows), np.full(len(rows), family, np.int8))


@pytest.mark.parametrize("family", [None, *range(len(FAMILIES))])
def test_every_byte_alone_and_between_others(family: int | None) -> None:
    """All 256, so every lone continuation byte and every lead byte without its rest, at the row's end too."""
    rows = [
        frame.replace(b"?", bytes([byte])) for byte in range(256) for frame in (b"?", b"??", b"a ?", b"? b", b"x?y\n?")
    ]
    check(raw(rows), None if family is None else np.full(len(rows), family, np.int8))


def test_an_empty_text() -> None:
    """Nothing is 0, or NaN where the formula says so; neither fails a rule for being short."""
    found = check(column([""]), np.zeros(1, np.int8))
    values = {name: found[name][0].item() for name in MEASURED}
    assert {name: value for name, value in values.items() if value != 0} == {}


def test_texts_of_every_kind() -> None:
    found = check(column(TEXTS), np.zeros(len(TEXTS), np.int8))
    one_by_one = [check(column([text]), np.zeros(1, np.int8)) for text in TEXTS]
    assert same(found, {name: np.concatenate([one[name] for one in one_by_one]) for name in found}) == []


def test_part_size_slices_and_the_order_of_rows_change_nothing() -> None:
    texts = [text[:300] for text in TEXTS] + [PROSE[at : at + 90] for at in range(0, 180, 9)]
    families = np.array([at % (len(FAMILIES) + 1) - 1 for at in range(len(texts))], np.int8)
    whole = check(column(texts), families)
    for size in (1, 3, 17):
        parts = [
            check(column(texts)[at : at + size], families[at : at + size])  # slices of one buffer
            for at in range(0, len(texts), size)
        ]
        assert same(whole, {name: np.concatenate([part[name] for part in parts]) for name in whole}) == [], size
    order = np.array(random.Random(0).sample(range(len(texts)), len(texts)))
    moved = check(column([texts[at] for at in order]), families[order])
    assert same({name: values[order] for name, values in whole.items()}, moved) == []


def test_no_rows() -> None:
    check(column([]), np.zeros(0, np.int8))


def test_a_null_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 2 texts are null"):
        cpu.signals(pa.array(["a", None], pa.large_string()))


def test_there_is_a_family_for_each_text() -> None:
    with pytest.raises(ValueError, match="2 texts need as many families"):
        cpu.signals(column(["a", "b"]), np.zeros(1, np.int8))


def test_code() -> None:
    """The shares that no other test looks at."""
    found = check(
        column(["# é\nx = 1\n", "# é\nx = 1\n", "<?xml version='1.0'?><p>é</p>"]), np.array([0, -1, 6], np.int8)
    )
    assert found["comment_share"][0] == 3 / 10
    assert np.isnan(found["comment_share"][1])
    assert found["comment_share"][2] == 0
    assert found["xml_header"].tolist() == [0, 0, 1]
    assert found["html_visible_char_count"].tolist() == [10, 10, 1]
    assert found["html_visible_share"].tolist() == [1, 1, 1 / 29]


@pytest.mark.parametrize(
    "unit", [PROSE, "a ", "漢", "a", "\n", "🙂", "<p "], ids=["prose", "words", "han", "word", "lines", "emoji", "tags"]
)
def test_five_megabytes(unit: str) -> None:
    size = len(unit.encode())
    check(column([unit * (5_000_000 // size)]), np.zeros(1, np.int8))


HASHES = """
import hashlib, numpy as np
from pipeline.engines import cpu
from tests.text.columns import column
from tests.text.test_every_signal import TEXTS, digest
print(digest(cpu.signals(column(TEXTS), np.zeros(len(TEXTS), np.int8))))
"""


def digest(found: dict[str, np.ndarray]) -> str:
    """One number for all signals, bit for bit."""
    return hashlib.blake2b(b"".join(name.encode() + values.tobytes() for name, values in found.items())).hexdigest()


def test_independent_of_the_seed_of_hashes() -> None:
    answers = {digest(cpu.signals(column(TEXTS), np.zeros(len(TEXTS), np.int8)))}
    for seed in ("1", "4711"):
        done = subprocess.run(
            [sys.executable, "-c", HASHES],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        answers.add(done.stdout.strip())
    assert len(answers) == 1
