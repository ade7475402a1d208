"""Keys of a JSON object that redaction made equal, told apart again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines.stand_ins import distinct
from pipeline.text.json_strings import FIRST_KEY, KEY

__all__ = ["tell_apart"]


def tell_apart(
    kinds: np.ndarray,
    owners: np.ndarray,
    changed: np.ndarray,
    after: pa.LargeStringArray,
    before: Callable[[np.ndarray], pa.LargeStringArray],
) -> pa.LargeStringArray:
    """Give each redacted key a name that no other key of its object has: `<EMAIL>`, `<EMAIL#2>`, ….

    Keys that were equal before stay equal.

    Args:
        kinds: int8 (m), of the scalars of JSON texts, as `pipeline.text.json_strings` lists them.
        owners: int64 (m), likewise.
        changed: int64 (k), the places of those that redaction changed, in ascending order.
        after: The k scalars as redaction leaves them.
        before: Places (int64) → the scalars there as they were.

    Returns:
        The k scalars.
    """
    keys = np.flatnonzero(kinds[changed] >= KEY)
    if not len(keys):
        return after
    firsts = np.where(kinds == FIRST_KEY, np.arange(len(kinds)), owners)
    members = np.flatnonzero((kinds >= KEY) & np.isin(firsts, firsts[changed[keys]]))
    # Only the keys of objects with a redacted one come to Python; a half surrogate pair is no character, hence bytes.
    old = before(members).cast(pa.large_binary()).to_pylist()
    new = dict(zip(changed[keys].tolist(), after.take(pa.array(keys)).cast(pa.large_binary()).to_pylist(), strict=True))
    homes = firsts[members].tolist()
    taken: defaultdict[int, set[bytes]] = defaultdict(set)
    for member, home, name in zip(members.tolist(), homes, old, strict=True):
        if member not in new:
            taken[home].add(name)
    numbers: Counter[tuple[int, bytes]] = Counter()
    given: dict[tuple[int, bytes], bytes] = {}
    for member, home, was in zip(members.tolist(), homes, old, strict=True):
        if member not in new:
            continue
        if (home, was) not in given:
            name = free = new[member]
            while free in taken[home]:
                numbers[home, name] += 1
                free = distinct(name, numbers[home, name] + 1)
            taken[home].add(free)
            given[home, was] = free
        new[member] = given[home, was]
    mask = np.zeros(len(changed), np.bool_)
    mask[keys] = True
    names = pa.array([new[key] for key in changed[keys].tolist()], pa.large_binary())
    return pc.replace_with_mask(after.cast(pa.large_binary()), pa.array(mask), names).view(pa.large_string())
