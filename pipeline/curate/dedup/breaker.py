"""The breaker: a run that would remove, or lump together, more than the recipe allows stops."""

from __future__ import annotations

import numpy as np

from pipeline.config import Fuzzy
from pipeline.curate.dedup.decide import Decisions
from pipeline.errors import InputError

__all__ = ["check"]


def check(decisions: Decisions, rows: int, fuzzy: Fuzzy) -> None:
    """Stop a run whose near duplicates are more than it allows.

    Args:
        decisions: of `decide`.
        rows: of the run.
        fuzzy: section of the recipe.

    Raises:
        InputError: with the largest cluster's survivor and size, and what to set.
    """
    # Exact copies are sure, however many they are.
    distinct = ~decisions.exact & decisions.own
    near = int((decisions.removed & distinct).sum())
    sizes = np.bincount(decisions.root[distinct], minlength=1)
    largest = int(sizes.argmax())
    mend = (
        "look at that cluster first (`curate.dedup.fuzzy: null` lets the run pass). If text that many rows share (a "
        "template, a system prompt) makes them alike, "
    ) + (
        "set curate.dedup.fuzzy.ignore_shared: 0.5 to leave it out"
        if fuzzy.ignore_shared is None
        else "lower curate.dedup.fuzzy.ignore_shared, or raise curate.dedup.fuzzy.threshold"
    )
    where = ""
    if sizes[largest] > 1:
        name = decisions.candidates.ids[largest].as_py()
        where = f"largest cluster: {sizes[largest]} rows, of which {name} is kept"
    if near > fuzzy.max_removed * rows:
        raise InputError(
            f"near duplicates would remove {near} of {rows} rows ({near / rows:.1%}), more than "
            f"curate.dedup.fuzzy.max_removed allows ({fuzzy.max_removed:.1%})",
            where=where,
            mend=f"{mend}. If so many are duplicates, raise curate.dedup.fuzzy.max_removed",
        )
    if sizes[largest] > fuzzy.max_cluster:
        raise InputError(
            f"one cluster of near duplicates has {sizes[largest]} different rows, more than "
            f"curate.dedup.fuzzy.max_cluster allows ({fuzzy.max_cluster})",
            where=where,
            mend=f"{mend}. If they are duplicates, raise curate.dedup.fuzzy.max_cluster",
        )
