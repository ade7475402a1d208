"""Two agents on one host stand for two machines: they train as one, and neither outlives the other."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch

from pipeline.config import Launch, Train
from pipeline.train.launcher import launch
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup

from .conftest import TINY_LLAMA, MakeRun, assert_isclose


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_ranks_are_numbered_by_machine(tmp_path: Path) -> None:
    port = free_port()
    found: dict[int, list[str]] = {0: [], 1: []}

    def node(number: int) -> None:
        launch(
            "tests.train.rank",
            ["print"],
            nproc=2,
            grace=1,
            log=tmp_path / f"{number}.log",
            on_line=found[number].append,
            nodes=Launch(nproc=2, nodes=2, node_rank=number, rdzv_endpoint=f"127.0.0.1:{port}"),
        )

    threads = [threading.Thread(target=node, args=(number,)) for number in (1, 0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {"rank 0 threads 1", "rank 1 threads 1"} <= set(found[0])
    assert {"rank 2 threads 1", "rank 3 threads 1"} <= set(found[1])


def test_a_machine_that_dies_ends_the_other_and_the_checkpoint_is_good(make_run: MakeRun) -> None:
    settings = {"steps": 400, "checkpoint_every": 3}
    run, recipe = make_run(**settings)
    port = free_port()
    command = [sys.executable, "-m", "tests.train.drive", str(run.root), str(port)]
    nodes = [
        subprocess.Popen([*command, str(number)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for number in (0, 1)
    ]
    deadline = time.monotonic() + 300
    while not list(run.path("checkpoints").glob("step-*/state.json")):
        assert time.monotonic() < deadline
        assert [node.poll() for node in nodes] == [None, None], nodes[0].communicate()
        time.sleep(0.1)
    family = [child for node in nodes for child in psutil.Process(node.pid).children(recursive=True)]
    assert len(family) == 4  # an agent and a rank on each
    nodes[1].kill()
    nodes[1].communicate()
    _, told = nodes[0].communicate(timeout=120)
    assert nodes[0].returncode == 1, told
    assert "Traceback" not in told
    assert "run the same command again" in told
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    # Its first loss is one rank's, and one rank goes on from what is there.
    alone, same = make_run(name="alone", **{**settings, "steps": 1})
    setup(alone, same, Ranks(0, 1, torch.device("cpu"))).fit(threading.Event())
    first = [json.loads((one.logs / "train.jsonl").read_text().splitlines()[0]) for one in (run, alone)]
    assert_isclose(first[0]["loss"], first[1]["loss"])
    assert_isclose(first[0]["grad_norm"], first[1]["grad_norm"])
    resumed = setup(run, recipe, Ranks(0, 1, torch.device("cpu")))
    assert resumed.state.step >= 3


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"nodes": 2}, "2 nodes need `rdzv_endpoint`"),
        ({"nodes": 2, "rdzv_endpoint": "here"}, "rdzv_endpoint"),
        ({"nodes": 2, "rdzv_endpoint": "host:1", "node_rank": 2}, "node_rank 2 is not below nodes 2"),
        ({"nodes": 3, "rdzv_endpoint": "host:1"}, r"micro_batch × launch.nproc × launch.nodes = 1 × 3"),
    ],
)
def test_machines_that_cannot_meet_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Train.model_validate({"model": {"config": TINY_LLAMA}, "global_batch": 8, "launch": keys})
