"""`verify: exact`: what decides is the exact similarity of the shingle sets, and the ledger holds it."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.curate.dedup import exact
from pipeline.curate.dedup.exact import bits, similarity
from pipeline.curate.dedup.work import save
from pipeline.engines import engine_for
from tests.curate.test_curate import NO_RULES, WORDS, Curation, edited, prose
from tests.text.columns import column


def jaccard(a: str, b: str, **shingle: Any) -> float:
    engine = engine_for("cpu")
    hashes, bounds = engine.shingles(engine.normalise(column([a, b])), **shingle)
    one, other = set(hashes[: bounds[1]].tolist()), set(hashes[bounds[1] :].tolist())
    return len(one & other) / len(one | other)


def rows_near_the_threshold() -> list[str]:
    """Rows with copies of every similarity about 0.8."""
    draw, rows = random.Random(2), []
    for seed in range(60):
        words = prose(seed, words=90).split()
        rows.append(" ".join(words))
        for _ in range(draw.randrange(3, 9)):
            words[draw.randrange(len(words))] = draw.choice(WORDS)
        rows.append(" ".join(words) + " x")
    return rows


@pytest.mark.parametrize("shingle", [{"characters": 5}, {"words": 2}])
def test_the_threshold_holds_exactly(run_curation: Curation, shingle: dict[str, int]) -> None:
    rows = rows_near_the_threshold()
    [(unit, width)] = shingle.items()
    threshold = 0.85 if unit == "characters" else 0.8
    fuzzy = {"shingle": shingle, "threshold": threshold, "verify": "exact"}
    options = {"curate": {"dedup": {"fuzzy": fuzzy}, **NO_RULES}}
    done = run_curation([{"text": text} for text in rows], file="data", **options)
    lines = {int(line["id"].split("#")[1]): line for line in done.ledger.to_pylist()}
    for row, line in lines.items():
        instead = int(line["evidence"].split("#")[1])
        assert line["value"] == jaccard(rows[row], rows[instead], shingle=width, unit=unit) >= threshold
    similar = [jaccard(rows[k], rows[k + 1], shingle=width, unit=unit) for k in range(0, len(rows), 2)]
    expected = sum(value >= threshold for value in similar)
    assert 10 < expected < 50
    assert len(lines) == expected, "no pair is lost, and none is removed for an estimate"
    many = run_curation(
        [{"text": text} for text in rows], name="many", file="data", ingest={"part_bytes": 8192}, **options
    )
    assert len(list((many.root / "keys").glob("part-*"))) > 5
    assert many.decisions() == done.decisions()


def test_with_an_index_pairs_with_its_rows_are_decided_by_the_sketch(run_curation: Curation, tmp_path: Path) -> None:
    dedup = {"fuzzy": {"verify": "exact"}, "index": str(tmp_path / "index")}
    options = {"curate": {"dedup": dedup, **NO_RULES}}
    run_curation([{"text": prose(seed)} for seed in range(5)], name="first", file="a", **options)
    rows = [edited(prose(1), 1), prose(9), edited(prose(9), 2)[:-40], prose(2)]
    done = run_curation([{"text": text} for text in rows], name="second", file="b", **options)
    lines = {line["id"][-1]: line for line in done.ledger.to_pylist()}
    assert set(lines) == {"0", "2", "3"}
    assert lines["0"]["evidence"] == "s/a.jsonl#1"
    assert (lines["0"]["value"] * 128).is_integer(), "an estimate of 128 values"
    assert lines["2"]["value"] == jaccard(rows[1], rows[2])
    assert lines["3"]["stage"] == "exact"


def test_shared_text_is_left_out_of_the_sets_too(run_curation: Curation) -> None:
    template = prose(77, words=150)
    rows = [f"{template} {prose(seed, words=40)} {template[:300]}" for seed in range(30)]
    rows.append(rows[0][:-300].replace(" ka ", " ko ") + rows[0][-300:])
    rows += [f"{template} {edited(prose(1, words=40), 1, edits=1)} {template[:300]}"]
    fuzzy = {"ignore_shared": 0.5, "verify": "exact"}
    done = run_curation([{"text": text} for text in rows], curate={"dedup": {"fuzzy": fuzzy}, **NO_RULES})
    line = next(
        line for line in done.ledger.to_pylist() if line["id"].endswith("#31") or line["evidence"].endswith("#31")
    )
    alone = jaccard(prose(1, words=40), edited(prose(1, words=40), 1, edits=1))
    assert abs(line["value"] - alone) < 0.05 < jaccard(rows[1], rows[31]) - alone + 0.05


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sets(st.integers(0, 30)), min_size=2, max_size=8), st.data(), st.integers(1, 40))
def test_similarities_of_pairs_are_those_of_their_sets(sets: list[set[int]], data: st.DataObject, hashes: int) -> None:
    """However the sets lie in files, and however many are in memory at once."""
    file = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(sets), max_size=len(sets))))
    place = np.array([int((file[:k] == file[k]).sum()) for k in range(len(sets))])
    number = st.integers(0, len(sets) - 1)
    pairs = np.array(data.draw(st.lists(st.tuples(number, number), min_size=1, max_size=12))).T
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_HASHES", hashes)
        paths, bounds = [], []
        for source in range(3):
            mine = [sorted(sets[k]) for k in range(len(sets)) if file[k] == source]
            paths.append(Path(folder) / f"sets-{source}")
            save(paths[-1].with_suffix(".npy"), np.array([name for names in mine for name in names], np.uint64))
            bounds.append(np.cumsum([0, *map(len, mine)]))
        found = exact._exact(pairs, file, place, bounds, paths)
    expected = [len(sets[a] & sets[b]) / max(1, len(sets[a] | sets[b])) for a, b in pairs.T]
    assert found.tolist() == expected


@given(st.floats(0, 1), st.floats(0, 1))
def test_bits_have_the_order_of_the_numbers(a: float, b: float) -> None:
    one, other = bits(np.array([a, b]))
    assert (one < other) == (a < b)
    assert similarity(np.array([one, other])).tolist() == [a, b]
