"""The stage `packed`: examples dealt into bins, and the bins written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.config import Recipe
from pipeline.pack.jobs import nothing_to_train, run_jobs
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, Rows, RunDirectory, Stage
from pipeline.schema import SPLITS

if TYPE_CHECKING:
    from pipeline.pack.write import SplitBins

__all__ = ["make_bins", "plan_packed"]

_VERSION = 7
_FEW_FILES = 5
"""Files of bins below which starting workers takes longer than the work: one a split, and two more."""


def plan_packed(run: RunDirectory, recipe: Recipe, tokens: Manifest) -> Stage:
    """The stage, after `tokens`."""
    return Stage(
        run=run,
        name="packed",
        version=_VERSION,
        config={
            "seq_length": recipe.pack.seq_length,
            "pad_to_multiple_of": recipe.pack.pad_to_multiple_of,
            "overflow": recipe.pack.overflow,
            "truncation_method": recipe.pack.truncation_method,
            "fertility": recipe.pack.fertility.model_dump(mode="json") if recipe.pack.fertility else None,
            "seed": recipe.seed,
            **({"blend": recipe.blend.model_dump(mode="json")} if recipe.blend else {}),
        },
        inputs={"tokens": tokens.content},
        folders=("packed",),
    )


def make_bins(stage: Stage, recipe: Recipe, tokens: Manifest) -> Manifest:
    """Deal every split into bins and write them; return the manifest.

    Raises:
        InputError: no row of the train split is left, or one is too long under `overflow: raise`.
    """
    from pipeline.pack.write import COUNTS, Job, write_dropped, write_part

    blend: dict[str, dict[str, int]] = {}
    splits = [_split(stage.run, recipe, split, blend, tokens.summary["bos_id"]) for split in SPLITS]
    train = splits[0].fate.account
    if not train.rows:
        reasons = ", ".join(f"{one['rows']} {rule}" for rule, one in train.dropped.items() if one["rows"])
        raise nothing_to_train(f"none of the train split's {train.rows_in} rows is left ({reasons})", stage.run.root)
    done = stage.begin()
    layouts = stage.run.path("packed/_parts/layouts")  # gone with the records when the stage finishes
    jobs = []
    for split in splits:
        split.layout.save(layouts / split.split)
        folder = stage.run.path(f"tokens/{split.split}")
        jobs += [
            Job(stage=stage, tokens=folder, layout=layouts / split.split, file=file, seq_length=recipe.pack.seq_length)
            for file in split.files()
        ]
    with Progress("packed", total=len(jobs), unit="files") as progress:

        def count(one: PartRecord) -> None:
            progress.advance(rows=one.counts["examples"], bytes=4 * one.counts["tokens"])

        records = [done[job.file.part] for job in jobs if job.file.part in done]
        for finished in records:
            count(finished)
        left = [job for job in jobs if job.file.part not in done]
        here = len(left) < _FEW_FILES
        records += run_jobs(write_part, left, recipe.cluster, here=here, stage="packed", on_done=count)
        for split in splits:
            mine = [one.counts for one in records if one.part.startswith(f"{split.split}-")]
            split.check({key: sum(counts[key] for counts in mine) for key in COUNTS})
        ledger = "packed/dropped/part-00000.parquet"
        dropped = write_dropped(stage.run.path(ledger), splits)
        stage.commit("dropped", {ledger: dropped}, {})
        progress.advance(0, dropped=dropped)
    about = {key: value for key, value in tokens.summary.items() if key != "splits"}
    rows_in = tokens.rows["kept"] if tokens.rows else 0
    return stage.finish(
        rows=Rows(
            in_=rows_in,
            kept=sum(split.fate.account.rows - split.fate.account.repeated_rows for split in splits),
            dropped=dropped,
        ),
        summary={
            **about,
            "seq_length": recipe.pack.seq_length,
            "pad_to_multiple_of": recipe.pack.pad_to_multiple_of,
            "splits": {split.split: split.summary() for split in splits},
            **({"blend": blend} if blend else {}),
        },
        parts=len(jobs) + 1,
    )


def _split(
    run: RunDirectory, recipe: Recipe, split: str, blend: dict[str, dict[str, int]], bos_id: int | None
) -> SplitBins:
    """Deal a split into bins; `blend` is told what the train split is made of."""
    from pipeline.pack.blend import blended
    from pipeline.pack.overflow import decide
    from pipeline.pack.tokens import TokenRows
    from pipeline.pack.write import SplitBins

    rows, length = TokenRows.open(run.path(f"tokens/{split}")), recipe.pack.seq_length
    survey = rows.survey()
    fate = decide(
        survey,
        length,
        recipe.pack.overflow,
        recipe.pack.fertility,
        split=split,
        rows=rows,
        method=recipe.pack.truncation_method,
        bos_id=bos_id,
    )
    if recipe.blend is not None and split == "train":
        fate, shares = blended(fate, survey, rows, recipe.blend, seed=recipe.seed)
        blend.update(shares)
    multiple = recipe.pack.pad_to_multiple_of
    return SplitBins.of(split, rows, fate, seq_length=length, seed=recipe.seed, multiple=multiple)
