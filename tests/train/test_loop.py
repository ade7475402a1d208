"""The loss and the gradient of a step do not depend on how the step is cut, and bad numbers stop the run."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.config import Train
from pipeline.errors import StageError
from pipeline.pack.bins import Bins
from pipeline.train.data import collate
from pipeline.train.loop import train_step
from pipeline.train.optimizer import make_optimizer
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup

from .conftest import TINY_LLAMA, MakeRun, assert_isclose, write_bins

ALONE = Ranks(0, 1, torch.device("cpu"))


def section(**train: Any) -> Train:
    return Train.model_validate({"model": {"config": TINY_LLAMA}, **train})


@pytest.mark.parametrize("micro_batch", [1, 2, 4, 8])
def test_micro_batches_change_nothing(micro_batch: int, make_run: MakeRun) -> None:
    """Bins differ in their number of targets, so a mean of means would differ."""
    run, recipe = make_run(global_batch=8, micro_batch=8)
    whole = first_step(setup(run, recipe, ALONE))
    run, recipe = make_run(name="cut", global_batch=8, micro_batch=micro_batch)
    training = setup(run, recipe, ALONE)
    cut = first_step(training)
    if micro_batch == 1:
        assert len({batch.num_targets for batch in training._batches(0)}) > 1
    assert_isclose(cut.loss, whole.loss)
    assert_isclose(cut.grad_norm, whole.grad_norm)


def test_compiled_layers_compute_the_same(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    run, recipe = make_run(global_batch=1)
    plain = first_step(setup(run, recipe, ALONE))
    run, recipe = make_run(name="compiled", global_batch=1, compile=True)
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    compiled = first_step(setup(run, recipe, ALONE))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] >= before + 2, "before and behind attention"
    assert_isclose(compiled.loss, plain.loss)
    assert_isclose(compiled.grad_norm, plain.grad_norm)


def first_step(training: Any) -> Any:
    return train_step(
        training.engine,
        training._batches(0),
        step=0,
        train=training.recipe.train,
        seed=0,
        stop=threading.Event(),
    )


def test_the_gradient_is_clipped_as_torch_clips_it(make_run: MakeRun) -> None:
    training = setup(*make_run(clip=0.5, steps=1, warmup=0), ALONE)
    done = first_step(training)
    assert done.grad_norm > 0.5
    assert math.isclose(training.engine.gradient.norm(), 0.5, rel_tol=1e-5)
    again = torch.nn.utils.clip_grad_norm_(training.engine.weights.masters.values(), 1.0)
    assert math.isclose(float(again), 0.5, rel_tol=1e-5)  # the buffer is the parameters' gradients


def test_only_matrices_decay() -> None:
    parameters = {name: torch.nn.Parameter(torch.ones(shape)) for name, shape in (("w", (2, 2)), ("b", (2,)))}
    optimizer = make_optimizer(parameters, section(weight_decay=0.5, learning_rate=0.1))
    for parameter in parameters.values():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert float(parameters["b"].detach().sum()) == 2.0
    assert math.isclose(float(parameters["w"].detach().sum()), 4 * 0.95, rel_tol=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_names_its_rows_and_leaves_the_weights(value: float, make_run: MakeRun) -> None:
    training = setup(*make_run(global_batch=4), ALONE)
    batches = training._batches(0)
    poisoned = batches[2]
    masters = training.engine.weights.masters
    before = {name: master.detach().clone() for name, master in masters.items()}
    decoder = training.engine.learner.plain.base_model
    passed = decoder.forward

    def poison(**inputs: Any) -> Any:
        output = passed(**inputs)
        if torch.equal(inputs["input_ids"], poisoned.tokens):
            output.last_hidden_state = output.last_hidden_state * value
        return output

    decoder.forward = poison
    with pytest.raises(StageError, match=r"step 1: the loss is nan|step 1: the loss is inf") as caught:
        first_step(training)
    assert caught.value.where == "rows " + ", ".join(poisoned.rows)
    for name, master in masters.items():
        assert torch.equal(master, before[name])


def test_a_step_without_a_target_is_an_error_that_names_its_rows(make_run: MakeRun, tmp_path: Path) -> None:
    training = setup(*make_run(), ALONE)
    write_bins(tmp_path / "none", [([5, 6, 7], [True, False, False])])  # the first token has nothing to predict it
    batch = collate([Bins.open(tmp_path / "none").get(0)], length=8, pad=0)
    with pytest.raises(StageError, match="step 1 has no target token") as caught:
        train_step(training.engine, [batch], step=0, train=training.recipe.train, seed=0, stop=threading.Event())
    assert "s/file#0" in caught.value.where


def test_the_journal_has_each_step_once(make_run: MakeRun) -> None:
    run, recipe = make_run(steps=4, checkpoint_every=2)
    training = setup(run, recipe, ALONE)
    assert training.fit(threading.Event())
    lines = [json.loads(line) for line in (run.logs / "train.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    speeds = {"seconds", "slots_per_second", "tokens_per_second", "target_tokens_per_second", "mfu"}
    assert {"loss", "lr", "grad_norm", "tokens", "target_tokens"} | speeds < set(lines[0])
    assert sum(line["target_tokens"] for line in lines) == training.state.target_tokens
