"""The stages `tokens` and `packed`: plan them, run them, say what they made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import fingerprint
from pipeline.atomic import atomic_folder
from pipeline.cluster import dask_client, run_parts
from pipeline.config import Cluster, Recipe
from pipeline.errors import InputError, RunDirectoryError
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, Rows, RunDirectory, Stage
from pipeline.schema import SPLITS

if TYPE_CHECKING:
    from pipeline.pack.pretokenised import Documents, PretokenisedJob
    from pipeline.pack.tokenise import Job
    from pipeline.pack.write import Job as WriteJob
    from pipeline.pack.write import SplitBins

__all__ = ["pack", "plan", "plan_tokens"]

_TOKENS_VERSION = 3
_PACKED_VERSION = 5
_TRAINING_CHARACTERS = 1 << 30
"""A tokenizer is trained on at most about as many, of rows spread evenly: the trainer's memory and time."""
_FEW_BYTES = 4 << 20
"""Parquet below which starting workers takes longer than the work."""
_FEW_FILES = 5
"""Files of bins below which it does: one a split, and two more."""


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
    if recipe.pack.pretokenised is not None:
        from pipeline.pack.pretokenised import files_inputs

        config["pretokenised"] = recipe.pack.pretokenised.model_dump(mode="json")
        inputs["pretokenised"] = files_inputs(recipe.pack.pretokenised)
    return Stage(
        run=run,
        name="tokens",
        version=_TOKENS_VERSION,
        config=config,
        inputs=inputs,
        folders=("tokens", "tokenizer"),
    )


def plan(run: RunDirectory, recipe: Recipe) -> Stage | None:
    """The `packed` stage, or None while the tokens of this recipe are not there.

    Raises:
        InputError: the tokenizer's folder or the template's file is not there.
    """
    stage = plan_tokens(run, recipe)
    tokens = stage.manifest() if stage else None
    return _plan_packed(run, recipe, tokens) if tokens else None


def pack(run: RunDirectory, recipe: Recipe) -> Manifest:
    """Tokenise and pack the curated rows, or reuse what is there; return the manifest of `packed`.

    Raises:
        RunDirectoryError: nothing is curated.
        InputError: no such tokenizer or template, nothing to train on, a row too long under `overflow: raise`.
    """
    stage = plan_tokens(run, recipe)
    if stage is None:
        raise RunDirectoryError(
            "there are no curated rows to pack", where=str(run.root), mend="run `curate-and-train curate RECIPE` first"
        )
    tokens = stage.manifest() or _tokenise(stage, recipe)
    packed = _plan_packed(run, recipe, tokens)
    return packed.manifest() or _pack(packed, recipe, tokens)


def _plan_packed(run: RunDirectory, recipe: Recipe, tokens: Manifest) -> Stage:
    return Stage(
        run=run,
        name="packed",
        version=_PACKED_VERSION,
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


def _tokenise(stage: Stage, recipe: Recipe) -> Manifest:
    from pipeline.pack.guard import MASKS, check_run
    from pipeline.pack.targets import Targets
    from pipeline.pack.tokenise import Job
    from pipeline.pack.tokenizer import describe_tokenizer, load_tokenizer

    parts = {split: sorted(stage.run.path(f"curated/{split}").glob("part-*.parquet")) for split in SPLITS}
    done = stage.begin()
    record = done.get("tokenizer") or _make_tokenizer(stage, recipe, parts["train"])
    folder = stage.run.path("tokenizer")
    about = describe_tokenizer(load_tokenizer(folder))
    content = fingerprint.of_value([[file.name, file.blake2b] for file in record.files])
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
    jobs += documents.jobs if documents else []
    with Progress("tokens", total=len(jobs)) as progress:

        def count(one: PartRecord) -> None:
            progress.advance(rows=one.counts["rows"], bytes=one.counts["bytes"])

        records = [done[job.part] for job in jobs if job.part in done]
        for finished in records:
            count(finished)
        records += _run([job for job in jobs if job.part not in done], recipe.cluster, count)
    splits = {
        split: {
            key: sum(one.counts[key] for one in records if one.part.startswith(f"{split}-"))
            for key in ("rows", "tokens", "targets", "characters", "bytes", *MASKS)
        }
        for split in SPLITS
    }
    check_run({key: sum(one[key] for one in splits.values()) for key in MASKS}, Targets.of(recipe.pack))
    curated = Manifest.read(stage.run.path("curated"))
    expected = curated.rows["kept"] if curated and curated.rows else sum(one["rows"] for one in splits.values())
    rows = Rows(
        in_=expected + (documents.documents if documents else 0),
        kept=sum(one["rows"] for one in splits.values()),
        dropped=documents.left_out if documents else 0,
    )
    fertility = {split: one["characters"] / max(one["tokens"], 1) for split, one in splits.items()}
    summary = {**about, "fertility": fertility, "splits": splits}
    if documents and recipe.pack.pretokenised is not None:
        summary["pretokenised"] = documents.summary(recipe.pack.pretokenised)
    return stage.finish(rows=rows, summary=summary)


def _documents(stage: Stage, recipe: Recipe, about: dict[str, Any]) -> Documents | None:
    """What is taken of the files of tokens, if the recipe names any."""
    from pipeline.pack.pretokenised import plan_documents

    if recipe.pack.pretokenised is None:
        return None
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
    if recipe.pack.pretokenised is None and not sum(pq.read_metadata(part).num_rows for part in parts):
        raise _nothing_to_train("the train split has no rows", stage.run.path("curated/train"))
    every = 1 + characters // _TRAINING_CHARACTERS
    folder = stage.run.path("tokenizer")
    with atomic_folder(folder) as beside:
        make_tokenizer(recipe.pack, lambda: contents(list(parts), every), beside)
    return stage.commit("tokenizer", {f"tokenizer/{path.name}": 0 for path in sorted(folder.iterdir())}, {})


def _run(
    jobs: Sequence[Job | PretokenisedJob], cluster: Cluster, on_done: Callable[[PartRecord], None]
) -> list[PartRecord]:
    """Run the jobs on Dask workers, or here where they are few and small."""
    from pipeline.pack.parts import make_part, make_part_on_worker

    if not jobs:
        return []
    size = sum(job.source.stat().st_size for job in jobs)
    if cluster.address is None and size < _FEW_BYTES:
        records = []
        for job in jobs:
            records.append(make_part(job))
            on_done(records[-1])
        return records
    with dask_client(cluster) as client:
        return run_parts(client, make_part_on_worker, jobs, stage="tokens", on_done=on_done)


def _pack(stage: Stage, recipe: Recipe, tokens: Manifest) -> Manifest:
    from pipeline.pack.write import COUNTS, Job, write_dropped

    blend: dict[str, dict[str, int]] = {}
    splits = [_split(stage.run, recipe, split, blend, tokens.summary["bos_id"]) for split in SPLITS]
    train = splits[0].fate.account
    if not train.rows:
        reasons = ", ".join(f"{one['rows']} {rule}" for rule, one in train.dropped.items() if one["rows"])
        raise _nothing_to_train(f"none of the train split's {train.rows_in} rows is left ({reasons})", stage.run.root)
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
        records += _write([job for job in jobs if job.file.part not in done], recipe.cluster, count)
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


def _write(jobs: Sequence[WriteJob], cluster: Cluster, on_done: Callable[[PartRecord], None]) -> list[PartRecord]:
    """Write the files of bins on Dask workers, or here where there are few."""
    from pipeline.pack.write import write_part

    if len(jobs) < _FEW_FILES:
        records = []
        for job in jobs:
            records.append(write_part(job))
            on_done(records[-1])
        return records
    with dask_client(cluster) as client:
        return run_parts(client, write_part, jobs, stage="packed", on_done=on_done)


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


def _nothing_to_train(what: str, where: Path) -> InputError:
    return InputError(
        what,
        where=str(where),
        mend="give more data, loosen `curate.rules`, raise `curate.split.train`, or see why rows went with "
        "`curate-and-train inspect RUN --dropped`",
    )
