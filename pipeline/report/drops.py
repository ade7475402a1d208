"""What the ledger says, by rule, with a few lines of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow.parquet as pq

from pipeline.report.redaction import beginnings
from pipeline.run import Manifest, RunDirectory

__all__ = ["RuleDrops", "read_drops"]

_CHARACTERS = 300
"""Of a text that is shown."""

_STAGES = ("ingest", "clean", "redact", "filter", "decontaminate", "exact", "fuzzy", "substrings", "pack")


@dataclass(kw_only=True)
class RuleDrops:
    """The ledger's lines of one rule.

    Args:
        stage: of the ledger.
        rule: of the ledger.
        lines: how many; a row that failed several rules has a line of each.
        examples: the first of them, in the order of parts and rows.
    """

    stage: str
    rule: str
    lines: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


def read_drops(run: RunDirectory, *, examples: int = 5) -> list[RuleDrops] | None:
    """Count the ledger's lines by stage and rule, or return None before curation has finished.

    Rows that did not become an example (`packed/dropped`) are among them. An example is a row's id, the measured
    value, the bound, the evidence, and as `text` its redacted beginning: of a row that failed a rule the excerpt that
    curation kept, of a duplicate what `documents` holds, of others null. It is redacted for every entity, as the rows
    in `documents` need not be.
    """
    curated, packed = Manifest.read(run.path("ledger")), Manifest.read(run.path("packed"))
    if curated is None:
        return None
    names = [part["name"] for manifest in (curated, packed) if manifest for part in manifest.parts]
    drops: dict[tuple[str, str], RuleDrops] = {}
    for name in names:
        if not name.startswith(("ledger/", "packed/dropped/")):
            continue
        with pq.ParquetFile(run.path(name)) as file:
            for batch in file.iter_batches():
                _count(batch, drops, examples, name)
    _add_texts(run, drops.values())
    order = {stage: place for place, stage in enumerate(_STAGES)}
    return sorted(drops.values(), key=lambda one: (order.get(one.stage, len(order)), -one.lines, one.rule))


def _count(batch: Any, drops: dict[tuple[str, str], RuleDrops], examples: int, name: str) -> None:
    stages, rules = batch["stage"].to_pylist(), batch["rule"].to_pylist()
    for at, key in enumerate(zip(stages, rules, strict=True)):
        drop = drops.setdefault(key, RuleDrops(stage=key[0], rule=key[1]))
        drop.lines += 1
        if len(drop.examples) < examples:
            drop.examples += [{**line, "part": name, "text": None} for line in batch.slice(at, 1).to_pylist()]


def _add_texts(run: RunDirectory, drops: Iterable[RuleDrops]) -> None:
    documents = Manifest.read(run.path("documents"))
    excerpts = documents.summary.get("excerpts", {}) if documents else {}
    for drop in drops:
        for line in drop.examples:
            if drop.stage in ("filter", "decontaminate"):
                line["text"] = excerpts.get(drop.rule, {}).get(line["id"])
            elif drop.stage in ("exact", "fuzzy", "substrings"):
                line["text"] = _document(run, line["part"], line["id"])


def _document(run: RunDirectory, part: str, row: str) -> str | None:
    """The redacted beginning of a row of the documents part that has the number of the ledger's part."""
    path = run.path(part.replace("ledger/", "documents/"))
    if not path.exists():
        return None
    messages = pq.read_table(path, columns=["messages"], filters=[("id", "=", row)])["messages"].to_pylist()
    return beginnings(["\n\n".join(message["content"] for found in messages for message in found)], _CHARACTERS)[0]
