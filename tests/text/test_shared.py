"""Windows are counted once a row, and what lies in shared ones is left out, character by character."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from tests.text.columns import column

WIDTH = 4
TEXTS = st.lists(st.text("ab é漢", max_size=20).map(lambda text: " ".join(text.split())), max_size=6)


def windows(text: str) -> set[bytes]:
    data = text.encode()
    return {data[i : i + WIDTH] for i in range(len(data) - WIDTH + 1)}


def without(text: str, shared: set[bytes]) -> str:
    """By definition: a character goes if a shared window holds all of it."""
    data = text.encode()
    left, at = "", 0
    for character in text:
        size = len(character.encode())
        whole = any(
            data[i : i + WIDTH] in shared and i <= at and at + size <= i + WIDTH
            for i in range(max(0, at - WIDTH), at + 1)
        )
        left += " " if whole else character
        at += size
    return " ".join(left.split())


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(1, 4))
def test_equals_its_definition(texts: list[str], least: int) -> None:
    hashes, counts = cpu.tally_windows(column(texts), width=WIDTH)
    every = sorted(set().union(*map(windows, texts))) if texts else []
    expected = {window: sum(window in windows(text) for text in texts) for window in every}
    assert sorted(counts.tolist()) == sorted(expected.values())
    assert (np.diff(hashes.astype(object)) > 0).all()
    shared = {window for window, count in expected.items() if count >= least}
    cut = cpu.cut_shared(column(texts), hashes[counts >= least], width=WIDTH)
    assert cut.to_pylist() == [without(text, shared) for text in texts]


def test_what_is_left_of_a_template_is_what_was_put_into_it() -> None:
    names = ["ann", "böb", "cαrl", "d", "эгг"]
    texts = [f"this is a template with a slot for {name} and one more, {name * 2}, further on" for name in names]
    hashes, counts = cpu.tally_windows(column([*texts, texts[0]]), width=8)
    cut = cpu.cut_shared(column([*texts, "something else"]), hashes[counts > 3], width=8).to_pylist()
    assert cut == [*(f"{name} {name * 2}" for name in names), "something else"]


def test_nothing_shared_changes_nothing() -> None:
    texts = ["a b c d e f g", "", "漢字 漢字"]
    assert cpu.cut_shared(column(texts), np.zeros(0, np.uint64), width=WIDTH).to_pylist() == texts
