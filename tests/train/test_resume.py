"""Whatever ends a run: its last checkpoint is whole, nobody is left, and any number of ranks goes on with its bins."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
import yaml

from pipeline.config import Recipe
from pipeline.errors import MachineError, StageError
from pipeline.pack.bins import Bins
from pipeline.pack.costs import attention_cost
from pipeline.pack.epochs import EpochBins
from pipeline.run import RunDirectory
from pipeline.train import checkpoint
from pipeline.train.launcher import launch
from pipeline.train.order import Order
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup
from tests.processes import command, left

from .conftest import MakeRun
from .traced import trace

ALONE = Ranks(0, 1, torch.device("cpu"))
STEPS = 24


def test_killed_at_random_and_resumed_on_2_4_2_and_1_ranks_it_takes_the_bins_of_an_unbroken_run(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run, recipe = make_run(steps=STEPS, checkpoint_every=2, launch={"nproc": 2})
    draw = random.Random()
    kills = sorted(draw.sample(range(3, STEPS - 6), 2))
    print("killed after steps", kills)
    trace_file = tmp_path / "trace"

    def attempt(ranks: int, *more: str, kill: tuple[int, str] | None = None, **train: Any) -> str:
        change(run, launch={"nproc": ranks}, **train)
        family: set[psutil.Process] = set()

        def watch(line: str) -> None:
            if kill is None or family or not line.startswith("step ") or int(line.split()[1].split("/")[0]) < kill[0]:
                return  # once; lines that were written before come still
            agent = next(one for one in psutil.Process().children() if "pipeline.train.agent" in command(one))
            family.update([agent, *agent.children(recursive=True)])
            victim = agent if kill[1] == "agent" else agent.children()[-1]
            victim.kill()

        with pytest.raises(StageError) as caught:
            launch(
                "tests.train.traced",
                [str(run.root), str(trace_file), *more],
                nproc=ranks,
                grace=5,
                log=tmp_path / "log",
                on_line=watch,
            )
        assert left(list(family), within=20) == []
        assert checkpoint.newest(run.path("checkpoints")) is not None
        return str(caught.value)

    assert "torchrun ended with exit code -9" in attempt(2, kill=(kills[0], "agent"))
    # Four ranks, which hold the weights in shards.
    assert "SIGKILL" in attempt(4, kill=(kills[1], "rank"), parallel={"shard": 2})
    newest = checkpoint.newest(run.path("checkpoints"))
    assert newest is not None
    last = int(newest.name[5:]) + 2
    message = attempt(2, str(last), parallel={"shard": 1})
    assert "can't allocate memory" in message
    assert "lower train.micro_batch" in message
    # It came while the checkpoint of the step before was being written.
    assert [path.name for path in run.path("checkpoints").iterdir() if path.name > newest.name] == [f"step-{last:08d}"]
    trace(*change(run, launch={"nproc": 1}), ALONE, trace_file)

    taken: dict[int, Counter[str]] = {}
    lines = [json.loads(line) for line in trace_file.read_text().splitlines()]
    assert {step for step, _ in lines} == set(range(STEPS))
    for step, wanted in expected(run, recipe).items():
        taken[step] = Counter(row for at, rows in lines if at == step for row in rows)
        # A step that was under way is taken again, by all ranks; by some of them, where they were killed in it.
        assert taken[step].keys() == wanted.keys()
    final = [Counter(rows) for step, rows in lines if step == STEPS - 1]
    assert final == [expected(run, recipe)[STEPS - 1]]


def expected(run: RunDirectory, recipe: Recipe) -> dict[int, Counter[str]]:
    """Step → rows, from the bins alone."""
    bins = Bins.open(run.path("packed/train"))
    first, lengths = bins.places()
    order = Order(attention_cost(lengths, first), seed=recipe.seed, global_batch=recipe.training.global_batch)
    epochs = EpochBins(bins, seed=recipe.seed)
    return {
        step: Counter(row for epoch, number in order.step(step) for row in epochs.get(number, epoch).rows)
        for step in range(STEPS)
    }


def change(run: RunDirectory, **train: Any) -> tuple[RunDirectory, Recipe]:
    """The same run with other keys of `train`, as a user would write them."""
    path = run.root / "recipe.yaml"
    value = yaml.safe_load(path.read_text())
    value["train"] |= train
    path.write_text(yaml.safe_dump(value))
    return RunDirectory.existing(str(run.root))


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    """A disk with room for two checkpoints and a half."""
    mount = tmp_path / "disk"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_disk_that_fills_up_under_two_ranks_leaves_the_last_whole_checkpoint(
    make_run: MakeRun, small_disk: Path, tmp_path: Path
) -> None:
    """Each rank writes its shards; the disk is full for one of them first."""
    run, _ = make_run(steps=8, checkpoint_every=1, keep_last=2, launch={"nproc": 2}, parallel={"shard": 2})
    shutil.rmtree(run.path("checkpoints"), ignore_errors=True)
    run.path("checkpoints").symlink_to(small_disk)
    log, others = tmp_path / "log", set(psutil.Process().children())
    with pytest.raises(MachineError, match="the disk is full"):
        launch("tests.train.traced", [str(run.root), str(tmp_path / "trace")], nproc=2, grace=5, log=log)
    assert set(psutil.Process().children()) <= others
    newest = checkpoint.newest(run.path("checkpoints"))
    assert newest is not None
    assert [path.name for path in small_disk.iterdir() if not path.name.startswith("step-")] == []
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    training = setup(*change(run, launch={"nproc": 1}, parallel={"shard": 1}), ALONE)
    assert training.state.step == int(newest.name[5:])
    assert training.fit(threading.Event())
    assert np.isfinite(training.state.last_loss or np.nan)
