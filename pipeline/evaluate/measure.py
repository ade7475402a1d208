"""The measuring process: contenders on rows, self-checks, and the two files of `evaluation/`."""

from __future__ import annotations

import gc
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from transformers.utils import logging as transformers_logging

from pipeline.atomic import atomic_file, write_json
from pipeline.config import Recipe
from pipeline.errors import StageError
from pipeline.evaluate.champion import pointer_path
from pipeline.evaluate.contenders import MEASURED, Contender, Measurement, contenders, measure
from pipeline.evaluate.loss import LOSSES
from pipeline.evaluate.metrics import SCORES, check_controls, is_python, join, mean_scores, score
from pipeline.evaluate.prompts import Prompt, choose_prompts
from pipeline.evaluate.stage import PART, plan, rivals
from pipeline.pack.bins import Bins
from pipeline.run import Manifest, RunDirectory, Stage
from pipeline.train.parallel import Ranks

__all__ = ["PREDICTIONS", "main", "measure_run"]

_COLUMNS = ("before", "after", "champion")

PREDICTIONS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("prompt", pa.large_string(), nullable=False),
        pa.field("reference", pa.large_string(), nullable=False),
        pa.field("prediction", pa.large_string(), nullable=False),
        pa.field("exact_match", pa.bool_(), nullable=False),
        pa.field("rouge_l", pa.float64(), nullable=False),
        pa.field("parses", pa.bool_()),  # null where the reference is not Python
    ]
)
"""`evaluation/predictions.parquet`: what the trained model answered, by row id."""


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
        measure_run(stage, run, recipe, ranks.device)


def measure_run(stage: Stage, run: RunDirectory, recipe: Recipe, device: torch.device) -> None:
    """Measure every contender and commit the part.

    Raises:
        StageError: a self-check failed; nothing is written.
        InputError: a model or a tokenizer cannot be loaded.
    """
    prompts = choose_prompts(run.path("curated/test"), recipe.evaluate.generate, seed=recipe.seed)
    references = {prompt.id: prompt.reference for prompt in prompts}
    python = {key: is_python(reference) for key, reference in references.items()}
    controls = check_controls(references, python) if references else {}
    candidate, champion = rivals(run, recipe)
    assert candidate is not None  # `plan` saw it
    found = list(contenders(run, recipe, candidate, champion, pointer_path(run, recipe)))
    report = _Reporter(run, prompts, len(found))
    measured: dict[str, Measurement] = {}
    for contender in found:
        report.note = contender.name
        measured[contender.name] = measure(contender, run, recipe, prompts, device=device, on_done=report.add)
        _check_targets(contender, measured[contender.name], run)
        gc.collect()  # one model in memory at a time
    metrics = _metrics(found, measured, references, python)
    write_json(run.path("evaluation/metrics.json"), metrics)
    _write_predictions(run.path("evaluation/predictions.parquet"), measured["after"], references, python)
    stage.commit(
        PART,
        {"evaluation/metrics.json": 0, "evaluation/predictions.parquet": len(references)},
        {
            "metrics": metrics,
            "targets": {split: measured["after"].losses[split].targets for split in MEASURED},
            "prompts": len(prompts),
            "controls": controls,
            "notes": _notes(found, measured, prompts, recipe),
        },
    )


class _Reporter:
    """Prints a line for the launcher after each batch."""

    def __init__(self, run: RunDirectory, prompts: Sequence[Prompt], models: int) -> None:
        bins = sum(len(Bins.open(run.path(f"packed/{split}"))) for split in MEASURED)
        self.total, self.done, self.note = models * (bins + len(prompts)), 0, ""

    def add(self, count: int) -> None:
        self.done += count
        print(json.dumps({"done": self.done, "total": self.total, "note": self.note}), flush=True)


def _check_targets(contender: Contender, measurement: Measurement, run: RunDirectory) -> None:
    """The tokens that were counted must be those that the packed manifest promises."""
    if not contender.same_tokens:
        return
    manifest = Manifest.read(run.path("packed"))
    assert manifest is not None  # `plan` saw it
    for split in MEASURED:
        counted, promised = measurement.losses[split].targets, manifest.summary["splits"][split]["targets"]
        if counted != promised:
            raise StageError(
                f"self-check: {counted} target tokens were measured in {split}, but {promised} were packed",
                where=str(run.path(f"packed/{split}")),
                mend="this is a defect of the project: please report it with the run's manifests",
            )


def _metrics(
    found: Sequence[Contender],
    measured: Mapping[str, Measurement],
    references: Mapping[str, str],
    python: Mapping[str, bool],
) -> dict[str, dict[str, dict[str, float | None]]]:
    """`{split: {metric: {before, after, champion}}}`; null where a number does not exist or cannot be compared."""
    values: dict[str, dict[str, dict[str, float | None]]] = {
        split: {name: dict.fromkeys(_COLUMNS) for name in (*LOSSES, *(SCORES if split == "test" else ()))}
        for split in MEASURED
    }
    for contender in found:
        for split in MEASURED:
            for name, value in measured[contender.name].losses[split].metrics().items():
                # A loss a token, of other tokens, is another quantity.
                if contender.same_tokens or name == "bits_per_byte":
                    values[split][name][contender.name] = value
        scores = [
            score(prediction, reference, python=python[key])
            for key, prediction, reference in join(measured[contender.name].answers.texts, references)
        ]
        for name, value in mean_scores(scores).items():
            values["test"][name][contender.name] = value
    return values


def _write_predictions(
    path: Path, after: Measurement, references: Mapping[str, str], python: Mapping[str, bool]
) -> None:
    rows = []
    for key, prediction, reference in join(after.answers.texts, references):
        one = score(prediction, reference, python=python[key])
        rows.append(
            {
                "id": key,
                "prompt": after.answers.prompts[key],
                "reference": reference,
                "prediction": prediction,
                "exact_match": one.exact_match == 1.0,
                "rouge_l": one.rouge_l,
                "parses": None if one.parses is None else one.parses == 1.0,
            }
        )
    with atomic_file(path) as beside:
        pq.write_table(pa.Table.from_pylist(rows, schema=PREDICTIONS), beside, compression="zstd")


def _notes(
    found: Sequence[Contender], measured: Mapping[str, Measurement], prompts: Sequence[Prompt], recipe: Recipe
) -> list[str]:
    """What a reader of the numbers must know."""
    notes = []
    if len(prompts) < recipe.evaluate.generate:
        notes.append(f"{len(prompts)} test rows have a prompt and an answer; evaluate.generate asks for more")
    for contender in found:
        if cut := measured[contender.name].answers.cut:
            notes.append(f"{contender.name}: {cut} prompts were too long for the model and lost their beginning")
        if not contender.same_tokens:
            notes.append(
                f"{contender.name}: it has another tokenizer or a shorter context, "
                "so its loss a token cannot be compared; bits a byte can"
            )
    return notes
