"""The first ten losses of a fixed run, to six digits: whoever changes them must say why.

After a change that is meant to: `GOLDEN=write pytest tests/train/test_golden.py`.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import torch

from pipeline.train.parallel import Ranks
from pipeline.train.setup import setup

from .conftest import MakeRun, assert_isclose

FILE = Path(__file__).with_name("golden_losses.json")


def test_the_first_ten_losses_are_those_of_the_file(make_run: MakeRun) -> None:
    run, recipe = make_run(steps=10, checkpoint_every=10)
    assert setup(run, recipe, Ranks(0, 1, torch.device("cpu"))).fit(threading.Event())
    lines = [json.loads(line) for line in (run.logs / "train.jsonl").read_text().splitlines()]
    found = [{key: line[key] for key in ("step", "loss", "grad_norm", "lr", "target_tokens")} for line in lines]
    if os.environ.get("GOLDEN") == "write":
        FILE.write_text(json.dumps(found, indent=1) + "\n")
    for left, right in zip(found, json.loads(FILE.read_text()), strict=True):
        assert (left["step"], left["lr"], left["target_tokens"]) == (right["step"], right["lr"], right["target_tokens"])
        # Updates multiply the last bits' differences between processors' matrix products.
        within = 1e-6 if left["step"] == 1 else 1e-4
        assert_isclose(left["loss"], right["loss"], within=within)
        assert_isclose(left["grad_norm"], right["grad_norm"], within=10 * within)
