"""Which rows are found, against the rule in plain Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.curate.decontaminate.index import HALVES, NgramIndex, Texts, build_index, halves_of, ngrams_of
from pipeline.curate.decontaminate.matches import find_in, matches_of
from pipeline.engines import cpu
from pipeline.schema import MESSAGES
from tests.curate.decontaminate.naive import hits_of, text_ngrams

ROLES = {"text": "text", "prompt": "user", "answer": "assistant"}
CONTENT = st.lists(st.sampled_from(["a", "b", "c", "É", "d,", "株", "x-y"]), max_size=9).map(" ".join)
ROWS = st.lists(st.lists(st.tuples(st.sampled_from(HALVES), CONTENT), min_size=1, max_size=3), max_size=4)


def index_of(rows: list[list[tuple[str, str]]], ngram: int, shortest: int, common: int) -> NgramIndex:
    contents = pa.array([text for row in rows for _, text in row], pa.large_string())
    of = np.repeat(np.arange(len(rows)), [len(row) for row in rows]).astype(np.int64)
    halves = halves_of(pa.array([ROLES[half] for row in rows for half, _ in row], pa.string()))
    texts = Texts(ids=pa.array([f"e#{k}" for k in range(len(rows))], pa.string()), rows=of, halves=halves)
    return build_index(ngrams_of(contents, ngram, shortest, cpu), texts, common, cpu)


def messages_of(rows: list[list[tuple[str, str]]]) -> pa.ListArray:
    return pa.array(
        [[{"role": ROLES[half], "content": text, "extra": None} for half, text in row] for row in rows], MESSAGES
    )


@settings(deadline=None, max_examples=150)
@given(ROWS, ROWS, st.integers(2, 4), st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_the_rule(
    rows: list[list[tuple[str, str]]],
    evaluation: list[list[tuple[str, str]]],
    ngram: int,
    shortest: int,
    common: int,
    share: float,
) -> None:
    shortest = min(shortest, ngram)
    index = index_of(evaluation, ngram, shortest, common)
    found, of = find_in(messages_of(rows), index, cpu)
    matches = matches_of(of, index.grams[found.slots], index, share)
    ids = index.texts.ids.take(pa.array(index.texts.rows[matches.texts])).to_pylist()
    got: dict[int, dict[str, tuple[str, float]]] = {}
    for row, half, name, part in zip(matches.rows, matches.halves, ids, matches.shares, strict=True):
        got.setdefault(int(row), {})[HALVES[half]] = (name, float(part))
    by_id = {f"e#{k}": row for k, row in enumerate(evaluation)}
    rule = {"ngram": ngram, "shortest": shortest, "common": common, "share": share}
    expected = {k: hits_of([text for _, text in row], by_id, **rule) for k, row in enumerate(rows)}  # type: ignore[arg-type]
    assert got == {k: hits for k, hits in expected.items() if hits}


def test_short_texts_are_looked_for_as_a_whole_down_to_the_bound() -> None:
    text = "one two three four five six seven eight"
    rows = [[("text", f"{text} nine")], [("text", "two three four five six seven eight nine")]]
    for evaluation, hits in ((text, [0]), (" ".join(text.split()[:7]), [])):
        index = index_of([[("prompt", evaluation)]], 13, 8, 10)
        _, of = find_in(messages_of(rows), index, cpu)
        assert sorted(set(of.tolist())) == hits
    assert text_ngrams(text, 13, 8) == {tuple(text.split())}


def test_an_index_is_what_was_saved(tmp_path: Path) -> None:
    index = index_of([[("prompt", "a b c d"), ("answer", "b c d e")], [("text", "a b c")]], 3, 2, 10)
    folder = tmp_path / "index"
    index.save(folder)
    again = NgramIndex.load(folder)
    rows = messages_of([[("text", "x a b c d e y")]])
    for one in (index, again):
        found, of = find_in(rows, one, cpu)
        matches = matches_of(of, one.grams[found.slots], one, 0.0)
        assert [HALVES[half] for half in matches.halves] == ["text", "prompt", "answer"]
        assert one.texts.ids.to_pylist() == ["e#0", "e#1"]
