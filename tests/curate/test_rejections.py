"""Too many malformed rows stop pass one as soon as that is certain, and never before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Recipe, Source
from pipeline.curate.rejections import Rejections
from pipeline.errors import InputError
from pipeline.ingest import Block
from pipeline.run import PartRecord, RunDirectory
from tests.curate.conftest import MODEL, Curated
from tests.curate.test_curate import prose

SOURCE = {"name": "s", "kind": "text", "format": "text", "path": "x.jsonl"}
TARGET = {"name": "s", "kind": "text", "target": "a:b"}


def block(lines: int | None, *, source: dict[str, Any] = SOURCE, size: int = 100) -> Block:
    return Block(
        source=Source.model_validate(source),
        shard="x",
        location="x",
        offset=0,
        length=-1,
        first_row=0,
        bytes=size,
        lines=lines,
    )


def record(number: int, rows: int, rejected: int) -> PartRecord:
    counts = {"rows": {"in": rows, "rejected": rejected}, "bytes_in": rows * 10}
    return PartRecord(part=f"part-{number:05d}", files=(), counts=counts)


def recipe(root: Path, share: float) -> Recipe:
    return Recipe.model_validate(
        {
            "run": str(root),
            "sources": [SOURCE],
            "ingest": {"max_rejected": share},
            "train": {"model": {"config": MODEL}},
        }
    )


@given(
    st.lists(st.integers(0, 20).flatmap(lambda rows: st.tuples(st.just(rows), st.integers(0, rows))), min_size=1),
    st.floats(0, 1),
    st.randoms(use_true_random=False),
)
def test_a_run_is_stopped_if_and_only_if_it_would_fail_at_its_end(
    parts: list[tuple[int, int]], share: float, order: Any
) -> None:
    run = RunDirectory(Path("nowhere"))
    judge = Rejections(run, recipe(run.root, share), [[block(rows)] for rows, _ in parts])
    records = [record(number, rows, rejected) for number, (rows, rejected) in enumerate(parts)]
    order.shuffle(records)
    total, rejected = (sum(part[at] for part in parts) for at in (0, 1))
    stopped = None
    for place, one in enumerate(records):
        try:
            judge.add([one])
        except InputError:
            stopped = place
            break
    assert (stopped is not None) == (rejected > share * total)
    if stopped is not None:
        known = sum(one.counts["rows"]["rejected"] for one in records[: stopped + 1])
        assert known > share * total, "certain from the parts that were done"
        before = sum(one.counts["rows"]["rejected"] for one in records[:stopped])
        assert before <= share * total, "and not certain before"


def test_what_may_still_come_is_allowed_for() -> None:
    run = RunDirectory(Path("nowhere"))
    small = recipe(run.root, 0.05)
    # A packed file of 1.8 times the size may hold 18 times the rows; a target may hold any number.
    with pytest.raises(InputError):
        Rejections(run, small, [[block(10)], [block(None, size=180)]]).add([record(0, 10, 10)])
    Rejections(run, small, [[block(10)], [block(None, size=180)]]).add([record(0, 10, 9)])
    Rejections(run, small, [[block(10)], [block(None, source=TARGET, size=0)]]).add([record(0, 10, 10)])


def test_a_hopeless_run_stops_long_before_its_end(run_curation: Callable[..., Curated], tmp_path: Path) -> None:
    rows = [b"{broken", {"text": prose(1)}] * 300
    with pytest.raises(InputError, match="max_rejected"):
        run_curation(rows, ingest={"part_bytes": 8192})
    documents = tmp_path / "run" / "documents"
    assert not (documents / "_manifest.json").exists()
    done = [documents / f"{record.stem}.parquet" for record in (documents / "_parts").glob("*.json")]
    stamps = {path: path.stat().st_mtime_ns for path in done}
    assert 0 < len(done) < 12
    finished = run_curation(rows, ingest={"part_bytes": 8192, "max_rejected": 0.5})
    assert finished.manifest["rows"]["rejected"] == 300
    assert len(list(documents.glob("part-*.parquet"))) > 20
    assert {path: path.stat().st_mtime_ns for path in done} == stamps, "finished parts stay"


def test_few_malformed_rows_at_the_beginning_do_not_stop_a_run(run_curation: Callable[..., Curated]) -> None:
    rows: list[Any] = [b"{broken"] * 4 + [{"text": prose(seed)} for seed in range(40)]
    done = run_curation(rows, ingest={"part_bytes": 4096, "max_rejected": 0.1})
    assert done.manifest["rows"]["rejected"] == 4


def test_the_message_names_the_sources_concerned_and_where_to_give_a_key_its_name(
    run_curation: Callable[..., Curated], tmp_path: Path
) -> None:
    asked, told = tmp_path / "asked.jsonl", tmp_path / "told.jsonl"
    asked.write_text("".join(f'{{"input": "{n}?", "response": "{prose(n)}"}}\n' for n in range(6)))
    told.write_text('{"input": "1?", "output": "1"}\n' * 2 + "{broken\n")
    sources = [
        {"name": name, "kind": "pair", "format": "completion", "path": str(path)}
        for name, path in (("asked", asked), ("told", told))
    ]
    with pytest.raises(InputError) as raised:
        run_curation([{"text": prose(1)}], sources=sources)
    assert raised.value.where == "asked (6), told (1)"
    assert raised.value.what.count("asked.jsonl:") == 2
    assert "told.jsonl:3" in raised.value.what
    assert "`columns`" in (raised.value.mend or "")
