"""The stage `tokens`: the tokenizer, and every curated row as tokens and a mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import fingerprint
from pipeline.atomic import atomic_folder
from pipeline.config import Recipe
from pipeline.pack.jobs import nothing_to_train, run_jobs
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, Rows, RunDirectory, Stage
from pipeline.schema import SPLITS

if TYPE_CHECKING:
    from pipeline.pack.pretokenised import Documents, PretokenisedJob
    from pipeline.pack.tokenise import Job

__all__ = ["make_tokens", "plan_tokens"]

_VERSION = 5
_TRAINING_CHARACTERS = 1 << 30
"""A tokenizer is trained on at most about as many, of rows spread evenly: the trainer's memory and time."""
_FEW_BYTES = 4 << 20
"""Parquet below which starting workers takes longer than the work."""


def plan_tokens(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The `tokens` stage, or None while there are no curated rows.

    Raises:
        InputError: the tokenizer's folder or the template's file is not there.
    """
    from pipeline.pack.tokenizer import tokenizer_inputs

    curated = Manifest.read(run.path("curated"))
    if curated is None:
        return None
    config = recipe.pack.model_dump(mode="json", include={"loss", "mask_reasoning", "train_on_eos", "truncation_field"})
    if recipe.pack.tokenizer is None:
        config["vocab_size"] = recipe.pack.vocab_size
    inputs: dict[str, Any] = {"curated": curated.content_of("curated/"), **tokenizer_inputs(recipe.pack)}
    if recipe.pack.pretokenised:
        from pipeline.pack.pretokenised import files_inputs

        config["pretokenised"] = [spec.model_dump(mode="json") for spec in recipe.pack.pretokenised]
        inputs["pretokenised"] = [files_inputs(spec) for spec in recipe.pack.pretokenised]
    return Stage(
        run=run,
        name="tokens",
        version=_VERSION,
        config=config,
        inputs=inputs,
        folders=("tokens", "tokenizer"),
    )


def make_tokens(stage: Stage, recipe: Recipe) -> Manifest:
    """Make the tokenizer and tokenise every part; return the manifest.

    Raises:
        InputError: there is nothing to train a tokenizer on, no token that would be trained, or no row with a field
            that is to be cut first.
    """
    from pipeline.pack.cut_fields import ROLE_COUNTS, check_cut, check_fields
    from pipeline.pack.guard import MASKS, check_run
    from pipeline.pack.parts import make_part, make_part_on_worker
    from pipeline.pack.targets import Targets
    from pipeline.pack.tokenise import Job
    from pipeline.pack.tokenizer import describe_tokenizer, load_tokenizer

    parts = {split: sorted(stage.run.path(f"curated/{split}").glob("part-*.parquet")) for split in SPLITS}
    done = stage.begin()
    record = done.get("tokenizer") or _make_tokenizer(stage, recipe, parts["train"])
    folder = stage.run.path("tokenizer")
    tokenizer = load_tokenizer(folder)
    template, fields = str(tokenizer.chat_template), recipe.pack.truncation_fields
    check_fields(fields, template)
    about = describe_tokenizer(tokenizer, Targets.of(recipe.pack))
    content = fingerprint.of_value([[file.name, file.blake3] for file in record.files])
    documents = _documents(stage, recipe, about)
    jobs: list[Job | PretokenisedJob] = [
        Job(
            stage=stage,
            source=path,
            part=f"{split}-{path.stem.removeprefix('part-')}",
            output=f"tokens/{split}/{path.stem}.arrow",
            tokenizer=folder,
            tokenizer_content=content,
            targets=Targets.of(recipe.pack),
            stop_ids=tuple(about["stop_ids"]),
        )
        for split in SPLITS
        for path in parts[split]
    ]
    jobs += [job for one in documents for job in one.jobs]
    with Progress("tokens", total=len(jobs)) as progress:

        def count(one: PartRecord) -> None:
            progress.advance(rows=one.counts["rows"], bytes=one.counts["bytes"])

        records = [done[job.part] for job in jobs if job.part in done]
        for finished in records:
            count(finished)
        left = [job for job in jobs if job.part not in done]
        here = not recipe.cluster.joined and sum(job.source.stat().st_size for job in left) < _FEW_BYTES
        make = make_part if here else make_part_on_worker
        records += run_jobs(make, left, recipe.cluster, here=here, stage="tokens", on_done=count)
    splits = {
        split: {
            key: sum(one.counts[key] for one in records if one.part.startswith(f"{split}-"))
            for key in ("rows", "tokens", "targets", "characters", "bytes", *MASKS)
        }
        for split in SPLITS
    }
    check_run({key: sum(one[key] for one in splits.values()) for key in MASKS}, Targets.of(recipe.pack))
    check_cut(fields, template, {key: sum(one.counts.get(key, 0) for one in records) for key in ROLE_COUNTS})
    curated = Manifest.read(stage.run.path("curated"))
    expected = curated.rows["kept"] if curated and curated.rows else sum(one["rows"] for one in splits.values())
    expected += sum(curated.summary.get("earlier", {}).values()) if curated else 0
    rows = Rows(
        in_=expected + sum(one.documents for one in documents),
        kept=sum(one["rows"] for one in splits.values()),
        dropped=sum(one.left_out for one in documents),
    )
    fertility = {split: one["characters"] / max(one["tokens"], 1) for split, one in splits.items()}
    summary = {**about, "fertility": fertility, "splits": splits}
    if documents:
        pairs = zip(documents, recipe.pack.pretokenised, strict=True)
        summary["pretokenised"] = [one.summary(spec) for one, spec in pairs]
    return stage.finish(rows=rows, summary=summary)


def _documents(stage: Stage, recipe: Recipe, about: dict[str, Any]) -> list[Documents]:
    """What is taken of the files of tokens, if the recipe names any."""
    if not recipe.pack.pretokenised:
        return []
    from pipeline.pack.pretokenised import plan_documents

    boundary = about["eos_id"] if about["bos_id"] is None else about["bos_id"]
    return plan_documents(recipe.pack.pretokenised, stage, boundary=boundary, vocab_size=about["vocab_size"])


def _make_tokenizer(stage: Stage, recipe: Recipe, parts: Sequence[Path]) -> PartRecord:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from pipeline.pack.tokenise import contents
    from pipeline.pack.tokenizer import make_tokenizer

    characters = 0
    for part in parts:
        characters += pc.sum(pq.read_table(part, columns=["char_count"])["char_count"]).as_py() or 0
    if not recipe.pack.pretokenised and not sum(pq.read_metadata(part).num_rows for part in parts):
        curated = Manifest.read(stage.run.path("curated"))
        kept = f" (curation kept {curated.rows['kept']} of {curated.rows['in']})" if curated and curated.rows else ""
        raise nothing_to_train(f"the train split has no rows{kept}", stage.run.path("curated/train"))
    every = 1 + characters // _TRAINING_CHARACTERS
    folder = stage.run.path("tokenizer")
    with atomic_folder(folder) as beside:
        make_tokenizer(recipe.pack, lambda: contents(list(parts), every), beside)
    return stage.commit("tokenizer", {f"tokenizer/{path.name}": 0 for path in sorted(folder.iterdir())}, {})
