"""From blocks to the files of `evaluation/`: every row's scores, their means and intervals, and the self-checks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import atomic_file, write_json
from pipeline.config import Recipe
from pipeline.errors import StageError
from pipeline.evaluate.prompts import Prompt
from pipeline.evaluate.scores import ANSWERS, LOSSES, SCORES, interval, mean, of_losses
from pipeline.run import Manifest, PartRecord, RunDirectory, Stage

__all__ = ["COLUMNS", "CONTROLS", "MEASURED", "PART", "summarise"]

MEASURED = ("validation", "test")
"""The splits that no model was trained on."""

COLUMNS = ("before", "after", "champion")

PART, CONTROLS = "evaluation", "controls"
"""Names of parts: the summary, and what the scorers said of copies of the references."""

_ALWAYS = {"validation": ("loss", "bits_per_byte"), "test": ("loss", "bits_per_byte", "exact_match", "f1", "rouge_l")}
"""What `metrics.json` names even where no row has it."""

_MAX_EXPONENT = 700.0
"""exp of more is not a finite float64."""


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """A contender's scores of one measure on the rows of a split: `ids` and float64 [rows, 2]."""

    split: str
    contender: str
    metric: str
    ids: pa.Array
    scores: NDArray[np.float64]


def summarise(
    stage: Stage, run: RunDirectory, recipe: Recipe, prompts: Sequence[Prompt], names: Mapping[str, bool]
) -> PartRecord:
    """Check the blocks, and write `metrics.json`, `details.json`, `scores.parquet` and `predictions.parquet`.

    Args:
        stage: with every block committed.
        run: whose rows were measured.
        recipe: of the run.
        prompts: the rows that were answered.
        names: contenders → whether they have the run's tokens.

    Raises:
        StageError: rows or target tokens are missing, or are others than were asked for; nothing is written.
    """
    records = stage.finished()
    losses = {split: {name: _losses(run, name, split) for name in names} for split in MEASURED}
    answers = {name: _answers(run, name, prompts) for name in names}
    _check_rows(losses, names, run)
    scored = list(_scored(losses, answers, names))
    kinds = {source.name: source.kind for source in recipe.sources}
    write_json(run.path("evaluation/metrics.json"), metrics := _metrics(scored))
    write_json(run.path("evaluation/details.json"), _details(scored, kinds))
    lines = _write_scores(run.path("evaluation/scores.parquet"), scored, kinds)
    _write(run.path("evaluation/predictions.parquet"), answers["after"])
    return stage.commit(
        PART,
        {
            "evaluation/metrics.json": 0,
            "evaluation/details.json": 0,
            "evaluation/scores.parquet": lines,
            "evaluation/predictions.parquet": len(prompts),
        },
        {
            "metrics": metrics,
            "targets": {split: pc.sum(losses[split]["after"]["targets"]).as_py() or 0 for split in MEASURED},
            "prompts": len(prompts),
            "controls": records[CONTROLS].counts["controls"],
            "notes": [*_notes(records, names, prompts, recipe), *_other_rows(losses, names)],
        },
    )


def _losses(run: RunDirectory, name: str, split: str) -> pa.Table:
    """The losses of a contender by row, by id; a row that was split over bins has them in one."""
    files = sorted(run.path("evaluation/losses").glob(f"{name}-{split}-*.parquet"))
    table = pa.concat_tables([LOSSES.empty_table(), *(pq.read_table(file, schema=LOSSES) for file in files)])
    whole = table.group_by("id").aggregate([(column, "sum") for column in LOSSES.names[1:]])
    return whole.rename_columns([name.removesuffix("_sum") for name in whole.column_names]).sort_by("id")


def _answers(run: RunDirectory, name: str, prompts: Sequence[Prompt]) -> pa.Table:
    """The answers of a contender by id, held against the rows that were to be answered: by id, never by position."""
    files = sorted(run.path("evaluation/answers").glob(f"{name}-answers-*.parquet"))
    table = pa.concat_tables([ANSWERS.empty_table(), *(pq.read_table(file, schema=ANSWERS) for file in files)])
    table = table.sort_by("id")
    references = {prompt.id: prompt.reference for prompt in prompts}
    found = dict(zip(table["id"].to_pylist(), table["reference"].to_pylist(), strict=True))
    if found != references or len(table) != len(references):
        odd = sorted(key for key in {*found, *references} if found.get(key) != references.get(key))
        raise StageError(
            f"self-check: {len(odd)} rows have a prediction or a reference, but not both",
            where=f"{name}, row {odd[0] if odd else 'twice'}",
            mend="this is a defect of the project: please report it with the run's manifests",
        )
    return table


def _check_rows(losses: Mapping[str, Mapping[str, pa.Table]], names: Mapping[str, bool], run: RunDirectory) -> None:
    """Every contender was measured on the same rows, and on as many target tokens as the packed manifest promises."""
    manifest = Manifest.read(run.path("packed"))
    assert manifest is not None  # `plan` saw it
    for split in MEASURED:
        promised = manifest.summary["splits"][split]["targets"]
        for name in (name for name, same_tokens in names.items() if same_tokens):
            table = losses[split][name]
            counted = pc.sum(table["targets"]).as_py() or 0
            if counted != promised or not table["id"].equals(losses[split]["after"]["id"]):
                raise StageError(
                    f"self-check: {counted} target tokens were measured in {split}, but {promised} were packed",
                    where=f"{name}, {run.path(f'packed/{split}')}",
                    mend="this is a defect of the project: please report it with the run's manifests",
                )


def _scored(
    losses: Mapping[str, Mapping[str, pa.Table]], answers: Mapping[str, pa.Table], names: Mapping[str, bool]
) -> Iterator[_Scored]:
    for split in MEASURED:
        for contender, table in losses[split].items():
            for metric, scores in of_losses(table).items():
                # A loss a token, of other tokens, is another quantity.
                if names[contender] or metric != "loss":
                    ids = table["id"].combine_chunks()
                    yield _Scored(split=split, contender=contender, metric=metric, ids=ids, scores=scores)
    for contender, table in answers.items():
        found: dict[str, list[tuple[str, float]]] = {}
        for key, scores in zip(table["id"].to_pylist(), table["scores"].to_pylist(), strict=True):
            for metric, value in scores:
                found.setdefault(metric, []).append((key, value))
        for metric, rows in sorted(found.items()):
            yield _Scored(
                split="test",
                contender=contender,
                metric=metric,
                ids=pa.array([key for key, _ in rows], pa.string()),
                scores=np.array([[value, 1.0] for _, value in rows]),
            )


def _metrics(scored: Sequence[_Scored]) -> dict[str, dict[str, dict[str, float | None]]]:
    """`{split: {metric: {before, after, champion}}}`; null where a number does not exist or cannot be compared."""
    values: dict[str, dict[str, dict[str, float | None]]] = {
        split: {name: dict.fromkeys(COLUMNS) for name in names} for split, names in _ALWAYS.items()
    }
    for one in scored:
        values[one.split].setdefault(one.metric, dict.fromkeys(COLUMNS))[one.contender] = mean(one.scores)
    for split in MEASURED:
        values[split]["perplexity"] = {
            name: math.exp(loss) if loss is not None and loss < _MAX_EXPONENT else None
            for name, loss in values[split]["loss"].items()
        }
    return values


def _details(scored: Sequence[_Scored], kinds: Mapping[str, str]) -> dict[str, dict[str, dict[str, Any]]]:
    """`{split: {metric or metric@part: {contender: {value, low, high, rows}}}}`, a part being a source or a kind."""
    details: dict[str, dict[str, dict[str, Any]]] = {split: {} for split in MEASURED}
    for one in scored:
        sources = _sources(one.ids)
        parts = {"": np.ones(len(one.ids), np.bool_)}
        parts |= {f"@{name}": sources == name for name in np.unique(sources)}
        kind_of = np.array([kinds.get(name, "tokens") for name in sources.tolist()])
        # Last, so that a kind wins over a source of the same name; `promote` takes both to mean either.
        parts |= {f"@{name}": (kind_of == name) | (sources == name) for name in np.unique(kind_of)}
        for part, here in parts.items():
            ratio = one.metric in ("loss", "bits_per_byte")
            bounds = interval(one.scores[here], ratio=ratio) if here.any() else None
            details[one.split].setdefault(f"{one.metric}{part}", {})[one.contender] = {
                "value": mean(one.scores[here]),
                "low": bounds[0] if bounds else None,
                "high": bounds[1] if bounds else None,
                "rows": int(here.sum()),
            }
    return details


def _write_scores(path: Path, scored: Sequence[_Scored], kinds: Mapping[str, str]) -> int:
    lines = 0
    with atomic_file(path) as beside, pq.ParquetWriter(beside, SCORES, compression="zstd") as writer:
        for one in scored:
            sources = _sources(one.ids)
            table = pa.table(
                {
                    "split": pa.repeat(one.split, len(one.ids)),
                    "contender": pa.repeat(one.contender, len(one.ids)),
                    "metric": pa.repeat(one.metric, len(one.ids)),
                    "source": pa.array(sources, pa.string()),
                    "kind": pa.array([kinds.get(name, "tokens") for name in sources.tolist()], pa.string()),
                    "id": one.ids,
                    "value": one.scores[:, 0],
                    "weight": one.scores[:, 1],
                }
            )
            writer.write_table(table.cast(SCORES))
            lines += len(one.ids)
    return lines


def _write(path: Path, table: pa.Table) -> None:
    with atomic_file(path) as beside:
        pq.write_table(table, beside, compression="zstd")


def _sources(ids: pa.Array) -> NDArray[np.object_]:
    """The source of each row: what its id begins with."""
    return np.array([key.partition("/")[0] for key in ids.to_pylist()], dtype=object)


def _other_rows(losses: Mapping[str, Mapping[str, pa.Table]], names: Mapping[str, bool]) -> Iterator[str]:
    """In a bin of other tokens a row may keep no target: its columns then stand for fewer rows than the others'."""
    for split in MEASURED:
        ids = {name: set(losses[split][name]["id"].to_pylist()) for name in names}
        for name in names:
            if lacking := len(ids["after"] - ids[name]):
                yield f"{name}: {lacking} {split} rows lose their answer in its tokens; its means are without them"


def _notes(
    records: Mapping[str, PartRecord], names: Mapping[str, bool], prompts: Sequence[Prompt], recipe: Recipe
) -> list[str]:
    """What a reader of the numbers must know."""
    notes = []
    if len(prompts) < recipe.evaluate.generate:
        notes.append(f"{len(prompts)} test rows have a prompt and an answer; evaluate.generate asks for more")
    if count := records[CONTROLS].counts["uncompiled"]:
        notes.append(f"{count} test rows are Verilog, which is not compiled: iverilog is not installed")
    for name, same_tokens in names.items():
        cut = sum(one.counts.get("cut", 0) for part, one in records.items() if part.startswith(f"{name}-answers-"))
        if cut:
            notes.append(f"{name}: {cut} prompts were too long for the model and lost their beginning")
        if not same_tokens:
            notes.append(
                f"{name}: it has another tokenizer or a shorter context, "
                "so its loss a token cannot be compared; bits a byte can"
            )
    return notes
