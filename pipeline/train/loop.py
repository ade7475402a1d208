"""The training loop: `fit` is all of it.

The loss of a step is the negative log-likelihood summed over all target tokens of the step, over all ranks and
micro batches, divided by the number of those tokens: never a mean of means, so it does not depend on how the step
is cut into ranks and micro batches, save for the order of float sums.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

from pipeline import config, fingerprint
from pipeline.errors import StageError
from pipeline.train.checkpoint import TrainState
from pipeline.train.data import MicroBatch
from pipeline.train.gradients import Gradient
from pipeline.train.learner import Learner
from pipeline.train.mesh import Layout
from pipeline.train.optimizer import set_rates
from pipeline.train.parallel import Ranks
from pipeline.train.precision import Weights
from pipeline.train.schedule import learning_rate

__all__ = ["Engine", "StepReport", "Verdict", "fit", "train_step"]

_NAMED_ROWS = 20
"""How many row ids an error names."""


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One line of `logs/train.jsonl`."""

    step: int
    """Counted from 1."""
    loss: float
    """Nats for a target token, before the update."""
    lr: float
    grad_norm: float
    """Before clipping."""
    tokens: int
    """Over all ranks, without padding."""
    target_tokens: int


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What a step works with."""

    learner: Learner
    """In training mode, on the ranks' device."""
    weights: Weights
    """The trained ones."""
    gradient: Gradient
    """Of the same."""
    optimizer: torch.optim.Optimizer
    """Of their masters."""
    ranks: Ranks
    """This process among the others …"""
    layout: Layout
    """… and what it shares with which."""


class Verdict(NamedTuple):
    """What a look at the validation loss says."""

    stop: bool = False
    """It falls no more."""
    keep: bool = False
    """It was never as low, and what was best is to be kept."""


def fit(
    engine: Engine,
    state: TrainState,
    *,
    train: config.Train,
    seed: int,
    batches: Callable[[int], list[MicroBatch]],
    stop: threading.Event,
    save: Callable[[TrainState], None],
    report: Callable[[StepReport, float], None],
    validate: Callable[[int], Verdict | None],
) -> bool:
    """Train from `state.step` to `train.steps`, and keep `state` up to date.

    Args:
        engine: the model and what trains it; of equal weights on all ranks.
        state: where the run stands.
        train: the recipe's section.
        seed: of whatever is random within a step (dropout).
        batches: this rank's micro batches of a step counted from 0.
        stop: set when the run is asked to stop.
        save: write a checkpoint; called by every rank.
        report: called by every rank after a step, with the seconds that it took.
        validate: called by every rank with the number of steps done; None if a stop made it give up.

    Returns:
        True when the last step is done or training stopped early; False when stopped from outside, with a checkpoint
        of all steps done.

    Raises:
        StageError: the loss or the gradient is not finite, or a step has nothing to learn.
    """
    saved = state.step
    while state.unvalidated or (state.step < train.steps and not state.stopped_early):
        if not state.unvalidated:
            began = time.monotonic()
            done = train_step(engine, batches(state.step), step=state.step, train=train, seed=seed, stop=stop)
            if done is None:
                if state.step > saved:
                    save(state)
                return False
            _count(state, done)
            report(done, time.monotonic() - began)
        verdict = validate(state.step)
        state.unvalidated = verdict is None
        if verdict is None:
            if state.step > saved:
                save(state)
            return False
        state.stopped_early = verdict.stop and state.step < train.steps
        if verdict.keep:
            state.best_step = state.step
        ended = state.step == train.steps or state.stopped_early
        if ended or verdict.keep or state.step % train.checkpoint_every == 0:
            save(state)
            saved = state.step
    return True


def _count(state: TrainState, done: StepReport) -> None:
    state.step = done.step
    state.tokens += done.tokens
    state.target_tokens += done.target_tokens
    state.last_loss = done.loss
    if state.first_loss is None:
        state.first_loss = done.loss


def train_step(
    engine: Engine,
    batches: list[MicroBatch],
    *,
    step: int,
    train: config.Train,
    seed: int,
    stop: threading.Event,
) -> StepReport | None:
    """One optimiser step over this rank's micro batches; None if any rank was asked to stop on the way.

    A step that is given up leaves the weights as they were: it is repeated after the resume.
    """
    ranks, layout, gradient = engine.ranks, engine.layout, engine.gradient
    mine = batches if layout.counts else []
    targets, tokens = ranks.totals([sum(b.num_targets for b in mine), sum(b.num_tokens for b in mine)])
    if targets == 0:
        raise _failure(f"step {step + 1} has no target token", batches, ranks)
    gradient.zero_()
    losses = []
    for number, batch in enumerate(batches):
        if ranks.any(stop.is_set()):
            return None
        _seed_dropout(seed, step, layout.data * len(batches) + number, layout.place)
        gradient.last_(number == len(batches) - 1)
        loss = engine.learner(batch.to(ranks.device)) / targets
        loss.backward()
        losses.append(loss.detach())
    gradient.sum_()
    local = torch.stack(losses)
    total = float(ranks.sum_(local.sum() * layout.reports))
    norm = gradient.norm()
    if not math.isfinite(total) or not math.isfinite(norm):
        bad = [b for b, finite in zip(batches, local.isfinite().tolist(), strict=True) if not finite]
        everywhere = any(ranks.gather(bool(bad)))
        raise _failure(
            f"step {step + 1}: the loss is {total} and the gradient norm {norm}", bad if everywhere else batches, ranks
        )
    if norm > train.clip:
        gradient.scale_(train.clip / norm)
    rate = learning_rate(step, train)
    set_rates(engine.optimizer, [rate] * len(engine.optimizer.param_groups))
    engine.optimizer.step()
    engine.weights.publish()
    return StepReport(
        step=step + 1,
        loss=total,
        lr=rate,
        grad_norm=norm,
        tokens=tokens,
        target_tokens=targets,
    )


def _seed_dropout(seed: int, step: int, number: int, place: tuple[int, int]) -> None:
    """Seed by micro batch, counted over all ranks: no generator's state has to be kept for a resume."""
    share = list(place) if place[1] > 1 else []
    torch.manual_seed(int(fingerprint.of_value([seed, step, number, *share])[:15], 16))


def _failure(what: str, batches: list[MicroBatch], ranks: Ranks) -> StageError:
    """The same error on every rank, with the rows of all of them."""
    parts = ranks.gather([row for batch in batches for row in batch.rows])
    rows = list(dict.fromkeys(row for part in parts for row in part))  # ranks may share their bins
    shown = ", ".join(rows[:_NAMED_ROWS]) + (f" and {len(rows) - _NAMED_ROWS} more" if len(rows) > _NAMED_ROWS else "")
    return StageError(
        what,
        where=f"rows {shown}",
        mend="look at these rows (`curate-and-train inspect RUN --row ID`); or lower train.learning_rate",
    )
