"""From a run directory to everything that `fit` needs, on each rank alike."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from pipeline.config import Recipe
from pipeline.errors import InputError
from pipeline.pack.bins import Bins
from pipeline.pack.costs import attention_cost
from pipeline.pack.epochs import EpochBins
from pipeline.pack.seal import check_seal
from pipeline.run import RunDirectory
from pipeline.train import checkpoint
from pipeline.train.attention import probe_isolation
from pipeline.train.checkpoint import TrainState
from pipeline.train.data import MicroBatch, micro_batches
from pipeline.train.journal import Journal
from pipeline.train.loop import FlatGradient, StepReport, fit, make_optimizer
from pipeline.train.lora import add_adapters, load_adapter
from pipeline.train.model import Tokenizer, load_model, load_tokenizer
from pipeline.train.order import Order
from pipeline.train.parallel import Ranks

__all__ = ["Training", "setup"]


@dataclass(kw_only=True)
class Training:
    """A training run, ready to go on."""

    run: RunDirectory
    recipe: Recipe
    ranks: Ranks
    bins: Bins
    epochs: EpochBins
    order: Order
    tokenizer: Tokenizer
    model: PreTrainedModel | PeftModel
    parameters: dict[str, torch.nn.Parameter]
    """The trained ones by name."""
    optimizer: torch.optim.Optimizer
    state: TrainState

    def fit(self, stop: threading.Event) -> bool:
        """Train to the last step, or until `stop` is set on any rank; see `pipeline.train.loop.fit`."""
        if self.ranks.is_main:
            self._journal = Journal(self.run.logs / "train.jsonl", after=self.state.step)
        return fit(
            self.model,
            self.optimizer,
            FlatGradient(self.parameters),
            self.state,
            train=self.recipe.training,
            seed=self.recipe.seed,
            ranks=self.ranks,
            batches=self._batches,
            stop=stop,
            save=self._save,
            report=self._report,
        )

    def _batches(self, step: int) -> list[MicroBatch]:
        tokenizer = self.tokenizer
        return micro_batches(
            self.epochs,
            self.order,
            step=step,
            micro_batch=self.recipe.training.micro_batch,
            rank=self.ranks.rank,
            world=self.ranks.world,
            length=self.recipe.pack.seq_length,
            pad=next((id_ for id_ in (tokenizer.pad_token_id, tokenizer.eos_token_id) if id_ is not None), 0),
            multiple=self.recipe.pack.pad_to_multiple_of,
            reshuffle=self.recipe.training.reshuffle,
        )

    def _save(self, state: TrainState) -> None:
        if self.ranks.is_main:
            checkpoint.save(
                self.run.path("checkpoints"),
                state,
                model=self.model,
                optimizer=self.optimizer,
                parameters=self.parameters,
                tokenizer=self.run.path("tokenizer"),
                bins=self.bins.fingerprint,
                last=state.step == self.recipe.training.steps,
                keep_last=self.recipe.training.keep_last,
            )
        self.ranks.barrier()

    def _report(self, report: StepReport) -> None:
        if self.ranks.is_main:
            self._journal.write(report, steps=self.recipe.training.steps)


def setup(run: RunDirectory, recipe: Recipe, ranks: Ranks) -> Training:
    """Load bins, tokenizer and model, and the newest checkpoint if there is one.

    Raises:
        InputError: no such model or tokenizer, or no bins.
        RecipeError: the model's configuration or an adapter's pattern is wrong.
        RunDirectoryError: the checkpoint is of other bins, or the bins of another tokenizer or chat template.
        StageError: the model lets packed rows see each other.
    """
    torch.use_deterministic_algorithms(True)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if not ranks.is_main:
        transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    train = recipe.training
    bins = Bins.open(run.path("packed/train"))
    if len(bins) == 0:
        raise InputError(
            "there is nothing to train on: packed/train has no bins",
            where=str(run.path("packed/train")),
            mend="loosen the rules or the split; the report's funnel shows where the rows went",
        )
    resumed = checkpoint.newest(run.path("checkpoints"))
    state = checkpoint.read_state(resumed, bins=bins.fingerprint) if resumed else TrainState()
    first, lengths = bins.places()
    costs = attention_cost(lengths, first) if train.balance else np.zeros(len(bins), np.int64)
    tokenizer = load_tokenizer(run.path("tokenizer"))
    check_seal(tokenizer, run, run.path("tokenizer"))
    lora = train.method == "lora"
    plain = load_model(
        train.model,
        tokenizer,
        seed=recipe.seed,
        seq_length=recipe.pack.seq_length,
        weights=resumed / "model" if resumed and not lora else None,
        frozen=lora,
    )
    model: PreTrainedModel | PeftModel = plain
    if lora:
        model = add_adapters(plain, train.lora, seed=recipe.seed)
        if resumed:
            load_adapter(model, resumed / "adapter")
    torch.nn.Module.to(model, ranks.device).train()
    # Equal by construction; rank 0's word makes sure of it, as with any other data-parallel training.
    ranks.broadcast_([*model.parameters(), *model.buffers()])
    probe_isolation(model, vocab_size=len(tokenizer), device=ranks.device)
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    optimizer = make_optimizer(parameters, train)
    if resumed:
        checkpoint.load_optimizer(resumed, optimizer, parameters)
    return Training(
        run=run,
        recipe=recipe,
        ranks=ranks,
        bins=bins,
        epochs=EpochBins(bins, seed=recipe.seed),
        order=Order(costs, seed=recipe.seed, global_batch=train.global_batch),
        tokenizer=tokenizer,
        model=model,
        parameters=parameters,
        optimizer=optimizer,
        state=state,
    )
