"""The stage as a whole, with real ranks: it learns, two ranks are one, killed or on two machines alike."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.config import Recipe
from pipeline.errors import InputError, StageError
from pipeline.run import Manifest, RunDirectory
from pipeline.train import plan, train
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup
from tests.processes import alive, children, left

from .conftest import MakeRun, assert_isclose, write_run
from .test_nodes import free_port

SETTINGS: dict[str, Any] = {"steps": 100, "checkpoint_every": 25, "launch": {"nproc": 2, "grace": 10.0}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, Recipe, Manifest]:
    """Two ranks, never stopped."""
    run, recipe = write_run(tmp_path_factory.mktemp("train") / "run", **SETTINGS)
    return run, recipe, train(run, recipe)


def journal(run: RunDirectory) -> list[dict[str, Any]]:
    path = run.logs / "train.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_the_loss_falls_and_the_manifest_says_so(finished: tuple[RunDirectory, Recipe, Manifest]) -> None:
    run, recipe, manifest = finished
    lines = journal(run)
    assert [line["step"] for line in lines] == list(range(1, 101))
    summary = manifest.summary
    assert summary["first_loss"] == lines[0]["loss"]
    assert summary["last_loss"] == lines[-1]["loss"] < 0.6 * lines[0]["loss"]
    assert summary["target_tokens"] == sum(line["target_tokens"] for line in lines)
    assert summary["parameters"]["trainable"] == summary["parameters"]["total"] > 90_000
    final = run.path("checkpoints") / summary["checkpoint"]
    assert {part["name"] for part in manifest.parts} == {
        path.relative_to(run.root).as_posix()
        for path in final.rglob("*")
        if path.is_file() and path.parent.name != "shards"
    }
    stage = plan(run, recipe)
    assert stage is not None
    assert stage.why() is None
    assert train(run, recipe) == manifest
    assert len(journal(run)) == 100  # reused, not run again


def test_the_last_checkpoint_is_a_model_for_plain_transformers(
    finished: tuple[RunDirectory, Recipe, Manifest],
) -> None:
    run, _, manifest = finished
    folder = run.path("checkpoints") / manifest.summary["checkpoint"] / "model"
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    chat = tokenizer.apply_chat_template([{"role": "user", "content": "dog?"}], tokenize=False)
    assert "<|im_start|>user\ndog?<|im_end|>" in chat
    prompt = torch.tensor([tokenizer.encode("dog?", add_special_tokens=False)])
    answer = model.generate(prompt, max_new_tokens=40, do_sample=False)
    assert len(answer[0]) > prompt.shape[1]
    assert tokenizer.decode(answer[0, prompt.shape[1] :]).startswith(" The")


def test_two_ranks_compute_what_one_does(finished: tuple[RunDirectory, Recipe, Manifest], make_run: MakeRun) -> None:
    two = journal(finished[0])
    run, recipe = make_run(**{**SETTINGS, "launch": {"nproc": 1}})
    assert setup(run, recipe, Ranks(0, 1, torch.device("cpu"))).fit(threading.Event())
    one = journal(run)
    assert_isclose(one[0]["loss"], two[0]["loss"])
    assert_isclose(one[0]["grad_norm"], two[0]["grad_norm"])
    assert [line["target_tokens"] for line in one] == [line["target_tokens"] for line in two]
    assert_isclose(one[30]["loss"], two[30]["loss"], within=1e-2)  # sums in another order, thirty updates on


def test_stopped_by_sigterm_and_resumed_ends_with_the_same_bytes(
    finished: tuple[RunDirectory, Recipe, Manifest], make_run: MakeRun
) -> None:
    _, _, whole = finished
    run, recipe = make_run(**SETTINGS)

    # SIGTERM: saved where it stood, exit code 75, nobody left.
    (process,), family = start_until(run, step=3)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 75, errors
    assert "Traceback" not in errors
    assert left(family, within=20) == []
    saved = max(int(path.name[5:]) for path in run.path("checkpoints").glob("step-*"))
    assert 3 <= saved < 100
    assert Manifest.read(run.path("checkpoints")) is None

    resumed = train(run, recipe)
    assert resumed.summary == whole.summary
    assert resumed.content == whole.content
    assert journal_without_speed(run) == journal_without_speed(finished[0])


def test_two_machines_of_which_one_loses_its_agent_end_with_the_bytes_of_one_machine(
    finished: tuple[RunDirectory, Recipe, Manifest], make_run: MakeRun
) -> None:
    _, _, whole = finished
    run, _ = make_run(**{**SETTINGS, "launch": {"nproc": 1, "grace": 10.0}})
    port = str(free_port())
    nodes, family = start_until(run, [port, "0"], [port, "1"], step=28)
    assert len(family) == 4  # an agent and a rank on each
    (agent,) = psutil.Process(nodes[1].pid).children()
    agent.kill()  # SIGKILL: its rank dies with it
    told = [node.communicate(timeout=400)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [1, 1], told
    assert all("run the same command again" in text and "Traceback" not in text for text in told), told
    assert left(family, within=20) == []
    assert 28 <= journal(run)[-1]["step"] < 100
    assert Manifest.read(run.path("checkpoints")) is None

    nodes, _ = start_until(run, [port, "0"], [port, "1"], step=0)
    told = [node.communicate(timeout=400)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], told
    manifest = Manifest.read(run.path("checkpoints"))
    assert manifest is not None
    assert manifest.summary == whole.summary
    assert manifest.content == whole.content
    assert journal_without_speed(run) == journal_without_speed(finished[0])


def journal_without_speed(run: RunDirectory) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in line.items() if key != "seconds" and not key.endswith("_per_second")}
        for line in journal(run)
    ]


def start_until(
    run: RunDirectory, *machines: list[str], step: int
) -> tuple[list[subprocess.Popen[str]], list[psutil.Process]]:
    """Start the stage on one machine or several; their processes, and what these started, once `step` is done."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.train.drive", str(run.root), *machine], stderr=subprocess.PIPE, text=True
        )
        for machine in machines or [[]]
    ]
    deadline = time.monotonic() + 400
    while not any(line.endswith("}") and json.loads(line)["step"] >= step for line in lines_of(run)):
        assert all(process.poll() is None for process in started), [process.communicate() for process in started]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return started, alive([child for one in started for child in children(one.pid)])


def lines_of(run: RunDirectory) -> list[str]:
    path = run.logs / "train.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def test_a_model_that_does_not_exist_is_one_message_and_exit_code_2(make_run: MakeRun, tmp_path: Path) -> None:
    # A folder: told before anything is started or written.
    run, recipe = make_run(model={"path": str(tmp_path / "no-model")})
    with pytest.raises(InputError, match="no model folder"):
        train(run, recipe)
    assert not run.path("checkpoints").exists()
    # What may be a name on the hub: only a rank can tell.
    run, recipe = make_run(name="hub", model={"path": "nobody-at-all/no-such-model"})
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.drive", str(run.root)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "train.model.path: nobody-at-all/no-such-model" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(run.path("checkpoints").glob("step-*"))


def test_what_changes_the_weights_and_nothing_else_changes_the_plan(make_run: MakeRun) -> None:
    def fingerprint(**settings: Any) -> str:
        run, recipe = make_run(name=f"run-{len(seen)}", **settings)
        stage = plan(run, recipe)
        assert stage is not None
        seen.append(stage.fingerprint)
        return stage.fingerprint

    seen: list[str] = []
    base = fingerprint()
    for same in ({"keep_last": 9}, {"checkpoint_every": 7}, {"launch": {"nproc": 2}}):
        assert fingerprint(**same) == base, same
    for other in ({"steps": 13}, {"learning_rate": 0.02}, {"method": "lora"}, {"global_batch": 8}):
        assert fingerprint(**other) != base, other


def test_training_waits_for_packing(make_run: MakeRun) -> None:
    run, recipe = make_run()
    run.path("packed/_manifest.json").unlink()
    assert plan(run, recipe) is None
    with pytest.raises(StageError, match="no packed rows"):
        train(run, recipe)
