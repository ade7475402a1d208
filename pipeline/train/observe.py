"""What a training run tells of itself: its lines, its spikes, its validation loss, and whether that still falls."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import torch

from pipeline import config
from pipeline.pack.bins import Bin
from pipeline.run import RunDirectory
from pipeline.train.data import MicroBatch
from pipeline.train.guards import spike_threshold, stalled, worst_rows
from pipeline.train.journal import Journal, step_line
from pipeline.train.loop import StepReport, Verdict
from pipeline.train.mesh import Layout
from pipeline.train.mfu import Flops
from pipeline.train.parallel import Ranks
from pipeline.train.tracking import Trackers
from pipeline.train.validation import Stopped, validation_loss

__all__ = ["Observer"]

_T = TypeVar("_T")

_NAMED_ROWS = 20
"""Rows of a spike in the log; the terminal gets three."""

_RECENT = 50
"""Steps whose median says how long the rest will take."""


@dataclass(kw_only=True)
class Observer:
    """Called by every rank after each step; only the main one writes.

    The histories that it decides by are the logs' own, so a resumed run decides as one that was never stopped.
    """

    run: RunDirectory
    train: config.Train
    ranks: Ranks
    layout: Layout
    model: torch.nn.Module
    loss: Callable[[MicroBatch], torch.Tensor]
    """This rank's part of the loss of a micro batch, in nats, summed over its targets."""
    collate: Callable[[Sequence[Bin]], MicroBatch]
    """Bins to a micro batch on the ranks' device."""
    bins_of: Callable[[int], list[Bin]]
    """This rank's bins of a step from 0."""
    squares_of: Callable[[int], int]
    """Σ length² over the examples of a step from 0, of all ranks."""
    slots: int
    """Tokens that a step has room for."""
    flops: Flops | None
    peak: float | None
    """FLOP/s of one device."""
    validation: list[list[Bin]]
    """This rank's micro batches of validation bins; empty where nothing is validated."""
    after: int
    """The step that the run stands at."""
    unvalidated: bool
    """The validation of that step was given up: a line of it is of an attempt that no checkpoint knows of."""
    stop: threading.Event
    """Set when the run is asked to stop."""
    _losses: list[float] = field(default_factory=list)
    _validated: list[float] = field(default_factory=list)
    _seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Open the logs where the run stands, on the main rank, and tell the others what they say."""
        kept: list[list[dict[str, Any]]] = [[], []]
        if self.ranks.is_main:
            logs = self.run.logs
            self._journal = Journal(logs / "train.jsonl", after=self.after)
            self._validations = Journal(logs / "validation.jsonl", after=self.after - self.unvalidated)
            self._spikes = Journal(logs / "spikes.jsonl", after=self.after)
            settings = self.train.model_dump(mode="json")
            name = self.run.root.name
            self._trackers = Trackers(self.train.track, logs, name=name, settings=settings, after=self.after)
            window = self.train.spikes.window if self.train.spikes else 0
            kept = [self._journal.kept[-window:] if window else [], self._validations.kept]
        steps, validations = self.ranks.gather(kept)[0]
        self._losses = [line["loss"] for line in steps]
        self._validated = [_compared(line["loss"]) for line in validations]

    def step(self, report: StepReport, seconds: float) -> None:
        """Write a step's line.

        Args:
            report: what it came to.
            seconds: it took, with the making of its batches.
        """
        if self.train.spikes is not None:
            threshold = spike_threshold(self._losses, self.train.spikes)
            if threshold is not None and report.loss > threshold:
                self._report_spike(report, threshold)
            self._losses = [*self._losses, report.loss][-self.train.spikes.window :]
        if not self.ranks.is_main:
            return
        entry = {**asdict(report), **self._speeds(report, seconds)}
        self._journal.write(entry)
        self._trackers.log(entry, prefix="train")
        # The first step of a process warms up.
        self._seconds = [*self._seconds, seconds][-_RECENT:]
        left = (self.train.steps - report.step) * statistics.median(self._seconds[1:] or self._seconds)
        print(step_line(entry, steps=self.train.steps, seconds_left=left), flush=True)

    def validate(self, step: int) -> Verdict | None:
        """Measure the validation loss if `step`, counted from 1, is one to do it at; None if it was given up."""
        section = self.train.validation
        if section is None or not self.validation or (step % section.every and step != self.train.steps):
            return Verdict()
        began = time.monotonic()
        try:
            loss, targets = self.measure()
        except Stopped:
            return None
        best = _compared(loss) < min(self._validated, default=math.inf)
        self._validated.append(_compared(loss))
        if self.ranks.is_main:
            seconds = time.monotonic() - began
            entry = {"step": step, "loss": loss, "target_tokens": targets, "best": best, "seconds": seconds}
            self._validations.write(entry)
            self._trackers.log(entry, prefix="validation")
            print(f"validation at step {step}: loss {loss:.4f}{' (best)' if best else ''}", flush=True)
        stop = stalled(self._validated, section)
        if stop and self.ranks.is_main:
            print(f"warning: stopped early at step {step}: no new best in {section.patience} validations", flush=True)
        return Verdict(stop=stop, keep=best and section.keep_best)

    def measure(self) -> tuple[float, int]:
        """The validation loss as the weights are, in nats for a target token, and how many targets there are.

        Raises:
            Stopped: any rank was asked to stop on the way.
        """
        return self._without_dropout(
            lambda: validation_loss(
                self.validation,
                loss=self.loss,
                collate=self.collate,
                ranks=self.ranks,
                counts=self.layout.counts,
                stop=self.stop,
            )
        )

    def close(self) -> None:
        """Finish the logs."""
        if self.ranks.is_main:
            for journal in (self._journal, self._validations, self._spikes):
                journal.close()
            self._trackers.close()

    def _speeds(self, report: StepReport, seconds: float) -> dict[str, float | None]:
        mfu = None
        if self.flops is not None and self.peak is not None:
            squares = self.squares_of(report.step - 1)
            needed = self.flops.of_step(tokens=report.tokens, targets=report.target_tokens, squares=squares)
            mfu = needed / seconds / (self.peak * self.ranks.world)
        return {
            "seconds": seconds,
            "slots_per_second": self.slots / seconds,
            "tokens_per_second": report.tokens / seconds,
            "target_tokens_per_second": report.target_tokens / seconds,
            "mfu": mfu,
        }

    def _report_spike(self, report: StepReport, threshold: float) -> None:
        bins = self.bins_of(report.step - 1)
        rows = self._without_dropout(
            lambda: worst_rows(
                bins,
                loss=self.loss,
                collate=self.collate,
                ranks=self.ranks,
                share=self.layout.data,
                most=_NAMED_ROWS,
            )
        )
        if not self.ranks.is_main:
            return
        self._spikes.write(
            {
                "step": report.step,
                "loss": report.loss,
                "threshold": threshold,
                "expected": statistics.median(self._losses),
                "rows": [asdict(row) for row in rows],
            }
        )
        named = ", ".join(row.id for row in rows[:3])
        print(
            f"warning: spike at step {report.step}: loss {report.loss:.4f} is above {threshold:.4f}; "
            f"the rows with the highest loss after it: {named} (more in logs/spikes.jsonl)",
            flush=True,
        )

    def _without_dropout(self, measure: Callable[[], _T]) -> _T:
        training = self.model.training
        self.model.eval()
        try:
            return measure()
        finally:
            self.model.train(training)


def _compared(loss: float) -> float:
    """A loss that is not a number is worse than any that is one, and no best, also as the first."""
    return math.inf if math.isnan(loss) else loss
