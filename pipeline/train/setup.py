"""From a run directory to everything that `fit` needs, on each rank alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from peft import PeftModel
from torch.distributed.fsdp import FSDPModule
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from pipeline import config, fingerprint
from pipeline.config import Recipe
from pipeline.errors import InputError
from pipeline.pack.bins import Bins
from pipeline.pack.costs import attention_cost, windowed_cost
from pipeline.pack.epochs import EpochBins
from pipeline.pack.seal import check_seal
from pipeline.run import RunDirectory
from pipeline.train import checkpoint
from pipeline.train.activation import checkpoint_activations
from pipeline.train.attention import share_sequence
from pipeline.train.cautions import cautions
from pipeline.train.checkpoint import Checkpoints, TrainState
from pipeline.train.compiled import compile_layers
from pipeline.train.data import MicroBatch, micro_batches
from pipeline.train.export import export
from pipeline.train.gradients import FlatGradient, Gradient, ShardedGradient
from pipeline.train.isolation import isolate, probe_bins
from pipeline.train.learner import Isolation, Learner
from pipeline.train.loop import Engine, StepReport, fit
from pipeline.train.lora import add_adapters, unadapted
from pipeline.train.mesh import Layout, reads_together
from pipeline.train.model import Tokenizer, load_model, load_tokenizer
from pipeline.train.optimizer import make_optimizer
from pipeline.train.order import Order
from pipeline.train.parallel import Ranks
from pipeline.train.precision import Weights, compute_in, local, to_float8
from pipeline.train.served import cannot_share
from pipeline.train.shard import shard
from pipeline.train.watching import observer_of

__all__ = ["Training", "engine_of", "setup"]


@dataclass(kw_only=True)
class Training:
    """A training run, ready to go on."""

    run: RunDirectory
    recipe: Recipe
    bins: Bins
    epochs: EpochBins
    squares: NDArray[np.int64]
    """Σ length² over the examples of each bin, as far as the model's layers see."""
    order: Order
    tokenizer: Tokenizer
    fresh: Callable[[], PreTrainedModel | PeftModel]
    """Makes the model as it was before it was trained, cast or cut."""
    engine: Engine
    state: TrainState

    def fit(self, stop: threading.Event) -> bool:
        """Train to the last step, or until `stop` is set on any rank; see `pipeline.train.loop.fit`."""
        ranks, train = self.engine.ranks, self.recipe.training
        self._checkpoints = Checkpoints(self.run.path("checkpoints"), ranks, keep_last=train.keep_last)
        observer = observer_of(self, stop)

        def report(done: StepReport, seconds: float) -> None:
            observer.step(done, seconds)
            self._checkpoints.check()

        try:
            finished = fit(
                self.engine,
                self.state,
                train=train,
                seed=self.recipe.seed,
                batches=self._batches,
                stop=stop,
                save=self._save,
                report=report,
                validate=observer.validate,
            )
        except BaseException:
            # What was begun becomes whole all the same, while there is a process group: without one it never does.
            with suppress(Exception):
                self._checkpoints.close()
            raise
        finally:
            observer.close()
        self._checkpoints.close()
        ranks.barrier()
        return finished

    @property
    def pad(self) -> int:
        """The token that fills bins."""
        ids = (self.tokenizer.pad_token_id, self.tokenizer.eos_token_id)
        return next((id_ for id_ in ids if id_ is not None), 0)

    def _batches(self, step: int) -> list[MicroBatch]:
        layout = self.engine.layout
        alone = self.engine.learner.isolation == "alone"
        batches = micro_batches(
            self.epochs,
            self.order,
            step=step,
            micro_batch=self.recipe.training.micro_batch,
            rank=layout.data,
            world=layout.shares,
            length=self.recipe.pack.seq_length,
            pad=self.pad,
            multiple=self.recipe.pack.pad_to_multiple_of,
            reshuffle=self.recipe.training.reshuffle,
            alone=alone,
        )
        return [batch.share(*layout.place) for batch in batches] if layout.place[1] > 1 else batches

    def _save(self, state: TrainState) -> None:
        weights = self.engine.weights
        last = (state.step == self.recipe.training.steps or state.stopped_early) and not state.unvalidated
        model = self.engine.learner.model
        if last and state.best_step is not None and state.best_step != state.step:
            self._take_best(state.best_step)
        self._checkpoints.save(
            state,
            weights,
            self.engine.optimizer,
            facts={
                "bins": self.bins.fingerprint,
                "upcoming": _upcoming(self.order)(state.step),
                "parameters": {
                    "trainable": weights.numel(),
                    "total": sum(parameter.numel() for parameter in model.parameters()),
                },
            },
            export=(lambda folder: export(self.engine, self.fresh, self.run.path("tokenizer"), folder))
            if last
            else None,
        )

    def _take_best(self, step: int) -> None:
        """End with the weights of the least validation loss."""
        self._checkpoints.wait()
        engine = self.engine
        best = self.run.path("checkpoints") / f"step-{step:08d}"
        checkpoint.load(best, engine.weights, engine.optimizer, step=step, ranks=engine.ranks)
        if engine.ranks.is_main:
            print(f"the model is that of step {step}, with the least validation loss", flush=True)


def setup(run: RunDirectory, recipe: Recipe, ranks: Ranks) -> Training:
    """Load bins, tokenizer and model, lay them out over the ranks, and take the newest checkpoint if there is one.

    Raises:
        InputError: no such model or tokenizer, or no bins.
        RecipeError: the model's configuration, an adapter's pattern or the parallelism is wrong.
        RunDirectoryError: the checkpoint is of other bins, or the bins of another tokenizer or chat template.
        StageError: the model is not causal.
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
    first, lengths = bins.places()
    squares = attention_cost(lengths, first)
    costs = squares if train.balance else np.zeros(len(bins), np.int64)
    order = Order(costs, seed=recipe.seed, global_batch=train.global_batch)
    resumed = checkpoint.newest(run.path("checkpoints"))
    state = (
        checkpoint.read_state(resumed, bins=bins.fingerprint, upcoming=_upcoming(order)) if resumed else TrainState()
    )
    tokenizer = load_tokenizer(run.path("tokenizer"))
    check_seal(tokenizer, run, run.path("tokenizer"))

    def fresh() -> PreTrainedModel | PeftModel:
        lora = train.method == "lora"
        plain = load_model(
            train.model,
            tokenizer,
            seed=recipe.seed,
            seq_length=recipe.pack.seq_length,
            frozen=lora,
            quantize=train.lora.quantize if lora else None,
            compute=torch.float32 if train.precision == "fp32" else torch.bfloat16,
        )
        return add_adapters(plain, train.lora, seed=recipe.seed) if lora else plain

    engine = engine_of(fresh, recipe, ranks, vocab_size=len(tokenizer))
    if engine.learner.windows is not None:
        squares = windowed_cost(lengths, first, engine.learner.windows.counted())
    if resumed:
        checkpoint.load(resumed, engine.weights, engine.optimizer, step=state.step, ranks=ranks)
    return Training(
        run=run,
        recipe=recipe,
        bins=bins,
        epochs=EpochBins(bins, seed=recipe.seed),
        squares=squares,
        order=order,
        tokenizer=tokenizer,
        fresh=fresh,
        engine=engine,
        state=state,
    )


def engine_of(
    fresh: Callable[[], PreTrainedModel | PeftModel], recipe: Recipe, ranks: Ranks, *, vocab_size: int
) -> Engine:
    """Lay a model out over the ranks, and give it its optimiser.

    Args:
        fresh: makes the whole model, equal on every rank, in the machine's memory.
        recipe: with a section `train`.
        ranks: all must call this.
        vocab_size: tokens that may be tried on the model.
    """
    train = recipe.training
    layout = Layout.of(train.parallel, ranks)
    dtype = torch.float32 if train.precision == "fp32" else torch.bfloat16
    share_sequence(None)
    learner, partial, exact = _placed(fresh, train, ranks, layout, dtype=dtype, vocab_size=vocab_size)
    model = learner.model
    way = isolate(learner, vocab_size=vocab_size, length=recipe.pack.seq_length, device=ranks.device, dtype=dtype)
    _warn(way, train, ranks)
    if ranks.is_main and train.method == "lora" and (note := unadapted(learner.plain)):
        print(f"warning: {note}", flush=True)
    for module in learner.modules():
        if isinstance(module, FSDPModule):
            module.reshard()  # after a forward pass alone, FSDP leaves what its root gathered
    if train.precision == "float8":
        to_float8(model, ranks.device)
    checkpoint_activations(learner.plain, train.activation_checkpointing)
    compile_layers(learner.plain, train, ranks.device)
    share_sequence(layout.context())
    weights = Weights({name: value for name, value in model.named_parameters() if value.requires_grad}, exact)
    tensor = layout.tensor()
    gradient: Gradient = (
        ShardedGradient(weights, learner, partial=partial, tensor=tensor.get_group() if tensor else None)
        if layout.sharded
        else FlatGradient(weights, ranks)
    )
    optimizer = make_optimizer(weights.masters, train)
    return Engine(learner=learner, weights=weights, gradient=gradient, optimizer=optimizer, ranks=ranks, layout=layout)


def _placed(
    fresh: Callable[[], PreTrainedModel | PeftModel],
    train: config.Train,
    ranks: Ranks,
    layout: Layout,
    *,
    dtype: torch.dtype,
    vocab_size: int,
) -> tuple[Learner, list[str], dict[torch.nn.Parameter, torch.Tensor]]:
    """The learner on its device, whole or cut, what `shard` says of it, and what `compute_in` says.

    Models are equal by construction; the first rank's word makes sure of it, as with any other data-parallel training.
    """
    together = reads_together(train.parallel, ranks.device)
    if layout.sharded:
        layout.fsdp()  # ranks meet to make its groups: not in their turns

    def place() -> tuple[tuple[Learner, list[str], dict[torch.nn.Parameter, torch.Tensor]], int]:
        model = fresh()
        read = sum(one.numel() * one.element_size() for one in model.parameters())
        if together:
            ranks.broadcast_([*model.parameters(), *model.buffers()])
        learner = Learner(model).train()
        learner.find_head(probe_bins(vocab_size))
        partial: list[str] = []
        exact: dict[torch.nn.Parameter, torch.Tensor] = {}
        if layout.sharded:
            partial = shard(learner, layout, dtype=dtype)
        else:
            exact = compute_in(model, dtype, keep="lora_" if train.method == "lora" and train.lora.dtype else None)
        torch.nn.Module.to(learner, ranks.device)  # of what is cut, the shards: the whole model is never there
        read += sum(parameter.numel() * parameter.element_size() for parameter in exact)  # beside what they were
        exact = {parameter: value.to(ranks.device) for parameter, value in exact.items()}
        return (learner, partial, exact), read

    if together:
        return place()[0]
    learner, partial, exact = ranks.in_turns(place)
    ranks.broadcast_([*learner.buffers(), *(() if layout.sharded else learner.parameters()), *exact.values()])
    if layout.sharded:
        copies = layout.fsdp().get_group("copies")
        for one in learner.parameters():  # each shard has a rank's word of its own, and every copy the same
            if local(one).numel():  # a rank may hold none of a short vector
                dist.broadcast(local(one.detach()), group=copies, group_src=0)
    return learner, partial, exact


def _warn(way: Isolation, train: config.Train, ranks: Ranks) -> None:
    """Say where packing cannot be had, and what is most likely not meant.

    Raises:
        RecipeError: context parallel cannot do without bounds.
    """
    if way != "bounds" and train.parallel.context > 1:
        raise cannot_share(train.parallel.context)
    for caution in cautions(train) if ranks.is_main else ():
        print(f"warning: {caution}", flush=True)
    if way == "mask" and ranks.is_main:
        print(
            "warning: the model does not attend within given bounds, so a whole bin is masked: right, and slower",
            flush=True,
        )
    if way == "alone" and ranks.is_main:
        print(
            "warning: the model lets examples of one bin see each other, so each is trained in a row by itself, "
            "padded to the longest of its micro batch: right, and slower than packed",
            flush=True,
        )


def _upcoming(order: Order) -> Callable[[int], str]:
    """The fingerprint of the bins that a step takes."""
    return lambda step: fingerprint.of_value(order.step(step))
