"""Sketches estimate the Jaccard similarity of shingle sets, without bias, at any length."""

from __future__ import annotations

import inspect
import json
import random
import statistics
import textwrap
import time
from collections.abc import Iterable
from itertools import product
from typing import Literal, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.text.shingles import CHARACTERS, SCRATCH, WORDS
from pipeline.text.sketch import EMPTY, MIXED, TABLE
from pipeline.text.sketch import sketch as sketch_row
from tests.text.columns import column

Unit: TypeAlias = Literal["characters", "words"]
MASK = 2**64 - 1
FACTOR = 0x9E3779B97F4A7C15


def shingles(text: str, size: int = 8) -> set[bytes]:
    data = text.encode()
    return {data[i : i + size] for i in range(max(len(data) - size, 0) + 1)} if data else set()


def jaccard(a: str, b: str) -> float:
    left, right = shingles(a), shingles(b)
    return len(left & right) / len(left | right)


def estimates(pairs: list[tuple[str, str]], values: int = 112) -> np.ndarray:
    left, right = (cpu.sketch(column(side), values=values, shingle=8) for side in zip(*pairs, strict=True))
    return cpu.similarity(left, right)


def tokens(text: str, unit: str) -> list[int]:
    """What a shingle is made of, as numbers."""
    if unit == "characters":
        return [ord(character) + 1 for character in text]
    return [mix(polynomial(byte + 1 for byte in word.encode())) for word in text.split(" ")]


def mix(x: int) -> int:
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCD & MASK
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53 & MASK
    return x ^ x >> 33


def polynomial(values: Iterable[int]) -> int:
    total = 0
    for value in values:
        total = (total * FACTOR + value) & MASK
    return total


def shingle_set(text: str, size: int, unit: str) -> set[int]:
    found = tokens(text, unit) if text else []
    return {polynomial(found[i : i + size]) for i in range(max(len(found) - size, 0) + 1)} if found else set()


def definition(text: str, values: int, size: int, unit: str) -> list[int]:
    """Fast Similarity Sketching as the paper writes it: each set, each round, each element."""
    best: list[tuple[int, int] | None] = [None] * values
    for turn in range(2 * values):
        for shingle in shingle_set(text, size, unit):
            hashed = mix(shingle ^ mix((turn + 1) * FACTOR & MASK))
            bucket = (hashed >> 32) * values >> 32 if turn < values else turn - values
            offer = (turn, hashed & 0xFFFFFFFF)
            best[bucket] = min(best[bucket] or offer, offer)
        if None not in best:
            break
    return [int(EMPTY) if value is None else min(value[1], int(EMPTY) - 1) for value in best]


UNITS: list[Unit] = ["characters", "words"]


@settings(max_examples=80, deadline=None)
@given(st.text("abc é漢", max_size=40), st.sampled_from([16, 20]), st.sampled_from([2, 8]), st.sampled_from(UNITS))
def test_equals_its_definition(text: str, values: int, size: int, unit: Unit) -> None:
    text = " ".join(text.split())
    rows = column([text, f"{text} {'a' * 30} d", text])
    sketches = cpu.sketch(rows, values=values, shingle=size, unit=unit)
    for sketch, row in zip(sketches, rows.to_pylist(), strict=True):
        assert sketch.tolist() == definition(row, values, size, unit)
    hashes, bounds = cpu.shingles(rows, shingle=size, unit=unit)
    assert hashes[bounds[2] :].tolist() == sorted(shingle_set(text, size, unit))
    assert hashes[: bounds[1]].tolist() == sorted(shingle_set(text, size, unit))


@pytest.mark.parametrize("words", [1, 3, TABLE // 2, TABLE])
def test_repeated_words_change_nothing(words: int) -> None:
    """With a table that suffices and without, and beyond ASCII."""
    once = " ".join(f"wörd{number}" for number in range(words))
    many = " ".join([once] * (20_000 // words + 2))
    whole = " ".join([once, *(once.split() * 5)[:4]])
    assert np.array_equal(*cpu.sketch(column([many, whole]), unit="words"))
    assert np.array_equal(*cpu.sketch(column([many, whole]), unit="characters")) or words == 1


def test_a_character_is_a_code_point_and_a_word_what_is_between_spaces() -> None:
    def similar(a: str, b: str, unit: Unit) -> float:
        hashes, bounds = cpu.shingles(column([a, b]), shingle=2, unit=unit)
        one, other = set(hashes[: bounds[1]].tolist()), set(hashes[bounds[1] :].tolist())
        return len(one & other) / len(one | other)

    assert similar("你好世界", "你好世人", "characters") == 2 / 4
    assert similar("мир дом", "пир дом", "characters") == 5 / 7
    assert similar("a b c d", "x b c d", "words") == 2 / 4
    assert similar("你好世界", "你好世人", "words") == 0  # no spaces: one word, and so one shingle


@pytest.mark.parametrize("different", [1, 2, 500, TABLE // 2 - 1, TABLE // 2, TABLE // 2 + 1, 3 * TABLE])
def test_repetition_changes_nothing(different: int) -> None:
    """A table that suffices, one that just does or does not, and none: the same values as of the text itself."""
    rng = random.Random(different)
    once = "".join(rng.choices("abcdefghijklmnop", k=different))
    many = once * (20_000 // different + 2)
    whole = once + (once * 8)[:7]  # the same shingles, each once
    sketches = cpu.sketch(column([many, whole]), values=112, shingle=8)
    assert np.array_equal(*sketches)


@pytest.mark.parametrize("unit", [CHARACTERS, WORDS])
@pytest.mark.parametrize(
    "text", ["a rose is a rose is a rose", "une rose trémière " * 9, "".join(map(chr, range(33, 127)))]
)
def test_the_sizes_of_the_scratch_change_nothing(text: str, unit: int) -> None:
    """A table that holds all shingles, the different ones or too few; all hashed at once, some at a time, or each."""
    row = np.frombuffer(text.encode(), np.uint8)
    sketches = []
    for slots, mixed in product((2, 4, 64, TABLE), (1, 2, 20, MIXED)):
        scratch = [np.empty(size, np.uint64) for size in (3 + SCRATCH, slots, mixed, 112)]
        sketches.append(np.empty(112, np.uint32))
        sketch_row(row, 0, len(row), unit, 3, *scratch, sketches[-1])
    assert len(np.unique(sketches, axis=0)) == 1


def test_two_million_times_one_letter_take_little_more_than_a_text() -> None:
    def seconds(text: str) -> float:
        rows = column([text])
        begin = time.process_time()
        cpu.sketch(rows)
        return time.process_time() - begin

    rng = random.Random(0)
    prose = "".join(rng.choices("abcdefgh ", k=2_000_000))
    ratio = min(seconds("a" * 2_000_000) for _ in range(3)) / min(seconds(prose) for _ in range(3))
    assert ratio < 20, "a round for each value would take 224 times as long"


def test_error_on_real_texts() -> None:
    """RMSE against the true similarity, over pairs of real modules and edited copies; theory: ≤ sqrt(.25 / 112)."""
    rng = random.Random(0)
    pairs = []
    for module in (json, inspect, random, statistics, textwrap):
        text = cpu.normalise(column([inspect.getsource(module)])).to_pylist()[0]
        words = text.split(" ")
        for share in (0.0, 0.002, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4):
            begin = rng.randrange(max(len(words) - 600, 1))
            piece = words[begin : begin + 600]
            edited = [rng.choice(words) if rng.random() < share else word for word in piece]
            pairs.append((" ".join(piece), " ".join(edited)))
            pairs.append((text[:4000], text[int(4000 * share) : int(4000 * (1 + share))]))
    true = np.array([jaccard(a, b) for a, b in pairs])
    assert true.min() < 0.3
    assert true.max() == 1.0
    error = estimates(pairs) - true
    assert np.sqrt(np.mean(error**2)) <= 0.05
    assert np.all(error[true == 1.0] == 0)


@pytest.mark.parametrize("length", [9, 12, 20, 60])
def test_short_texts_are_unbiased(length: int) -> None:
    """2 to 53 shingles in 112 buckets: the mean error is within four of its own standard deviations of 0."""
    rng = random.Random(length)
    pairs = []
    for _ in range(800):
        text = "".join(rng.choices("abcdefghij", k=length))
        edit = rng.randrange(length)
        pairs.append((text, text[:edit] + "x" + text[edit + 1 :] if rng.random() < 0.5 else text[: length - 1]))
    true = np.array([jaccard(a, b) for a, b in pairs])
    error = estimates(pairs) - true
    deviation = np.sqrt(np.mean(true * (1 - true)) / 112 / len(pairs))
    assert abs(error.mean()) <= 4 * deviation
    assert np.sqrt(np.mean(error**2)) <= 0.05


def test_a_text_shorter_than_a_shingle_is_one_shingle() -> None:
    pairs = [("abc", "abc"), ("abc", "abd"), ("a", "ab"), ("abc", "")]
    assert estimates(pairs).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_the_sketch_of_no_text_is_declared() -> None:
    sketches = cpu.sketch(column(["", "a", "abcdefgh" * 9]))
    assert sketches.dtype == np.uint32
    assert sketches.shape == (3, 128)
    assert np.all(sketches[0] == EMPTY)
    assert np.all(sketches[1:] != EMPTY)


def test_only_the_set_of_shingles_counts() -> None:
    once, thrice = cpu.sketch(column(["abcdefgh" * 3, "abcdefgh" * 5]), shingle=8)
    assert np.array_equal(once, thrice)


def test_similarity_refuses_sketches_of_two_sizes() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        cpu.similarity(np.zeros((2, 16), np.uint32), np.zeros((2, 112), np.uint32))
