"""`-m tests.train.traced RUN TRACE [STEP]`: a rank that notes which rows it takes in which step.

With STEP, a real allocator is asked there for more memory than there is.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline.config import Recipe
from pipeline.run import RunDirectory
from pipeline.train.lifetime import run_rank
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup


def main(arguments: Sequence[str]) -> None:
    run, recipe = RunDirectory.existing(arguments[0])
    with Ranks.join("cpu") as ranks:
        trace(run, recipe, ranks, Path(arguments[1]), *map(int, arguments[2:]))


def trace(run: RunDirectory, recipe: Recipe, ranks: Ranks, path: Path, out_of_memory: int = -1) -> None:
    training = setup(run, recipe, ranks)
    own = training._batches

    def noted(step: int) -> Any:
        batches = own(step)
        if step == out_of_memory:
            torch.empty(1 << 50)
        with path.open("a") as stream:
            stream.write(json.dumps([step, [row for batch in batches for row in batch.rows]]) + "\n")
        return batches

    training._batches = noted  # type: ignore[method-assign]
    assert training.fit(threading.Event())


if __name__ == "__main__":
    run_rank(main)
