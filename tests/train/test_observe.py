"""What a run tells of itself is the same whether it was stopped or not, and an early stop is an end."""

from __future__ import annotations

import json
import math
import shutil
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch

from pipeline.config import Lora, Track
from pipeline.errors import InputError, RecipeError
from pipeline.pack.bins import Bins
from pipeline.run import RunDirectory
from pipeline.train import train
from pipeline.train.extras import check_extras
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup
from pipeline.train.tracking import Trackers
from pipeline.train.validation import validation_bins, validation_loss
from pipeline.train.watching import observer_of

from .conftest import MakeRun, assert_isclose

ALONE = Ranks(0, 1, torch.device("cpu"))


def lines(run: RunDirectory, name: str) -> list[dict[str, Any]]:
    path = run.logs / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def with_validation(made: Any) -> Any:
    run, recipe = made
    shutil.copytree(run.path("packed/train"), run.path("packed/validation"))
    return run, recipe


def test_validation_is_the_same_however_it_is_shared(make_run: MakeRun) -> None:
    run, recipe = with_validation(make_run())
    training = setup(run, recipe, ALONE)
    observer = observer_of(training, threading.Event())
    bins = Bins.open(run.path("packed/validation"))
    measures = {
        "loss": observer.loss,
        "collate": observer.collate,
        "ranks": ALONE,
        "counts": True,
        "stop": threading.Event(),
    }
    training.engine.learner.eval()
    whole, targets = validation_loss([[bins.get(at)] for at in range(len(bins))], **measures)
    assert targets == sum(int(bins.get(at).loss.sum()) for at in range(len(bins)))
    for world, micro_batch in ((3, 1), (2, 4)):
        shares = [
            validation_bins(bins, count=None, micro_batch=micro_batch, rank=rank, world=world) for rank in range(world)
        ]
        assert len({len(share) for share in shares}) == 1
        parts = [validation_loss(share, **measures) for share in shares]
        assert sum(count for _, count in parts) == targets
        assert_isclose(sum(loss * count for loss, count in parts if count) / targets, whole)
    few = validation_bins(bins, count=3, micro_batch=2, rank=0, world=1)
    assert validation_loss(few, **measures)[1] == sum(int(bins.get(at).loss.sum()) for at in range(3))
    observer.close()


def test_no_validation_rows_and_a_warm_up_without_end_are_said(
    make_run: MakeRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run, recipe = with_validation(make_run(steps=2, validation={"every": 1}))
    (path,) = run.path("packed/validation").glob("bins-*.arrow")
    schema = pa.ipc.open_file(pa.BufferReader(path.read_bytes())).schema
    with pa.ipc.new_file(str(path), schema):
        pass  # of a split without rows
    training = setup(run, recipe, ALONE)
    said = capsys.readouterr().out
    assert "warning: train.warmup is 2 and train.steps 2: the learning rate does not come down" in said
    with pytest.raises(InputError, match="no validation rows") as error:
        observer_of(training, threading.Event())
    assert "train.validation: null" in error.value.mend


def test_spikes_name_rows_of_their_step_and_a_resume_tells_the_same(make_run: MakeRun) -> None:
    settings = {
        "steps": 12,
        "checkpoint_every": 6,
        "learning_rate": 0.5,  # too much: the loss goes up and down
        "spikes": {"window": 5, "deviations": 0.01},
        "validation": {"every": 4, "bins": 5},
    }
    whole, recipe = with_validation(make_run(**settings))
    training = setup(whole, recipe, ALONE)
    assert training.fit(threading.Event())
    assert [line["step"] for line in lines(whole, "validation")] == [4, 8, 12]
    spikes = lines(whole, "spikes")
    assert spikes
    for spike in spikes:
        assert spike["step"] > 5
        assert spike["loss"] > spike["threshold"]
        of_step = {row for batch in training._batches(spike["step"] - 1) for row in batch.rows}
        assert {row["id"] for row in spike["rows"]} <= of_step
    # The same run, killed after step 9 and resumed from step 6.
    again, recipe = with_validation(make_run(name="again", **settings))
    setup(again, recipe, ALONE).fit(threading.Event())
    shutil.rmtree(again.path("checkpoints/step-00000012"))
    assert setup(again, recipe, ALONE).fit(threading.Event())
    assert lines(again, "spikes") == spikes
    told = [{key: value for key, value in line.items() if key != "seconds"} for line in lines(whole, "validation")]
    assert told == [
        {key: value for key, value in line.items() if key != "seconds"} for line in lines(again, "validation")
    ]


def test_an_early_stop_is_an_end_with_a_whole_model(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing can be a new best by 100 nats, so the second validation stops it."""
    run, recipe = with_validation(
        make_run(
            steps=50,
            method="lora",
            checkpoint_every=100,
            validation={"every": 2, "bins": 4, "patience": 1, "min_delta": 100.0, "keep_best": True},
        )
    )
    assert setup(run, recipe, ALONE).fit(threading.Event())
    assert [line["step"] for line in lines(run, "train")] == [1, 2, 3, 4]
    assert "stopped early at step 4: no new best in 1 validations" in capsys.readouterr().out
    # Killed before the manifest was written: the end is an end, and no step more is done.
    manifest = train(run, recipe)
    assert manifest.summary["steps"] == 4
    assert manifest.summary["stopped_early"]
    losses = {line["step"]: line["loss"] for line in lines(run, "validation")}
    assert losses[4] < losses[2], "lower, if not by 100 nats: `keep_best` asks for no more"
    assert manifest.summary["checkpoint"] == "step-00000004"
    assert json.loads(run.path("checkpoints/step-00000004/state.json").read_text())["best_step"] == 4
    assert (run.path("checkpoints") / manifest.summary["checkpoint"] / "model/model.safetensors").exists()
    assert len(lines(run, "train")) == 4


@pytest.mark.parametrize("given_up", [4, 8])
def test_a_validation_that_is_given_up_for_a_stop_comes_first_after_the_resume(
    given_up: int, make_run: MakeRun
) -> None:
    """And again, if the run is then killed before its next checkpoint; 8 is the last step."""
    settings = {"steps": 8, "checkpoint_every": 100, "validation": {"every": 2, "bins": 6, "keep_best": False}}
    whole, recipe = with_validation(make_run(name="whole", **settings))
    assert setup(whole, recipe, ALONE).fit(threading.Event())

    run, recipe = with_validation(make_run(name="broken", **settings))
    training, stop = setup(run, recipe, ALONE), threading.Event()
    evaluate = training.engine.learner.eval

    def stopping() -> Any:
        if training.state.step == given_up:
            stop.set()
        return evaluate()

    training.engine.learner.eval = stopping  # type: ignore[method-assign]
    assert not training.fit(stop)
    assert lines(run, "train")[-1]["step"] == given_up
    assert lines(run, "validation")[-1]["step"] == given_up - 2
    checkpoint = run.path(f"checkpoints/step-{given_up:08d}")
    assert not (checkpoint / "model").exists()

    killed = setup(run, recipe, ALONE)
    assert killed.state.unvalidated
    own = killed._batches

    def failing(step: int) -> Any:
        if step == given_up + 1:
            raise KeyboardInterrupt
        return own(step)

    killed._batches = failing  # type: ignore[method-assign]
    if given_up < 8:
        with pytest.raises(KeyboardInterrupt):
            killed.fit(threading.Event())
        assert lines(run, "validation")[-1]["step"] == given_up
        assert setup(run, recipe, ALONE).state.unvalidated

    assert setup(run, recipe, ALONE).fit(threading.Event())
    for name in ("train", "validation"):
        told = [[(line["step"], line["loss"]) for line in lines(one, name)] for one in (whole, run)]
        assert told[0] == told[1]
    last = "checkpoints/step-00000008/state.json"
    assert run.path(last).read_text() == whole.path(last).read_text()
    model = "checkpoints/step-00000008/model/model.safetensors"
    assert run.path(model).read_bytes() == whole.path(model).read_bytes()


def test_the_best_is_kept_and_is_what_the_run_ends_with(make_run: MakeRun) -> None:
    """The learning rate is fine at first and then destroys what was learnt."""
    settings: dict[str, Any] = {
        "steps": 12,
        "learning_rate": 0.02,
        "schedule": "constant",
        "checkpoint_every": 100,
        "keep_last": 1,
        "validation": {"every": 2, "bins": 5, "keep_best": True},
    }
    run, recipe = with_validation(make_run(**settings))
    training = setup(run, recipe, ALONE)
    step = training.engine.optimizer.step

    def destroy(*arguments: Any) -> Any:
        if training.state.step >= 6:
            for group in training.engine.optimizer.param_groups:
                group["lr"] = 1.0
        return step(*arguments)

    training.engine.optimizer.step = destroy  # type: ignore[method-assign]
    assert training.fit(threading.Event())
    told = lines(run, "validation")
    best = min(told, key=lambda line: line["loss"])
    assert best["step"] == 6
    assert told[-1]["loss"] > best["loss"] + 0.1
    assert sorted(path.name for path in run.path("checkpoints").iterdir()) == ["step-00000006", "step-00000012"]
    state = json.loads((run.path("checkpoints") / "step-00000012/state.json").read_text())
    assert (state["step"], state["best_step"]) == (12, 6)
    again = setup(run, recipe, ALONE)
    observer = observer_of(again, threading.Event())
    assert_isclose(observer.measure()[0], best["loss"])
    observer.close()


def test_a_loss_that_is_not_a_number_is_never_the_best(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run, recipe = with_validation(make_run(validation={"every": 1, "keep_best": True, "patience": 2}))
    observer = observer_of(setup(run, recipe, ALONE), threading.Event())
    measured = iter([math.nan, 2.0, math.nan, 1.0])
    monkeypatch.setattr(observer, "measure", lambda: (next(measured), 7))
    assert [observer.validate(step).keep for step in (1, 2, 3)] == [False, True, False]
    observer.close()
    training = setup(run, recipe, ALONE)
    training.state.step = 3
    resumed = observer_of(training, threading.Event())
    monkeypatch.setattr(resumed, "measure", lambda: (next(measured), 7))
    assert resumed.validate(4) == (False, True)
    resumed.close()


def test_tensorboard_has_the_numbers_of_the_journal(make_run: MakeRun) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, recipe = make_run(steps=4, checkpoint_every=2, track={"tensorboard": True, "every": 2, "peak_tflops": 1.0})
    assert setup(run, recipe, ALONE).fit(threading.Event())
    events = EventAccumulator(str(run.logs / "tensorboard"))
    events.Reload()
    journal = {line["step"]: line for line in lines(run, "train")}
    for key in ("loss", "grad_norm", "lr", "target_tokens_per_second", "mfu"):
        scalars = events.Scalars(f"train/{key}")
        assert [scalar.step for scalar in scalars] == [2, 4]
        assert [scalar.value for scalar in scalars] == pytest.approx([journal[2][key], journal[4][key]])
    assert 0 < journal[4]["mfu"] < 1


def test_wandb_offline_goes_on_with_its_run(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    for key, value in (("WANDB_MODE", "offline"), ("WANDB_SILENT", "true")):
        monkeypatch.setenv(key, value)
    elsewhere = {"wandb": "curate-and-train", "peak_tflops": 1234.5}
    run, recipe = make_run(steps=4, checkpoint_every=2, track=elsewhere)
    assert setup(run, recipe, ALONE).fit(threading.Event())
    # Nothing that is printed goes there, for warnings name rows; nor what other trackers are told.
    sent = [path for path in run.logs.glob("wandb/offline-run-*/**/*") if path.is_file()]
    assert sent
    assert not any(path.name == "output.log" or b"1234.5" in path.read_bytes() for path in sent)
    first = json.loads((run.logs / "trackers.json").read_text())
    assert next(run.logs.glob("wandb/offline-run-*")).name.endswith(first["wandb"])
    shutil.rmtree(run.path("checkpoints/step-00000004"))
    assert setup(run, recipe, ALONE).fit(threading.Event())
    assert json.loads((run.logs / "trackers.json").read_text()) == first


def test_mlflow_has_the_numbers_and_one_run(make_run: MakeRun, tmp_path: Path) -> None:
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    run, recipe = make_run(steps=4, checkpoint_every=2, track={"mlflow": uri})
    assert setup(run, recipe, ALONE).fit(threading.Event())
    shutil.rmtree(run.path("checkpoints/step-00000004"))
    assert setup(run, recipe, ALONE).fit(threading.Event())
    client = mlflow.MlflowClient(uri)
    (found,) = client.search_runs(["0"])
    assert found.data.metrics["train/loss"] == pytest.approx(lines(run, "train")[-1]["loss"])
    assert found.data.params["steps"] == "4"


def test_what_is_not_installed_is_told_with_its_mend(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {
        "lora": Lora(quantize="nf4"),
        "track": Track(tensorboard=True, wandb="p", mlflow="http://127.0.0.1:1"),
    }
    asked |= {"optimizer": "adamw8bit"}
    here = {"tensorboard", "wandb", "mlflow", "bitsandbytes", "torchao"}
    monkeypatch.setattr("pipeline.train.extras.find_spec", lambda name: name if name in here else None)
    check_extras(**asked)
    for name in sorted(here):
        here.remove(name)
        with pytest.raises(RecipeError, match=f"{name} is not installed") as caught:
            check_extras(**asked)
        assert f"pip install {name}" in caught.value.mend
        check_extras(lora=Lora(), track=Track())
        here.add(name)


def test_a_tracker_that_fails_does_not_end_the_run(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run, recipe = make_run(steps=3)
    training = setup(run, recipe, ALONE)
    observer = observer_of(training, threading.Event())

    class Broken:
        def log(self, step: int, values: Any) -> None:
            raise ConnectionError("the server is away")

        def close(self) -> None: ...

    observer._trackers._trackers["wandb"] = Broken()
    entry = {"step": 1, "loss": 1.0}
    observer._trackers.log(entry, prefix="train")
    observer._trackers.log(entry, prefix="train")
    observer.close()
    assert capsys.readouterr().out.count("wandb is left out from step 1 on: ConnectionError: the server is away") == 1


@pytest.mark.parametrize("tracker", ["wandb", "mlflow"])
def test_a_tracker_that_cannot_begin_does_not_end_the_run(
    tracker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("nobody answers at https://me:secret@there/api")

    for name in ("_Wandb", "_Mlflow"):
        monkeypatch.setattr(f"pipeline.train.tracking.{name}", away)
    trackers = Trackers(Track.model_validate({tracker: "there"}), tmp_path, name="run", settings={}, after=5)
    trackers.log({"step": 6, "loss": 1.0}, prefix="train")
    trackers.close()
    assert (
        capsys.readouterr().out
        == f"warning: {tracker} is left out: ConnectionError: nobody answers at https://there/api\n"
    )
