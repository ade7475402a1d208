"""What is watched while a model trains: `train.validation`, `train.spikes`, `train.track`."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.section import Section

__all__ = ["Spikes", "Track", "Validation"]


class Validation(Section):
    """The loss on `packed/validation` while training."""

    every: int = Field(50, ge=1)
    """Steps; and after the last one."""
    bins: int | None = Field(None, ge=1)
    """The first so many bins; null is all of them."""
    patience: int | None = Field(None, ge=1)
    """Stop early after so many measurements without a new best; null never stops."""
    min_delta: float = Field(0.0, ge=0)
    """Nats by which a loss must be below the last best for `patience` to count it as a new one; `keep_best` keeps the
    least loss all the same."""
    keep_best: bool = False
    """Write a checkpoint at each new best, keep the last of these, and end with its model, not the last step's."""


class Spikes(Section):
    """When a step's loss counts as a spike, reported with its rows in `logs/spikes.jsonl`."""

    window: int = Field(50, ge=5)
    """Steps before it that it is compared with; fewer than 5 make no spike."""
    deviations: float = Field(6.0, gt=0)
    """Above their median, in deviations: 1.4826 × the median absolute deviation, at least 1 % of the median."""


class Track(Section):
    """Where the numbers of `logs/train.jsonl` go besides."""

    every: int = Field(1, ge=1)
    """Steps."""
    tensorboard: bool = False
    """Event files in `logs/tensorboard`."""
    wandb: str | None = None
    """A Weights & Biases project; WANDB_MODE, WANDB_ENTITY and the like are read from the environment."""
    mlflow: str | None = None
    """An MLflow tracking URI (`http://…`, `sqlite:///…`); the experiment is MLFLOW_EXPERIMENT_NAME."""
    peak_tflops: float | None = Field(None, gt=0)
    """Of one device, dense, for the column `mfu`; null takes it from a table, and leaves `mfu` out for others."""
