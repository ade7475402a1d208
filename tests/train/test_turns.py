"""Ranks read a model after one another where the machine's memory does not hold it as often as there are ranks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.config import Parallel
from pipeline.train.launcher import launch
from pipeline.train.mesh import reads_together
from pipeline.train.parallel import Ranks


@pytest.mark.parametrize(("room", "most"), [(0, 1), (25, 2), (1000, 3)])
def test_no_more_ranks_at_a_time_than_memory_holds(room: int, most: int, tmp_path: Path) -> None:
    """Four ranks, each of which takes 10; the first is always alone, for nobody knows yet what it takes."""
    log = tmp_path / "turns"
    launch("tests.train.rank", ["turns", str(log), str(room)], nproc=4, grace=5, log=tmp_path / "log")
    lines = log.read_text().splitlines()
    assert lines[:2] == ["0 begins", "0 ends"]
    assert sorted(lines) == sorted(f"{rank} {what}" for rank in range(4) for what in ("begins", "ends"))
    turns = [range(first, min(first + most, 4)) for first in range(1, 4, most)]
    for turn in turns:  # in their order, and none begins before the turn before it has ended
        taken, lines[2:] = lines[2 : 2 + 2 * len(turn)], lines[2 + 2 * len(turn) :]
        assert {int(line.split()[0]) for line in taken} == {*turn}


def test_a_rank_that_is_alone_has_the_first_turn() -> None:
    assert Ranks(0, 1, torch.device("cpu")).in_turns(lambda: ("model", 10), room=lambda: 0) == "model"


@pytest.mark.parametrize(
    ("device", "parallel", "together"),
    [("cpu", {}, True), ("cpu", {"shard": 2}, False), ("cuda", {}, False), ("cuda", {"tensor": 2, "shard": 2}, True)],
)
def test_who_reads_together(device: str, parallel: dict[str, int], together: bool) -> None:
    assert reads_together(Parallel.model_validate(parallel), torch.device(device)) is together
