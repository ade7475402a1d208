"""An observer of a training run: how it measures a loss on this rank, and what its steps cost."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from pipeline.errors import InputError
from pipeline.pack.bins import Bin, Bins
from pipeline.train.data import MicroBatch, collate, collate_alone
from pipeline.train.mfu import model_flops, peak_flops
from pipeline.train.observe import Observer
from pipeline.train.validation import validation_bins

if TYPE_CHECKING:
    from pipeline.train.setup import Training

__all__ = ["observer_of"]


def observer_of(training: Training, stop: threading.Event) -> Observer:
    """The observer of a training that stands where it stands.

    Args:
        training: what is observed.
        stop: set when the run is asked to stop.
    """
    engine, recipe, train = training.engine, training.recipe, training.recipe.training
    layout, pack = engine.layout, recipe.pack
    validation: list[list[Bin]] = []
    if train.validation is not None:
        bins = Bins.open(training.run.path("packed/validation"))
        if not len(bins):
            raise InputError(
                "there are no validation rows to measure train.validation on",
                where=str(training.run.path("packed/validation")),
                mend="raise curate.split.validation, give more data, or set train.validation: null",
            )
        validation = validation_bins(
            bins, count=train.validation.bins, micro_batch=train.micro_batch, rank=layout.data, world=layout.shares
        )

    def collated(bins: Sequence[Bin]) -> MicroBatch:
        if engine.learner.isolation == "alone":
            return collate_alone(bins, pad=training.pad).to(engine.ranks.device)
        batch = collate(bins, length=pack.seq_length, pad=training.pad, multiple=pack.pad_to_multiple_of)
        return (batch.share(*layout.place) if layout.place[1] > 1 else batch).to(engine.ranks.device)

    def bins_of(step: int) -> list[Bin]:
        entries = training.order.step(step)
        share = len(entries) // layout.shares
        mine = entries[layout.data * share : (layout.data + 1) * share]
        return [training.epochs.get(number, epoch if train.reshuffle else 0) for epoch, number in mine]

    given = train.track.peak_tflops
    dtype = torch.float32 if train.precision == "fp32" else torch.bfloat16
    return Observer(
        run=training.run,
        train=train,
        ranks=engine.ranks,
        layout=layout,
        model=engine.learner,
        # Of ranks that compute the same, one reports it.
        loss=lambda batch: engine.learner(batch) * layout.reports,
        collate=collated,
        bins_of=bins_of,
        squares_of=lambda step: int(sum(training.squares[number] for _, number in training.order.step(step))),
        slots=train.global_batch * pack.seq_length,
        flops=model_flops(engine.learner.model),
        peak=given * 1e12 if given else peak_flops(engine.ranks.device, dtype),
        validation=validation,
        after=training.state.step,
        unvalidated=training.state.unvalidated,
        stop=stop,
    )
