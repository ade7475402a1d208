"""A run that goes on from a checkpoint ends with the same bits as one that never stopped."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import FileSystemReader
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline import fingerprint
from pipeline.config import Recipe
from pipeline.errors import RunDirectoryError
from pipeline.run import RunDirectory
from pipeline.train import checkpoint
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup

from .conftest import MakeRun

ALONE = Ranks(0, 1, torch.device("cpu"))


def fit(run: RunDirectory, recipe: Recipe, *, stop_after: int | None = None) -> bool:
    """Train; be asked to stop in the middle of the step after `stop_after`."""
    training = setup(run, recipe, ALONE)
    stop = threading.Event()
    own = training._batches

    def stopping(step: int) -> Any:
        if step == stop_after:
            stop.set()
        return own(step)

    training._batches = stopping  # type: ignore[method-assign]
    return training.fit(stop)


def files(folder: Path) -> dict[str, str]:
    """Of all files but the shards, whose bytes are torch's own affair."""
    return {
        path.relative_to(folder).as_posix(): fingerprint.of_file(path)
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "shards"
    }


def shards(checkpoint: Path) -> dict[str, torch.Tensor]:
    reader = FileSystemReader(checkpoint / "shards")
    kept = {name: torch.empty(one.size) for name, one in reader.read_metadata().state_dict_metadata.items()}
    dcp.load(kept, storage_reader=reader, no_dist=True)
    return kept


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "full"},
        {"method": "lora", "lora": {"dropout": 0.1, "target_modules": ["q_proj", "mlp.*"]}},
    ],
    ids=["full", "lora"],
)
def test_stopped_and_killed_and_resumed_is_the_same_to_the_byte(settings: dict[str, Any], make_run: MakeRun) -> None:
    whole, recipe = make_run(name="whole", steps=9, checkpoint_every=4, **settings)
    assert fit(whole, recipe)
    broken, recipe = make_run(name="broken", steps=9, checkpoint_every=4, **settings)
    assert not fit(broken, recipe, stop_after=3)
    folder = broken.path("checkpoints")
    assert [path.name for path in folder.iterdir()] == ["step-00000003"]
    assert not fit(broken, recipe, stop_after=6)
    # As if killed just before the checkpoint of step 6 was whole.
    (folder / "step-00000006/state.json").unlink()
    assert fit(broken, recipe)
    assert files(folder / "step-00000009") == files(whole.path("checkpoints/step-00000009"))
    kept = [shards(run.path("checkpoints/step-00000009")) for run in (whole, broken)]
    assert kept[0].keys() == kept[1].keys()
    assert all(torch.equal(value, kept[1][name]) for name, value in kept[0].items())
    steps = [json.loads(line)["step"] for line in (broken.logs / "train.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 10))
    losses = [[json.loads(line)["loss"] for line in (run.logs / "train.jsonl").open()] for run in (whole, broken)]
    assert losses[0] == losses[1]


def test_moments_of_eight_bits_are_kept(make_run: MakeRun) -> None:
    pytest.importorskip("torchao", reason="torchao is not installed")
    settings = {"steps": 10, "checkpoint_every": 20, "optimizer": "adamw8bit"}
    whole, recipe = make_run(name="whole", **settings)
    assert fit(whole, recipe)
    broken, recipe = make_run(name="broken", **settings)
    assert not fit(broken, recipe, stop_after=6)
    assert {"uint8"} == kinds_of_codes(setup(broken, recipe, ALONE))
    assert fit(broken, recipe)
    assert losses(broken)[:6] == losses(whole)[:6]
    assert losses(broken)[6:] == pytest.approx(losses(whole)[6:], rel=1e-3)
    kept = shards(broken.path("checkpoints/step-00000010"))
    assert {tensor.dtype for tensor in kept.values()} == {torch.float32}


def kinds_of_codes(training: Any) -> set[str]:
    moments = [moment for state in training.engine.optimizer.state.values() for moment in state.values()]
    return {str(moment.codes.dtype).removeprefix("torch.") for moment in moments if hasattr(moment, "codes")}


def losses(run: RunDirectory) -> list[float]:
    return [json.loads(line)["loss"] for line in run.path("logs/train.jsonl").read_text().splitlines()]


def test_a_finished_run_is_finished_at_once(make_run: MakeRun) -> None:
    run, recipe = make_run(steps=2)
    assert fit(run, recipe)
    before = files(run.path("checkpoints"))
    assert fit(run, recipe)
    assert files(run.path("checkpoints")) == before


def test_the_newest_complete_ones_stay(make_run: MakeRun) -> None:
    run, recipe = make_run(steps=5, checkpoint_every=1, keep_last=2)
    assert fit(run, recipe)
    folder = run.path("checkpoints")
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000004", "step-00000005"]
    newest = checkpoint.newest(folder)
    assert newest is not None
    assert newest.name == "step-00000005"
    (newest / "state.json").unlink()
    older = checkpoint.newest(folder)
    assert older is not None
    assert older.name == "step-00000004"


def test_other_bins_are_refused(make_run: MakeRun) -> None:
    run, recipe = make_run(steps=2)
    assert fit(run, recipe)
    state = run.path("checkpoints/step-00000002/state.json")
    state.write_text(state.read_text().replace(json.loads(state.read_text())["bins"], "0" * 32))
    with pytest.raises(RunDirectoryError, match="trained on other bins"):
        setup(run, recipe, ALONE)


@pytest.mark.parametrize(("method", "rate"), [("full", 0.003), ("lora", 0.02)])
def test_a_real_model_learns_and_its_folder_works_anywhere(
    method: str, rate: float, stories: Path, make_run: MakeRun
) -> None:
    run, recipe = make_run(
        tokenizer=stories, model={"path": str(stories)}, method=method, steps=30, learning_rate=rate, keep_last=1
    )
    assert fit(run, recipe)
    losses = [json.loads(line)["loss"] for line in (run.logs / "train.jsonl").open()]
    assert losses[-1] < 0.7 * losses[0], losses
    # Far from the project: nothing but transformers and the folder.
    folder = run.root.parent / "elsewhere"
    shutil.copytree(run.path("checkpoints/step-00000030/model"), folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prompt = torch.tensor([tokenizer.encode("girl?", add_special_tokens=False)])
    answer = model.generate(prompt, max_new_tokens=20, do_sample=False)
    assert "girl" in tokenizer.decode(answer[0, prompt.shape[1] :])
    if method == "full":
        assert int(answer[0, -1]) == tokenizer.eos_token_id  # it has learnt to stop
    else:
        from peft import PeftModel

        adapted = PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(stories, dtype=torch.float32),
            str(run.path("checkpoints/step-00000030/adapter")),
        )
        with torch.no_grad():
            torch.testing.assert_close(adapted(prompt).logits, model(prompt).logits, rtol=0, atol=1e-4)
