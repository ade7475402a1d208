"""What each rule takes away, in all and alone."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config import Bound
from pipeline.run import Manifest, RunDirectory

__all__ = ["RuleCount", "read_rules"]


@dataclass(frozen=True, kw_only=True)
class RuleCount:
    """A rule of a run.

    Attributes:
        rule: its name.
        bounds: kind of row → its bound, for people; with the signal where the rule is not called like it.
        failed: rows that fail it.
        alone: rows that fail no other rule, and would stay without it.
    """

    rule: str
    bounds: dict[str, str]
    failed: int
    alone: int


def read_rules(run: RunDirectory) -> list[RuleCount] | None:
    """The rules that the run applied, the one that most rows fail first; None before pass one has finished."""
    documents = Manifest.read(run.path("documents"))
    if documents is None:
        return None
    bounds: dict[str, dict[str, str]] = {}
    for kind, rules in documents.config["rules"].items():
        for name, value in rules.items():
            bound = Bound.model_validate(value)
            of = f"{bound.signal} " if bound.signal != name else ""
            bounds.setdefault(name, {})[kind] = f"{of}{bound.shown}"
    counted = documents.summary["rules"].items()
    found = [RuleCount(rule=name, bounds=bounds[name], **count) for name, count in counted]
    return sorted(found, key=lambda one: (-one.failed, -one.alone, one.rule))
