"""A training that is stopped, however it is: nobody is left, a checkpoint is, and the next run goes on from there."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from tests.conftest import ROOT, TINY, FinishedRun, run_command
from tests.flows.site import PrefectSite
from tests.processes import alive, children, command, left, variable

pytestmark = pytest.mark.timeout(1800)

SECRET = "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"
GONE_WITHIN = 60
"""Seconds: Prefect kills the flow process 30 s after it has asked it to stop, and a killed one has saved nothing."""


class Training:
    """A flow run of `train/local` that would take for ever, and what it has left in the run directory."""

    def __init__(self, site: PrefectSite, root: Path) -> None:
        self.site = site
        self.root = root
        self.overrides = [f"run={root}", "train.steps=1000000", "train.checkpoint_every=1000000"]
        self.run: dict[str, Any] = {}

    def begin(self) -> None:
        env = {"PREFECT_LOGGING_EXTRA_LOGGERS": "pipeline", "HF_TOKEN": "{{ prefect.blocks.secret.hf-token }}"}
        self.run = self.site.begin("train/local", str(TINY), self.overrides, env=env)

    def steps(self) -> list[int]:
        journal = self.root / "logs" / "train.jsonl"
        lines = journal.read_text().splitlines() if journal.exists() else []
        return [json.loads(line)["step"] for line in lines if line.endswith("}")]

    def checkpoints(self) -> list[int]:
        return sorted(int(path.name.removeprefix("step-")) for path in self.root.glob("checkpoints/step-*"))

    def wait_for_steps(self, after: int) -> None:
        """Return once steps beyond `after` are done."""
        deadline = time.monotonic() + 500
        while max(self.steps(), default=0) < after + 3:
            assert time.monotonic() < deadline, self.site.log("worker")
            assert self.site.state(self.run)["type"] not in ("FAILED", "CRASHED"), self.site.messages(self.run)
            time.sleep(0.5)


@pytest.fixture(scope="module")
def training(site: PrefectSite, tiny_run: FinishedRun, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """Rows packed for it, those of the finished run; and a secret that Prefect keeps."""
    kind = site.api("block_types/slug/secret")["id"]
    schema = site.api("block_schemas/filter", {"block_schemas": {"block_type_id": {"any_": [kind]}}})[0]["id"]
    block = {"name": "hf-token", "block_type_id": kind, "block_schema_id": schema, "data": {"value": SECRET}}
    site.api("block_documents/", block)
    started = Training(site, tmp_path_factory.mktemp("cancel") / "run")
    untrained = shutil.ignore_patterns("checkpoints", "evaluation", "promotion", "logs")
    shutil.copytree(tiny_run.root, started.root, ignore=untrained)
    return started


def container_command() -> list[str]:
    """What the worker of the pool `docker` starts in a container; Prefect tells it the run by a variable."""
    written = yaml.safe_load((ROOT / "prefect.yaml").read_text())
    return shlex.split(written["definitions"]["docker"]["job_variables"]["command"])


def family_of(worker: int) -> list[psutil.Process]:
    """The flow process, torchrun and its ranks: whatever the worker has started, without the worker itself."""
    found = {one: command(one) for one in alive(children(worker))}
    started = {one: words for one, words in found.items() if "worker start" not in words and "flow-run" not in words}
    assert sum("pipeline.train.agent" in words for words in started.values()) == 1, started
    assert sum("-m pipeline.train " in f"{words} " for words in started.values()) >= 2, started
    return list(started)


def assert_gone(family: Sequence[psutil.Process]) -> None:
    assert left(family, GONE_WITHIN) == []


def assert_went_on(training: Training, last: int) -> int:
    """Every step once, the newest checkpoint at the last of them and beyond `last`; returns its step."""
    steps, newest = training.steps(), training.checkpoints()[-1]
    assert newest > last
    assert steps == list(range(1, len(steps) + 1)), "no step was lost or repeated"
    assert newest == steps[-1], "stopped after a step, with that step saved"
    return newest


def test_whatever_stops_it_the_next_run_goes_on(site: PrefectSite, training: Training) -> None:
    """Prefect's cancel, SIGTERM to the worker, SIGTERM to a container's own process: one after the other."""
    worker = site.running["worker"]
    training.begin()
    site.messages(training.run, until="run directory: ")  # it holds it; its ranks take a while to start

    # Two runs on one run directory: the second is refused with the first's name.
    second = site.begin("pack/local", str(TINY), training.overrides)
    refused = f"in use by flow run {training.run['name']} (process "
    by_hand = run_command(["train", str(TINY), *training.overrides])
    assert by_hand.returncode == 2
    assert refused in by_hand.stderr
    assert site.ended(second)["type"] == "FAILED"
    assert refused in site.messages(second, until=refused)

    training.wait_for_steps(0)
    family = family_of(worker.pid)
    assert SECRET in {variable(one, "HF_TOKEN") for one in family}, "the block's value reaches the process"
    cancel = {"state": {"type": "CANCELLING", "name": "Cancelling"}}  # what the page and `prefect flow-run cancel` ask
    site.api(f"flow_runs/{training.run['id']}/set_state", cancel)
    assert_gone(family)
    assert site.ended(training.run)["type"] == "CANCELLED"
    last = assert_went_on(training, 0)

    training.begin()
    training.wait_for_steps(last)
    family = family_of(worker.pid)
    family += [psutil.Process(worker.pid), *children(worker.pid)]
    worker.send_signal(signal.SIGTERM)
    assert_gone(family)
    last = assert_went_on(training, last)
    assert not [line for line in site.log("worker").splitlines() if SECRET in line]

    # What the docker worker starts in a container: no worker beside it, and SIGTERM from `docker stop`.
    training.begin()
    del site.running["worker"]
    container = site.start("container", *container_command(), training.run["id"])
    training.wait_for_steps(last)
    family_of(container.pid)
    family = [psutil.Process(container.pid), *children(container.pid)]
    container.send_signal(signal.SIGTERM)
    assert_gone(family)
    assert_went_on(training, last)


def test_the_secret_stands_in_no_file_and_no_log(site: PrefectSite, training: Training) -> None:
    for root in (site.home, training.root):
        for path in root.rglob("*"):
            if path.is_file():
                assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in json.dumps(site.api("logs/filter", {"logs": {}}))


def test_nobody_is_left_but_the_server(site: PrefectSite, training: Training) -> None:
    server = psutil.Process(site.running["server"].pid)
    known = {server.pid, *(one.pid for one in children(server.pid))}
    others = [command(one) for one in alive(children(os.getpid())) if one.pid not in known]
    assert [words for words in others if "prefect" in words or "pipeline" in words or "flows" in words] == []
