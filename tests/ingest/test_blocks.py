from __future__ import annotations

import pickle
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Source
from pipeline.ingest import Block, Survey, plan_parts

SOURCE = Source(name="s", kind="text", format="text", path="x/*.jsonl")


def block(number: int, size: int) -> Block:
    return Block(source=SOURCE, shard=f"{number}", location="x", offset=0, length=size, first_row=0, bytes=size)


@given(st.lists(st.lists(st.integers(0, 50), max_size=12), max_size=4), st.integers(1, 60))
def test_parts_are_the_blocks_in_their_order_and_hold_at_most_part_bytes(sizes: list[list[int]], limit: int) -> None:
    surveys = [
        Survey(blocks=tuple(block(100 * n + m, size) for m, size in enumerate(row)), fingerprint="")
        for n, row in enumerate(sizes)
    ]
    parts = plan_parts(surveys, limit)
    assert [b for part in parts for b in part] == [b for survey in surveys for b in survey.blocks]
    for part in parts:
        assert part
        assert len(part) == 1 or sum(b.bytes for b in part) <= limit
    for one, two in pairwise(parts):  # no part could have taken the next block too
        assert sum(b.bytes for b in one) + two[0].bytes > limit


def test_blocks_travel_to_workers() -> None:
    assert pickle.loads(pickle.dumps(block(1, 2))) == block(1, 2)
