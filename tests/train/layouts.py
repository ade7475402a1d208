"""`-m tests.train.layouts ANSWERS`: the first steps of many configurations, one after another, on the same ranks.

`ANSWERS.json` names run directories and what to change in their recipes; loss and gradient norm of each step are added.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline.config import Recipe
from pipeline.errors import ProjectError
from pipeline.run import RunDirectory
from pipeline.train.lifetime import run_rank
from pipeline.train.loop import train_step
from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup

STEPS = 2


def main(arguments: Sequence[str]) -> None:
    path = Path(arguments[0])
    questions = json.loads(path.read_text())
    torch.set_num_threads(1)
    with Ranks.join("cpu") as ranks:
        answers = [steps(question, ranks) for question in questions]
        if ranks.is_main:
            path.write_text(json.dumps(answers))


def steps(question: dict[str, Any], ranks: Ranks) -> dict[str, Any]:
    """`{"run": …, "train": {…}}` with what comes of it: `losses` and `norms`, or the `error`."""
    run, recipe = RunDirectory.existing(question["run"])
    changed = recipe.model_dump(mode="json")
    changed["train"] |= {**question["train"], "launch": {"nproc": ranks.world}}
    recipe = Recipe.model_validate(changed)
    try:
        training = setup(run, recipe, ranks)
    except ProjectError as error:
        return {**question, "error": str(error)}
    done = [
        train_step(
            training.engine, training._batches(step), step=step, train=recipe.training, seed=0, stop=threading.Event()
        )
        for step in range(STEPS)
    ]
    return {
        **question,
        "isolation": training.engine.learner.isolation,
        "losses": [one.loss for one in done if one],
        "norms": [one.grad_norm for one in done if one],
        "tokens": [one.tokens for one in done if one],
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    run_rank(main)
