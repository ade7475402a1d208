"""The learning rate: a function of the step, so there is no scheduler whose state could be lost."""

from __future__ import annotations

import math

from pipeline import config

__all__ = ["learning_rate"]


def learning_rate(step: int, train: config.Train) -> float:
    """Of a step counted from 0: linear warm-up to the peak, then down to its final share at the last step.

    `wsd` (Hu et al. 2024, MiniCPM) stays at the peak until the last `train.decay` of the steps and falls in a line.
    """
    if step < train.warmup:
        return train.learning_rate * (step + 1) / train.warmup
    last = train.steps - 1
    match train.schedule:
        case "constant":
            return train.learning_rate
        case "wsd":
            # The step before the fall, at the peak; never within the warm-up.
            begin = max(train.warmup, train.steps - max(1, round(train.decay * train.steps)) - 1)
        case _:
            begin = train.warmup
    done = min(max(step - begin, 0) / max(last - begin, 1), 1.0)
    left = 0.5 * (1 + math.cos(math.pi * done)) if train.schedule == "cosine" else 1.0 - done
    return train.learning_rate * (train.final_learning_rate + (1 - train.final_learning_rate) * left)
