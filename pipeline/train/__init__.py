"""Train on packed bins: torchrun in a process of its own, checkpoints, exact resume. Torch is only in the ranks."""

from __future__ import annotations

import json
import sys

from pipeline.config import Recipe
from pipeline.errors import StageError
from pipeline.progress import Progress
from pipeline.run import Manifest, RunDirectory, Stage
from pipeline.train.journal import parse_line
from pipeline.train.launcher import launch
from pipeline.train.origin import model_fingerprint

__all__ = ["join", "plan", "train"]

_VERSION = 3

_SAME_WEIGHTS = (
    *("launch", "checkpoint_every", "keep_last", "parallel", "activation_checkpointing", "compile"),
    *("spikes", "track"),
)
"""Keys of `train` that say how, and not what."""


def plan(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The stage, or None while `pack` has not finished.

    What does not change the weights is no part of its fingerprint: how often checkpoints are written, what is
    logged, `launch`, and what is cut or computed twice to save memory. These change the order of float sums, and so
    the last bits, but nothing that was asked for: a finished training is not repeated because the machine has another
    number of cores.

    Raises:
        InputError: the recipe's model folder does not exist.
    """
    packed, tokenizer = Manifest.read(run.path("packed")), Manifest.read(run.path("tokenizer"))
    if packed is None or tokenizer is None:
        return None
    section = recipe.training
    unused = {*_SAME_WEIGHTS}
    if section.method == "full":
        unused.add("lora")
    watched = section.validation
    if watched is None or (watched.patience is None and not watched.keep_best):
        unused.add("validation")  # it only looks
    return Stage(
        run=run,
        name="train",
        version=_VERSION,
        config={
            **section.model_dump(mode="json", exclude=unused),
            "seed": recipe.seed,
            "seq_length": recipe.pack.seq_length,
        },
        inputs={
            "packed": packed.content,
            "tokenizer": tokenizer.content,
            "model": model_fingerprint(section.model),
        },
        folders=("checkpoints",),
    )


def train(run: RunDirectory, recipe: Recipe) -> Manifest:
    """Train to the last step, from the newest checkpoint if a run of the same fingerprint was interrupted.

    Raises:
        Preempted: stopped by SIGTERM; run the same command again.
        InputError: no such model; RecipeError: its configuration is wrong; MachineError: no GPU, disk full.
        StageError: a rank failed, the loss is not finite, or `pack` has not run.
    """
    stage = plan(run, recipe)
    if stage is None:
        raise StageError(
            "there are no packed rows to train on", where=str(run.root), mend="run `curate-and-train pack RECIPE` first"
        )
    if manifest := stage.manifest():
        return manifest
    stage.begin()
    _launch(run, recipe, log="train.log")
    # The last step's, or that of an early stop.
    final = max(path.parent for path in run.path("checkpoints").glob("step-*/state.json"))
    state = json.loads((final / "state.json").read_text(encoding="utf-8"))
    # Not the shards: their order within a file, and so their bytes, are torch's own affair.
    files = sorted(path for path in final.rglob("*") if path.is_file() and path.parent.name != "shards")
    stage.commit(final.name, {path.relative_to(run.root).as_posix(): 0 for path in files}, {})
    return stage.finish(
        summary={
            "steps": state["step"],
            "stopped_early": state["stopped_early"],
            "first_loss": state["first_loss"],
            "last_loss": state["last_loss"],
            "tokens": state["tokens"],
            "target_tokens": state["target_tokens"],
            "parameters": state["parameters"],
            "checkpoint": final.name,
        }
    )


def join(run: RunDirectory, recipe: Recipe) -> None:
    """Take part in the training of the machine with `node_rank` 0, which alone holds the run directory and writes it.

    Raises:
        Preempted: stopped by SIGTERM, here or there.
        StageError: a rank failed, `pack` has not run, or the others did not come.
    """
    stage = plan(run, recipe)
    if stage is None:
        raise StageError(
            "there are no packed rows to train on", where=str(run.root), mend="run `curate-and-train pack RECIPE` first"
        )
    if stage.manifest() is None:
        _launch(run, recipe, log=f"train-node-{recipe.training.launch.node_rank}.log")


def _launch(run: RunDirectory, recipe: Recipe, *, log: str) -> None:
    section = recipe.training
    with Progress("train", total=section.steps, unit="steps") as progress:

        def show(line: str) -> None:
            if line.startswith("warning: "):
                print(line, file=sys.stderr, flush=True)
            elif parsed := parse_line(line):
                step, note = parsed
                progress.advance(step - progress.done, note=note)

        launch(
            "pipeline.train",
            [str(run.root)],
            nproc=section.launch.nproc,
            grace=section.launch.grace,
            log=run.logs / log,
            on_line=show,
            nodes=section.launch,
        )
