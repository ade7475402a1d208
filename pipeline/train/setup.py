"""From a run directory to everything that `fit` needs, on each rank alike."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from peft import PeftModel
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from pipeline.config import Recipe
from pipeline.errors import InputError
from pipeline.pack.bins import Bin, Bins
from pipeline.pack.costs import attention_cost
from pipeline.pack.epochs import EpochBins
from pipeline.pack.seal import check_seal
from pipeline.run import RunDirectory
from pipeline.train import checkpoint
from pipeline.train.attention import probe_isolation
from pipeline.train.checkpoint import TrainState
from pipeline.train.data import MicroBatch, collate, micro_batches
from pipeline.train.loop import FlatGradient, fit, make_optimizer, nll
from pipeline.train.lora import add_adapters, load_adapter
from pipeline.train.mfu import model_flops, peak_flops
from pipeline.train.model import Tokenizer, load_model, load_tokenizer
from pipeline.train.observe import Observer
from pipeline.train.order import Order
from pipeline.train.parallel import Ranks
from pipeline.train.validation import validation_bins

__all__ = ["Training", "setup"]


@dataclass(kw_only=True)
class Training:
    """A training run, ready to go on."""

    run: RunDirectory
    recipe: Recipe
    ranks: Ranks
    bins: Bins
    epochs: EpochBins
    squares: NDArray[np.int64]
    """Σ length² over the examples of each bin."""
    order: Order
    tokenizer: Tokenizer
    model: PreTrainedModel | PeftModel
    parameters: dict[str, torch.nn.Parameter]
    """The trained ones by name."""
    optimizer: torch.optim.Optimizer
    state: TrainState

    def fit(self, stop: threading.Event) -> bool:
        """Train to the last step, or until `stop` is set on any rank; see `pipeline.train.loop.fit`."""
        observer = self._observer()
        try:
            return self._fit(stop, observer)
        finally:
            observer.close()

    def _fit(self, stop: threading.Event, observer: Observer) -> bool:
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
            report=observer.step,
            validate=observer.validate,
        )

    def _observer(self) -> Observer:
        train, ranks = self.recipe.training, self.ranks
        world = {"rank": ranks.rank, "world": ranks.world}
        validation: list[list[Bin]] = []
        if train.validation is not None:
            bins = Bins.open(self.run.path("packed/validation"))
            validation = validation_bins(bins, count=train.validation.bins, micro_batch=train.micro_batch, **world)
        given = train.track.peak_tflops
        return Observer(
            run=self.run,
            train=train,
            ranks=ranks,
            model=self.model,
            loss=lambda batch: nll(self.model, batch),
            collate=self._collate,
            bins_of=self._bins,
            squares_of=lambda step: int(sum(self.squares[number] for _, number in self.order.step(step))),
            slots=train.global_batch * self.recipe.pack.seq_length,
            flops=model_flops(self.model),
            peak=given * 1e12 if given else peak_flops(ranks.device, torch.float32),
            validation=validation,
            after=self.state.step,
        )

    def _bins(self, step: int) -> list[Bin]:
        """This rank's bins of a step, one micro batch after another."""
        entries = self.order.step(step)
        share = len(entries) // self.ranks.world
        mine = entries[self.ranks.rank * share : (self.ranks.rank + 1) * share]
        reshuffle = self.recipe.training.reshuffle
        return [self.epochs.get(number, epoch if reshuffle else 0) for epoch, number in mine]

    def _collate(self, bins: Sequence[Bin]) -> MicroBatch:
        pack = self.recipe.pack
        return collate(bins, length=pack.seq_length, pad=self._pad, multiple=pack.pad_to_multiple_of).to(
            self.ranks.device
        )

    @property
    def _pad(self) -> int:
        ids = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id)
        return next((id_ for id_ in ids if id_ is not None), 0)

    def _batches(self, step: int) -> list[MicroBatch]:
        return micro_batches(
            self.epochs,
            self.order,
            step=step,
            micro_batch=self.recipe.training.micro_batch,
            rank=self.ranks.rank,
            world=self.ranks.world,
            length=self.recipe.pack.seq_length,
            pad=self._pad,
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
                last=state.step == self.recipe.training.steps or state.stopped_early,
                keep_last=self.recipe.training.keep_last,
            )
        self.ranks.barrier()


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
    squares = attention_cost(lengths, first)
    costs = squares if train.balance else np.zeros(len(bins), np.int64)
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
        squares=squares,
        order=Order(costs, seed=recipe.seed, global_batch=train.global_batch),
        tokenizer=tokenizer,
        model=model,
        parameters=parameters,
        optimizer=optimizer,
        state=state,
    )
