"""The training loop: `fit` is all of it.

The loss of a step is the negative log-likelihood summed over all target tokens of the step, over all ranks and
micro batches, divided by the number of those tokens: never a mean of means, so it does not depend on how the step
is cut into ranks and micro batches, save for the order of float sums.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline import config, fingerprint
from pipeline.errors import StageError
from pipeline.train.attention import logits_of
from pipeline.train.checkpoint import TrainState
from pipeline.train.data import IGNORED, MicroBatch
from pipeline.train.parallel import Ranks
from pipeline.train.schedule import learning_rate

__all__ = ["FlatGradient", "StepReport", "fit", "make_optimizer", "nll", "train_step"]

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


def fit(
    model: PreTrainedModel | PeftModel,
    optimizer: torch.optim.Optimizer,
    gradient: FlatGradient,
    state: TrainState,
    *,
    train: config.Train,
    seed: int,
    ranks: Ranks,
    batches: Callable[[int], list[MicroBatch]],
    stop: threading.Event,
    save: Callable[[TrainState], None],
    report: Callable[[StepReport, float], None],
    validate: Callable[[int], bool],
) -> bool:
    """Train from `state.step` to `train.steps`, and keep `state` up to date.

    Args:
        model: in training mode, on the ranks' device, the same on all of them.
        optimizer: of the trained parameters.
        gradient: of the same.
        state: where the run stands.
        train: the recipe's section.
        seed: of whatever is random within a step (dropout).
        ranks: this process among the others.
        batches: this rank's micro batches of a step counted from 0.
        stop: set when the run is asked to stop.
        save: write a checkpoint; called by every rank.
        report: called by every rank after a step, with the seconds that it took.
        validate: called by every rank with the number of steps done; True to stop early.

    Returns:
        True when the last step is done or training stopped early; False when stopped from outside, with a checkpoint
        of all steps done.

    Raises:
        StageError: the loss or the gradient is not finite, or a step has nothing to learn.
    """
    saved = state.step
    while state.step < train.steps and not state.stopped_early:
        began = time.monotonic()
        done = train_step(
            model,
            optimizer,
            gradient,
            batches(state.step),
            step=state.step,
            train=train,
            seed=seed,
            ranks=ranks,
            stop=stop,
        )
        if done is None:
            if state.step > saved:
                save(state)
            return False
        state.step = done.step
        state.tokens += done.tokens
        state.target_tokens += done.target_tokens
        state.last_loss = done.loss
        if state.first_loss is None:
            state.first_loss = done.loss
        report(done, time.monotonic() - began)
        state.stopped_early = validate(state.step) and state.step < train.steps
        if state.step % train.checkpoint_every == 0 or state.step == train.steps or state.stopped_early:
            save(state)
            saved = state.step
    return True


def train_step(
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    gradient: FlatGradient,
    batches: list[MicroBatch],
    *,
    step: int,
    train: config.Train,
    seed: int,
    ranks: Ranks,
    stop: threading.Event,
) -> StepReport | None:
    """One optimiser step over this rank's micro batches; None if any rank was asked to stop on the way.

    A step that is given up leaves the weights as they were: it is repeated after the resume.
    """
    targets, tokens = ranks.totals([sum(b.num_targets for b in batches), sum(b.num_tokens for b in batches)])
    if targets == 0:
        raise _failure(f"step {step + 1} has no target token", batches, ranks)
    gradient.zero_()
    losses = []
    for number, batch in enumerate(batches):
        if ranks.any(stop.is_set()):
            return None
        _seed_dropout(seed, step, ranks.rank * len(batches) + number)
        loss = nll(model, batch.to(ranks.device)) / targets
        loss.backward()  # type: ignore[no-untyped-call]
        losses.append(loss.detach())
    ranks.sum_(gradient.flat)
    local = torch.stack(losses)
    total = float(ranks.sum_(local.sum()))
    norm = float(gradient.flat.norm())
    if not math.isfinite(total) or not math.isfinite(norm):
        bad = [b for b, finite in zip(batches, local.isfinite().tolist(), strict=True) if not finite]
        everywhere = any(ranks.gather(bool(bad)))
        raise _failure(
            f"step {step + 1}: the loss is {total} and the gradient norm {norm}", bad if everywhere else batches, ranks
        )
    if norm > train.clip:
        gradient.flat.mul_(train.clip / norm)
    rate = learning_rate(step, train)
    for group in optimizer.param_groups:
        group["lr"] = rate
    optimizer.step()
    return StepReport(
        step=step + 1,
        loss=total,
        lr=rate,
        grad_norm=norm,
        tokens=tokens,
        target_tokens=targets,
    )


def nll(model: torch.nn.Module, batch: MicroBatch) -> torch.Tensor:
    """Negative log-likelihood in nats, summed over the batch's target tokens."""
    logits = logits_of(model, batch).float()
    return cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORED, reduction="sum")


def make_optimizer(parameters: Mapping[str, torch.nn.Parameter], train: config.Train) -> torch.optim.AdamW:
    """AdamW; matrices decay, vectors (norms, biases) do not."""
    decayed = [parameter for parameter in parameters.values() if parameter.ndim >= 2]
    others = [parameter for parameter in parameters.values() if parameter.ndim < 2]
    groups = [{"params": decayed, "weight_decay": train.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=train.learning_rate, betas=(0.9, 0.95))


class FlatGradient:
    """All gradients in one buffer, each parameter's a view into it.

    So one all-reduce sums a step's gradients over the ranks, in one order; the norm is one reduction, and clipping
    one product.
    """

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter]) -> None:
        values = list(parameters.values())
        self.flat = torch.zeros(sum(value.numel() for value in values), device=values[0].device)
        at = 0
        for value in values:
            value.grad = self.flat[at : at + value.numel()].view_as(value)
            at += value.numel()

    def zero_(self) -> None:
        """Forget the last step; the views stay, for autograd adds to a gradient that is there in place."""
        self.flat.zero_()


def _seed_dropout(seed: int, step: int, number: int) -> None:
    """Seed by micro batch, counted over all ranks: no generator's state has to be kept for a resume."""
    torch.manual_seed(int(fingerprint.of_value([seed, step, number])[:15], 16))


def _failure(what: str, batches: list[MicroBatch], ranks: Ranks) -> StageError:
    """The same error on every rank, with the rows of all of them."""
    rows = [row for part in ranks.gather([row for batch in batches for row in batch.rows]) for row in part]
    shown = ", ".join(rows[:_NAMED_ROWS]) + (f" and {len(rows) - _NAMED_ROWS} more" if len(rows) > _NAMED_ROWS else "")
    return StageError(
        what,
        where=f"rows {shown}",
        mend="look at these rows (`curate-and-train inspect RUN --row ID`); or lower train.learning_rate",
    )
