"""Keys of a JSON object that redaction made equal, told apart again."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines.stand_ins import distinct
from pipeline.text.json_strings import FIRST_KEY, KEY

__all__ = ["tell_apart"]


def tell_apart(
    before: pa.LargeStringArray, after: pa.LargeStringArray, kinds: np.ndarray, objects: np.ndarray, changed: np.ndarray
) -> pa.LargeStringArray:
    """Give each redacted key a name that no other key of its object has: `<EMAIL>`, `<EMAIL#2>`, ….

    Keys that were equal before stay equal.

    Args:
        before: The m scalars of JSON texts as they were.
        after: As redaction leaves them.
        kinds: int8 (m), of `pipeline.text.json_strings`.
        objects: int64 (m), as `list_scalars` writes them.
        changed: bool (m), those that redaction changed.

    Returns:
        m scalars.
    """
    is_key = kinds >= KEY
    if not (is_key & changed).any():
        return after
    firsts = np.where(kinds == FIRST_KEY, np.arange(len(kinds)), objects)
    members = np.flatnonzero(is_key & np.isin(firsts, firsts[is_key & changed]))
    # Only the keys of objects with a redacted one come to Python; a half surrogate pair is no character, hence bytes.
    old, new = (texts.take(pa.array(members)).cast(pa.large_binary()).to_pylist() for texts in (before, after))
    homes = firsts[members].tolist()
    redacted = changed[members].tolist()
    taken: defaultdict[int, set[bytes]] = defaultdict(set)
    for home, name, is_new in zip(homes, new, redacted, strict=True):
        if not is_new:
            taken[home].add(name)
    numbers: Counter[tuple[int, bytes]] = Counter()
    given: dict[tuple[int, bytes], bytes] = {}
    renamed = {}
    for member, home, was, name, is_new in zip(members.tolist(), homes, old, new, redacted, strict=True):
        if not is_new:
            continue
        if (home, was) not in given:
            free = name
            while free in taken[home]:
                numbers[home, name] += 1
                free = distinct(name, numbers[home, name] + 1)
            taken[home].add(free)
            given[home, was] = free
        if given[home, was] != name:
            renamed[member] = given[home, was]
    if not renamed:
        return after
    mask = np.zeros(len(kinds), np.bool_)
    mask[list(renamed)] = True
    names = pa.array([renamed[member] for member in sorted(renamed)], pa.large_binary())
    return pc.replace_with_mask(after.cast(pa.large_binary()), pa.array(mask), names).view(pa.large_string())
