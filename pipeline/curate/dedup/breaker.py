"""The breaker: a run that would remove, or lump together, more than the recipe allows stops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Dedup, Fuzzy
from pipeline.curate.dedup.decide import Decisions
from pipeline.errors import InputError

__all__ = ["check", "decisive", "load_of"]


def decisive(dedup: Dedup) -> dict[str, Any]:
    """What decides about rows: all of the section but what only stops a run, and what other stages read.

    Where a run was stopped, the same steps lead to the same place, so they are kept for the try that allows more.
    """
    return dedup.model_dump(
        mode="json", exclude={"substrings": True, "max_repeated": True, "fuzzy": {"max_removed", "max_cluster"}}
    )


def load_of(decisions: Decisions, rows: int) -> dict[str, Any]:
    """What the breaker looks at, as the manifest keeps it: all of it is checked again where the stage is reused.

    Args:
        decisions: of `decide`.
        rows: of the run.

    Returns:
        `rows`; `near`: removed as near duplicates; `largest`: different rows of the largest cluster, of which
        `survivor` is kept; `indexed`: removed in favour of rows of the index, exact copies too; `near_indexed`: of
        `near`; `repeated`: of `indexed`, those of which it holds the ids.
    """
    found = decisions.candidates
    # Exact copies are sure, however many they are.
    distinct = ~decisions.exact & decisions.own
    sizes = np.bincount(decisions.root[distinct], minlength=1)
    largest = int(sizes.argmax())
    indexed = again = np.zeros(len(found.rows), np.bool_)
    if found.earlier:
        held = found.ids.filter(pa.array(~decisions.own))
        indexed = decisions.removed & ~decisions.own[decisions.survivor]
        again = indexed & pc.is_in(found.ids, value_set=held).to_numpy(zero_copy_only=False)
    return {
        "rows": rows,
        "near": int((decisions.removed & distinct).sum()),
        "largest": int(sizes[largest]),
        "survivor": found.ids[largest].as_py() if sizes[largest] > 1 else None,
        "indexed": int(indexed.sum()),
        "near_indexed": int((indexed & distinct).sum()),
        "repeated": int(again.sum()),
    }


def check(load: dict[str, Any], dedup: Dedup) -> None:
    """Stop a run whose duplicates are more than it allows.

    Args:
        load: of `load_of`.
        dedup: section of the recipe.

    Raises:
        InputError: with how many they are, the largest cluster's survivor, and what to set.
    """
    if load["repeated"] > dedup.max_repeated * load["rows"]:
        raise InputError(
            f"{load['repeated']} of {load['rows']} rows would go in favour of rows of the index that have their ids, "
            f"more than curate.dedup.max_repeated allows ({dedup.max_repeated:.1%}): these rows are in the index "
            "already, as another recipe, another version of this program, or another state of the sources made them",
            where=str(dedup.index),
            mend="point curate.dedup.index at a new folder, or restore a copy of the index from before that batch. If "
            "the sources hold what earlier batches held and only the rest is wanted, set curate.dedup.max_repeated: 1",
        )
    if dedup.fuzzy is not None:
        _check_near(load, dedup.fuzzy, dedup.index)


def _check_near(load: dict[str, Any], fuzzy: Fuzzy, index: str | None) -> None:
    near, rows, largest = load["near"], load["rows"], load["largest"]
    indexed = load.get("near_indexed", 0)  # not in what `substrings` wrote before there was such a number
    mend = "look at that cluster first (`curate.dedup.fuzzy: null` lets the run pass)"
    if max(near - indexed, largest) <= fuzzy.max_removed * rows < near:  # the index's rows decide, and no cluster
        mend = "look whether this batch says what earlier ones said (a new curate.dedup.index may let the run pass)"
    mend += ". If text that many rows share (a template, a system prompt) makes them alike, " + (
        "set curate.dedup.fuzzy.ignore_shared: 0.5 to leave it out"
        if fuzzy.ignore_shared is None
        else "lower curate.dedup.fuzzy.ignore_shared, or raise curate.dedup.fuzzy.threshold"
    )
    where = ""
    if largest > 1:
        where = f"largest cluster: {largest} rows, of which {load['survivor']} is kept"
    if indexed:
        where = f"{where}; " * bool(where) + f"{indexed} rows go in favour of rows of the index {index}"
    if near > fuzzy.max_removed * rows:
        raise InputError(
            f"near duplicates would remove {near} of {rows} rows ({near / rows:.1%}), more than "
            f"curate.dedup.fuzzy.max_removed allows ({fuzzy.max_removed:.1%})",
            where=where,
            mend=f"{mend}. If so many are duplicates, raise curate.dedup.fuzzy.max_removed",
        )
    if largest > fuzzy.max_cluster:
        raise InputError(
            f"one cluster of near duplicates has {largest} different rows, more than "
            f"curate.dedup.fuzzy.max_cluster allows ({fuzzy.max_cluster})",
            where=where,
            mend=f"{mend}. If they are duplicates, raise curate.dedup.fuzzy.max_cluster",
        )
