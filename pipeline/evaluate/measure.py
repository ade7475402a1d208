"""The measuring processes: each rank takes its share of blocks, contender by contender, and records each as a part.

A block is some bins, or some prompts, of one contender. Which blocks there are depends on the run alone, so a run that
was stopped goes on with the blocks that are missing, also with another number of ranks.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers.utils import logging as transformers_logging

from pipeline.atomic import atomic_file
from pipeline.config import Recipe
from pipeline.errors import StageError
from pipeline.evaluate.champion import pointer_path
from pipeline.evaluate.contenders import Opened, contenders
from pipeline.evaluate.generate import generate_answers
from pipeline.evaluate.loss import example_losses
from pipeline.evaluate.metrics.controls import check_controls
from pipeline.evaluate.metrics.scorers import Scorers
from pipeline.evaluate.prompts import Prompt, choose_prompts
from pipeline.evaluate.scores import ANSWERS, LOSSES
from pipeline.evaluate.stage import CONTROLS, MEASURED, plan, rivals
from pipeline.pack.bins import Bins
from pipeline.run import RunDirectory, Stage
from pipeline.train.parallel import Ranks

__all__ = ["main", "measure_run"]

_BATCHES = 8
"""In a block."""


def main(arguments: Sequence[str]) -> None:
    """Measure the run in the directory `arguments[0]`, whose stage has the fingerprint `arguments[1]`.

    Raises:
        StageError: a self-check failed, or the champion changed since the process was started.
        InputError: a model or a tokenizer cannot be loaded.
    """
    run, recipe = RunDirectory.existing(arguments[0])
    stage = plan(run, recipe)
    if stage is None or stage.fingerprint != arguments[1]:
        raise StageError(
            "the inputs of the evaluation changed while it started; most likely another run became the champion",
            where=str(run.root),
            mend="run the same command again",
        )
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.use_deterministic_algorithms(True)
    with Ranks.join(recipe.device) as ranks:
        measure_run(stage, run, recipe, ranks.device, rank=ranks.rank, world=ranks.world)


def measure_run(
    stage: Stage, run: RunDirectory, recipe: Recipe, device: torch.device, *, rank: int = 0, world: int = 1
) -> None:
    """Commit every block that is this rank's and is not there yet.

    Raises:
        StageError: a self-check failed.
        InputError: a model or a tokenizer cannot be loaded.
    """
    prompts = choose_prompts(run.path("curated/test"), recipe.evaluate.generate, seed=recipe.seed)
    scorers = Scorers(recipe.evaluate)
    candidate, champion = rivals(run, recipe)
    assert candidate is not None  # `plan` saw it
    found = contenders(run, recipe, candidate, champion, pointer_path(run, recipe))
    done = stage.finished()
    if rank == 0 and CONTROLS not in done:
        controls = check_controls(prompts, scorers) if prompts else {}
        stage.commit(CONTROLS, {}, {"controls": controls, "uncompiled": scorers.uncompiled(prompts)})
    bins = sum(len(Bins.open(run.path(f"packed/{split}"))) for split in MEASURED)
    total = len(found) * (bins + len(prompts))
    for contender in found:
        if rank == 0:
            stage.commit(f"{contender.name}-tokens", {}, {"same": contender.same_tokens})
        with Opened.of(contender, run, recipe, device) as opened:
            for number, block in enumerate(_blocks(opened, prompts, scorers, recipe)):
                if number % world != rank:
                    continue
                if block.part not in done:
                    block.measure(stage)
                print(json.dumps({"add": block.size, "total": total, "note": contender.name}), flush=True)
        del opened
        gc.collect()  # one model in memory at a time


@dataclass(frozen=True, kw_only=True)
class _Block:
    part: str
    size: int
    file: str
    make: Callable[[], tuple[pa.Table, dict[str, int]]]

    def measure(self, stage: Stage) -> None:
        table, counts = self.make()
        path: Path = stage.run.path(self.file)
        with atomic_file(path) as beside:
            pq.write_table(table, beside, compression="zstd")
        stage.commit(self.part, {self.file: len(table)}, counts)


def _blocks(opened: Opened, prompts: Sequence[Prompt], scorers: Scorers, recipe: Recipe) -> Iterator[_Block]:
    batch = recipe.evaluate.batch
    name, several = opened.contender.name, batch * _BATCHES
    for split in MEASURED:
        bins = opened.bins(split)
        for first in range(0, len(bins), several):
            block = range(first, min(first + several, len(bins)))
            part = f"{name}-{split}-{first // several:05d}"

            def losses(block: range = block, bins: Bins = bins) -> tuple[pa.Table, dict[str, int]]:
                tables = [
                    example_losses(
                        opened.learner,
                        opened.tokenizer,
                        bins,
                        block[at : at + batch],
                        length=opened.contender.seq_length,
                        device=opened.device,
                    )
                    for at in range(0, len(block), batch)
                ]
                return pa.concat_tables([LOSSES.empty_table(), *tables]), {}

            yield _Block(part=part, size=len(block), file=f"evaluation/losses/{part}.parquet", make=losses)
    for first in range(0, len(prompts), several):
        chosen = prompts[first : first + several]
        part = f"{name}-answers-{first // several:05d}"

        def answers(chosen: Sequence[Prompt] = chosen) -> tuple[pa.Table, dict[str, int]]:
            return _answers(opened, chosen, scorers, recipe)

        yield _Block(part=part, size=len(chosen), file=f"evaluation/answers/{part}.parquet", make=answers)


def _answers(
    opened: Opened, prompts: Sequence[Prompt], scorers: Scorers, recipe: Recipe
) -> tuple[pa.Table, dict[str, int]]:
    """Let a contender answer some prompts, and score what it says."""
    tests = recipe.evaluate.unit_tests
    drawn = {prompt.id: tests.samples for prompt in prompts if tests and tests.samples > 1 and scorers.tests(prompt)}
    answers = generate_answers(
        opened.model,
        opened.tokenizer,
        prompts,
        stop_ids=opened.facts["stop_ids"],
        pad_id=opened.facts["pad_id"],
        context=opened.context,
        max_new_tokens=recipe.evaluate.max_new_tokens,
        batch=recipe.evaluate.batch,
        device=opened.device,
        drawn=drawn,
        temperature=tests.temperature if tests else 1.0,
        seed=recipe.seed,
    )
    rows = [
        {
            "id": prompt.id,
            "prompt": answers.prompts[prompt.id],
            "reference": prompt.reference,
            "prediction": answers.texts[prompt.id][0],
            "scores": sorted(scorers.score(prompt, answers.texts[prompt.id]).items()),
        }
        for prompt in prompts
    ]
    return pa.Table.from_pylist(rows, schema=ANSWERS), {"cut": answers.cut}
