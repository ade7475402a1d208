"""Write `report.html`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any

import jinja2
import pyarrow.parquet as pq

from pipeline import __version__, fingerprint
from pipeline.atomic import write_text
from pipeline.config import Recipe
from pipeline.curate.decontaminate.index import HALVES
from pipeline.report.charts import bar_chart, line_chart
from pipeline.report.drops import read_drops
from pipeline.report.funnel import conservation, funnel, read_metrics
from pipeline.report.packing import read_packing
from pipeline.report.redaction import beginnings, shortened
from pipeline.report.rules import read_rules
from pipeline.run import Manifest, RunDirectory

__all__ = ["report"]

_FOLDERS = (
    "documents", "duplicates", "contamination", "substrings", "curated",
    "tokens", "packed", "checkpoints", "evaluation", "promotion",
)  # fmt: skip
_PACKAGES = ("numba", "pyarrow", "dask", "tokenizers", "torch", "transformers", "peft", "torchmetrics")
_SAMPLES, _GENERATIONS = 4, 8
_EXCERPT = 600
"""Characters of a text that are shown."""


def report(run: RunDirectory, recipe: Recipe) -> Path:
    """Write the page of a run and return its path; what has not run yet is said to be missing.

    The page is one file that requests nothing: no script, font, image or style sheet. All text of rows on it is
    redacted for every entity, whatever the recipe says.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"count": _count, "share": _share, "number": _number, "excerpt": _excerpt}
    path = run.path("report.html")
    write_text(path, environment.get_template("report.html.jinja").render(**_facts(run, recipe)))
    return path


def _facts(run: RunDirectory, recipe: Recipe) -> dict[str, Any]:
    packing = read_packing(run)
    curves = list(_training(run))
    return {
        "name": run.root.absolute().name,
        "steps": funnel(run),
        "equation": conservation(run),
        "rules": read_rules(run),
        "drops": read_drops(run),
        "substrings": _summary(run, "substrings") if recipe.curate.dedup.substrings else None,
        "leakage": (_summary(run, "curated") or {}).get("leakage"),
        "evaluation_sets": _evaluation_sets(run),
        "test_split": _summary(run, "contamination"),
        "samples": _samples(run, recipe.seed),
        "packing": packing,
        "ends": {
            name: split
            for name, split in (_summary(run, "tokens") or {}).get("splits", {}).items()
            if split.get("conversations")
        },
        "blend": (_summary(run, "packed") or {}).get("blend", {}),
        "lengths": {
            name: bar_chart(
                split.lengths.tolist(), low=0, high=split.seq_length, x="tokens in an example", y=f"examples ({name})"
            )
            for name, split in (packing or {}).items()
            if split.examples
        },
        "training": _curves(curves),
        "last": curves[-1] if curves else None,
        "recipe": recipe,
        "metrics": read_metrics(run),
        "evaluation": _summary(run, "evaluation"),
        "generations": _generations(run),
        "decision": _summary(run, "promotion"),
        "recipe_fingerprint": recipe.fingerprint(),
        "manifests": {name: manifest for name in _FOLDERS if (manifest := Manifest.read(run.path(name)))},
        "versions": dict(_versions()),
    }


def _summary(run: RunDirectory, folder: str) -> dict[str, Any] | None:
    manifest = Manifest.read(run.path(folder))
    return manifest.summary if manifest else None


def _evaluation_sets(run: RunDirectory) -> dict[str, dict[str, Any]]:
    """Evaluation set → what is known of it, and in how many rows something of each half was found."""
    documents = _summary(run, "documents") or {}
    found = documents.get("contaminated", {})
    return {
        name: {
            **known,
            "too_short": sum(known["too_short"].values()),
            "found": {half: found[f"{name} {half}"] for half in HALVES if f"{name} {half}" in found},
        }
        for name, known in documents.get("evaluation", {}).items()
    }


def _training(run: RunDirectory) -> Iterator[dict[str, Any]]:
    """The logged steps in their order; of a step that a resumed run did again, the last line counts."""
    log = run.logs / "train.jsonl"
    if not log.exists():
        return
    steps: dict[int, dict[str, Any]] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
            steps[int(entry["step"])] = entry
        except (ValueError, KeyError, TypeError):
            continue  # the last line of a killed run may be half a line
    for step in sorted(steps):
        yield steps[step]


def _curves(entries: list[dict[str, Any]]) -> dict[str, Any]:
    names = {"loss": "loss", "grad_norm": "gradient norm", "lr": "learning rate"}
    curves = {}
    for name, label in names.items():
        points = [(entry["step"], entry[name]) for entry in entries if isinstance(entry.get(name), int | float)]
        if points:
            curves[label] = line_chart(points, x="step", y=label)
    return curves


def _samples(run: RunDirectory, seed: int) -> list[dict[str, Any]]:
    """A few kept rows of the training split, drawn from its first part by a seeded hash."""
    manifest = Manifest.read(run.path("curated"))
    parts = [part for part in manifest.parts if part["name"].startswith("curated/train/")] if manifest else []
    first = next((part for part in parts if part["rows"]), None)
    if first is None:
        return []
    with pq.ParquetFile(run.path(first["name"])) as file:
        rows = file.read_row_group(0, columns=["id", "source", "kind", "messages"]).slice(0, 1000)
    order = sorted(range(len(rows)), key=lambda at: fingerprint.of_bytes(f"{seed}:{rows['id'][at]}".encode()))
    chosen = [row for at in sorted(order[:_SAMPLES]) for row in rows.slice(at, 1).to_pylist()]
    for row in chosen:
        contents = beginnings([message["content"] for message in row["messages"]], _EXCERPT)
        row["messages"] = [
            {"role": message["role"], "content": content}
            for message, content in zip(row["messages"], contents, strict=True)
        ]
    return chosen


def _generations(run: RunDirectory) -> list[dict[str, Any]]:
    """Eight predictions, spread evenly over the rows in the order of their ids."""
    if Manifest.read(run.path("evaluation")) is None:
        return []
    rows: list[dict[str, Any]] = pq.read_table(run.path("evaluation/predictions.parquet")).to_pylist()
    count = min(_GENERATIONS, len(rows))
    chosen = [rows[at * len(rows) // count] for at in range(count)]
    for name in ("prompt", "reference", "prediction"):
        for row, shown in zip(chosen, beginnings([row[name] for row in chosen], _EXCERPT), strict=True):
            row[name] = shown
    return chosen


def _versions() -> Iterator[tuple[str, str]]:
    yield "curate-and-train", __version__
    yield "python", python_version()
    for package in _PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue


def _count(value: int) -> str:
    return f"{value:,}"


def _share(value: float) -> str:
    return f"{value:.2%}"


def _number(value: object) -> str:
    """A measured number for people; a dash where there is none."""
    if value is None:
        return "–"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        return f"{value:,.0f}"
    if isinstance(value, float):
        return f"{value:,.4f}" if 1e-3 <= abs(value) < 1e6 or value == 0 else f"{value:.3g}"
    return str(value)


def _excerpt(text: str | None) -> str:
    return shortened(text or "", _EXCERPT)
