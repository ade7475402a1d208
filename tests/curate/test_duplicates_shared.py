"""Text that many rows share is left out of the shingles, in every form in which rows share it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.curate.dedup import shared
from pipeline.curate.dedup.work import load
from pipeline.errors import InputError
from pipeline.run import Manifest
from tests.curate.conftest import Curated
from tests.curate.test_curate import NO_RULES, edited, prose

Curation = Callable[..., Curated]


def templated(count: int, *, slots: int = 1, seed: int = 0) -> list[str]:
    """Rows of which one template makes up 90 %, around `slots` places that hold something of the row's own."""
    draw = random.Random(seed)
    template = prose(4242, words=180).split()
    pieces = [
        " ".join(template[k * len(template) // (slots + 1) :][: len(template) // (slots + 1)]) for k in range(slots + 1)
    ]
    rows = []
    for _ in range(count):
        own = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz ", k=110 // slots)) for _ in range(slots)]
        row = pieces[0] + "".join(f" {value} {piece}" for value, piece in zip(own, pieces[1:], strict=True))
        rows.append(row)
    return rows


def curate(**fuzzy: Any) -> dict[str, Any]:
    return {"dedup": {"fuzzy": fuzzy}, **NO_RULES}


@pytest.mark.parametrize("slots", [1, 6])
def test_ten_thousand_rows_of_one_template(run_curation: Curation, slots: int) -> None:
    """Left out, nothing is lost; else the breaker stops the run and says what to set."""
    rows = [{"text": text} for text in templated(10_000, slots=slots)]
    if slots == 1:
        with pytest.raises(InputError, match=r"one cluster of near duplicates has 9\d\d\d different rows") as raised:
            run_curation(rows, name="with", file="data", curate=curate())
        assert "curate.dedup.fuzzy.ignore_shared: 0.5" in raised.value.mend
    done = run_curation(rows, name="without", file="data", curate=curate(ignore_shared=0.5))
    assert len(done.kept) == 10_000
    manifest = Manifest.read(done.root / "duplicates")
    assert manifest is not None
    summary = manifest.summary["shared"]
    assert 0.85 < summary["left_out"] / summary["bytes"] < 0.95


def test_near_copies_are_still_found(run_curation: Curation) -> None:
    """In a template or without one, and also where the rest is short."""
    rows = templated(40)
    rows += [edited(prose(seed), seed) for seed in range(10)] + [prose(seed) for seed in range(10)]
    rows += [row.upper() for row in rows[:5]] + [row.replace(row[600:604], "zzzz") for row in rows[5:8]]
    done = run_curation([{"text": text} for text in rows], curate=curate(ignore_shared=0.4))
    gone = sorted(int(line["id"].split("#")[1]) for line in done.ledger.to_pylist())
    assert len([row for row in gone if 40 <= row < 60]) == 10
    assert len([row for row in gone if row >= 60 or row < 8]) >= 5
    assert not [row for row in gone if 8 <= row < 40]


def test_parts_and_the_order_of_rows_change_nothing(run_curation: Curation) -> None:
    rows = [{"text": text} for text in templated(300)] + [{"text": edited(prose(n // 2), n)} for n in range(60)]
    options = {"curate": curate(ignore_shared=0.3)}
    one = run_curation(rows, name="one", file="data", **options)
    many = run_curation(rows, name="many", file="data", ingest={"part_bytes": 32768}, **options)
    assert len(list((many.root / "documents").glob("part-*"))) > 5
    assert one.decisions() == many.decisions()
    shuffled = run_curation(random.Random(1).sample(rows, len(rows)), name="shuffled", **options)
    assert len(shuffled.kept) == len(one.kept)
    summaries = [Manifest.read(done.root / "duplicates") for done in (one, many, shuffled)]
    left_out = [summary.summary["shared"] for summary in summaries if summary]
    assert left_out[0] == left_out[1] == left_out[2]
    assert left_out[0]["left_out"] > 250_000
    assert 300 < len(one.kept) < 360


def test_the_sample_is_of_the_smallest_digests_whatever_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "ROWS", 30)
    monkeypatch.setattr(shared, "CHARACTERS", 100)
    random_ = np.random.default_rng(0)
    digests = random_.integers(0, 1 << 40, (60, 2))
    digests[50:] = digests[:10]  # copies, of other lengths
    rows = np.stack([*digests.T, random_.integers(1, 9, 60), np.arange(60)])

    def drawn(order: np.ndarray, parts: int) -> set[tuple[int, ...]]:
        pieces = np.array_split(rows[:, order], parts, axis=1)
        for piece in pieces:
            piece[3] = np.arange(piece.shape[1])
        kept = [piece[:, shared._smallest(piece)] for piece in pieces]
        chosen = shared._sample(kept)
        return {
            tuple(digests) for piece, here in zip(pieces, chosen, strict=True) for digests in piece[:2, here].T.tolist()
        }

    one = drawn(np.arange(60), 1)
    assert 10 < len(one) < 30
    assert drawn(random_.permutation(60), 1) == drawn(random_.permutation(60), 7) == one


def test_counts_put_together_are_those_of_all_rows() -> None:
    random_ = np.random.default_rng(1)
    files = []
    total: dict[int, int] = {}
    hashes = random_.integers(0, 2**64, 400, dtype=np.uint64)
    for _ in range(5):
        some = np.sort(random_.choice(hashes, 200, replace=False))
        counts = random_.integers(1, 4, 200).astype(np.uint64)
        files.append(np.stack([some, counts]))
        for name, number in zip(some.tolist(), counts.tolist(), strict=True):
            total[name] = total.get(name, 0) + number
    found = shared._above(files, 7)
    assert found.tolist() == sorted(name for name, number in total.items() if number >= 7)
    assert 10 < len(found) < 400
    assert len(shared._above([], 7)) == 0


def test_rows_that_say_nothing_else_are_alike_in_nothing(run_curation: Curation) -> None:
    rows = [prose(1), prose(1) + "!", prose(1) + "?"] + [f"{prose(1)} {prose(seed, words=30)}" for seed in range(2, 40)]
    done = run_curation([{"text": text} for text in rows], curate=curate(ignore_shared=0.5))
    assert len(done.kept) == len(rows)


def test_few_rows_are_no_majority(run_curation: Curation) -> None:
    rows = [{"text": prose(1)}, {"text": edited(prose(1), 5)}, {"text": edited(prose(1), 6)}]
    assert len(run_curation(rows, curate=curate(ignore_shared=0.5)).kept) == 1


def test_later_batches_leave_out_what_the_first_did(run_curation: Curation, tmp_path: Path) -> None:
    dedup = {"fuzzy": {"ignore_shared": 0.5}, "index": str(tmp_path / "index")}
    options = {"curate": {"dedup": dedup, **NO_RULES}}
    rows = [{"text": text} for text in templated(60)]
    first = run_curation(rows[:40], name="first", file="a", **options)
    assert len(first.kept) == 40
    # Alone these are too few to find the template; three are near copies of rows of the first batch.
    near = [{"text": row["text"].replace(row["text"][640:644], "zzzz")} for row in rows[:3]]
    second = run_curation([*rows[40:45], *near], name="second", file="b", **options)
    assert len(second.kept) == 5
    assert {line["evidence"].split("/")[1].split(".")[0] for line in second.ledger.to_pylist()} == {"a"}
    (file,) = (tmp_path / "index").glob("shared-*.npy")
    assert len(load(file)) > 100
    # An index that is put back as it was before a run gets the same batch again.
    manifest = (tmp_path / "index/_index.json").read_bytes()
    for name in ("first", "second"):
        before = sorted((path, path.read_bytes()) for path in (tmp_path / "index").rglob("*") if path.is_file())
        (tmp_path / "index/_index.json").unlink()
        run_curation(rows[:40], name="first", file="a", **options)
        run_curation([*rows[40:45], *near], name="second", file="b", **options)
        assert (tmp_path / "index/_index.json").read_bytes() == manifest, name
        assert sorted((path, path.read_bytes()) for path in (tmp_path / "index").rglob("*") if path.is_file()) == before
    file.unlink()
    with pytest.raises(InputError, match="missing or damaged"):
        run_curation(rows[50:], name="third", file="c", **options)


def test_a_row_is_read_slice_by_slice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_curation: Curation) -> None:
    from pipeline.curate.dedup.texts import read_texts
    from pipeline.engines import engine_for

    done = run_curation([{"text": prose(seed)} for seed in range(50)], curate={"dedup": {"fuzzy": None}})
    path, rows = done.root / "documents/part-00000.parquet", np.array([0, 3, 4, 5, 20, 49])
    pieces = list(read_texts(path, rows, "row", engine_for("cpu"), slice_bytes=1500))
    assert len(pieces) > 2
    assert np.concatenate([np.arange(6)[here] for here, _ in pieces]).tolist() == list(range(6))
    assert pa.concat_arrays([texts for _, texts in pieces]).to_pylist() == [prose(row) for row in rows.tolist()]
