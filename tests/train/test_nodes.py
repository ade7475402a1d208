"""Two agents on one host stand for two machines; `test_train` trains on them to the end."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Launch, Train
from pipeline.errors import StageError
from pipeline.train.cautions import cautions
from pipeline.train.launcher import launch

from .conftest import TINY_LLAMA


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


@pytest.mark.parametrize(
    ("number", "message"),
    [(0, r"1 of 2 machines came to {} within 3 s"), (1, r"no machine with node_rank 0 answered at {} within 3 s")],
)
def test_a_machine_that_does_not_come_is_named(number: int, message: str, tmp_path: Path) -> None:
    endpoint = f"127.0.0.1:{free_port()}"
    nodes = Launch(nodes=2, node_rank=number, rdzv_endpoint=endpoint, rdzv_timeout=3)
    with pytest.raises(StageError, match=message.format(endpoint)) as told:
        launch("tests.train.rank", ["print"], nproc=1, grace=1, log=tmp_path / "log", nodes=nodes)
    assert "node_rank" in told.value.mend


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"nodes": 2}, "2 nodes need `rdzv_endpoint`"),
        ({"nodes": 2, "rdzv_endpoint": "here"}, "'here' is no host:port"),
        ({"nodes": 2, "rdzv_endpoint": "here:"}, "is no host:port"),
        ({"nodes": 2, "rdzv_endpoint": "tcp://here:29500"}, "is no host:port"),
        ({"nodes": 2, "rdzv_endpoint": "here:99999"}, "a port is a number from 1 to 65535"),
        ({"nodes": 2, "rdzv_endpoint": "here:0"}, "a port is a number from 1 to 65535"),
        ({"nodes": 2, "rdzv_endpoint": "fd00::1:29500"}, r"is no host:port, such as .* or \[fd00::1\]:29500"),
        ({"nodes": 2, "rdzv_endpoint": "[fd00::1]"}, "is no host:port"),
        ({"nodes": 2, "rdzv_endpoint": "[fd00:1]:29500"}, "is no host:port"),
        ({"nodes": 2, "rdzv_endpoint": "host:1", "node_rank": 2}, "node_rank 2 is not below nodes 2"),
        ({"nodes": 3, "rdzv_endpoint": "host:1"}, r"micro_batch × launch.nproc × launch.nodes = 1 × 3"),
    ],
)
def test_machines_that_cannot_meet_are_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Train.model_validate({"model": {"config": TINY_LLAMA}, "global_batch": 8, "launch": keys})


@pytest.mark.parametrize("endpoint", ["node-0.cluster:1", "10.0.0.1:29500", "[fd00::1]:65535", "[fe80::1%eth0]:29500"])
def test_machines_meet_at_a_name_or_an_address(endpoint: str) -> None:
    assert Launch(nodes=2, rdzv_endpoint=endpoint).rdzv_endpoint == endpoint


def test_a_port_that_another_program_has_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        endpoint = f"127.0.0.1:{other.getsockname()[1]}"
        nodes = Launch(nodes=2, rdzv_endpoint=endpoint, rdzv_timeout=3)
        with pytest.raises(
            StageError, match=f"port {endpoint[10:]}, of train.launch.rdzv_endpoint: .*is taken"
        ) as told:
            launch("tests.train.rank", ["print"], nproc=1, grace=1, log=tmp_path / "log", nodes=nodes)
    assert "another port" in told.value.mend


def test_keys_of_a_meeting_that_does_not_take_place_are_told() -> None:
    """And not refused: a job of SLURM gives them whatever its number of machines."""
    train: dict[str, Any] = {"model": {"config": TINY_LLAMA}, "launch": {"rdzv_endpoint": "host:1"}}
    (caution,) = cautions(Train.model_validate(train))
    assert "no effect with train.launch.nodes: 1" in caution
    assert not cautions(Train.model_validate({**train, "global_batch": 8, "launch": {"nodes": 2, **train["launch"]}}))
    assert not cautions(Train.model_validate({"model": {"config": TINY_LLAMA}}))
