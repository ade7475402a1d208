"""Operators: what is put in the place of personal data."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.config import Pii
from pipeline.curate.pii.canonical import by_group, canonical
from pipeline.engines.stand_ins import StandIns, tag, tags
from pipeline.errors import MachineError

__all__ = ["key_check", "key_problem", "mask", "operators_of", "pseudonyms"]

SHORTEST_KEY = 16
"""Characters. E-mail addresses and numbers can be guessed, so only the key protects their digests."""

_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


def operators_of(pii: Pii, names: Sequence[str], taken: np.ndarray | None = None) -> StandIns:
    """The stand-ins that the recipe asks for, for the rows of one table.

    Args:
        pii: The recipe's section.
        names: Of the entities, in the order of their numbers in spans.
        taken: Of `pseudonyms`.

    Raises:
        MachineError: There is no key for `hash`.
    """
    chosen = [pii.operator_of(name) for name in names]
    made: dict[str, StandIns] = {"tag": tags(names), "mask": mask}
    if "hash" in chosen:
        made["hash"] = hashes(names, _key(pii))
    if "pseudonym" in chosen:
        made["pseudonym"] = pseudonyms(names, taken)
    operators = list(made)
    number = np.array([operators.index(operator) for operator in chosen])

    def stand_ins(rows: np.ndarray, entities: np.ndarray, values: pa.LargeStringArray) -> pa.LargeStringArray:
        def of(operator: StandIns) -> Callable[[np.ndarray], pa.LargeStringArray]:
            return lambda here: operator(rows[here], entities[here], values.take(pa.array(here)))

        return by_group(number[entities], [of(operator) for operator in made.values()])

    return stand_ins


def mask(rows: np.ndarray, entities: np.ndarray, values: pa.LargeStringArray) -> pa.LargeStringArray:
    """An asterisk for each character: a shape that says nothing, which no entity has and every cleaner leaves."""
    return pc.binary_repeat(pa.scalar("*", pa.large_string()), pc.utf8_length(values))


def hashes(names: Sequence[str], key: bytes) -> StandIns:
    """`<EMAIL:hdkfoabmcplgneij>`: a keyed digest of the value's canonical form, the same in all rows and runs.

    It is BLAKE2b of 64 bits; its hexadecimal digits are written as the letters a…p, since one with digits may look like
    the number of a telephone or a card.

    Args:
        names: Of the entities.
        key: At most 64 bytes, BLAKE2b's limit.
    """
    heads = pa.array([tag(name)[:-1] + ":" for name in names], pa.large_string())

    def stand_ins(rows: np.ndarray, entities: np.ndarray, values: pa.LargeStringArray) -> pa.LargeStringArray:
        distinct = canonical(names, entities, values).dictionary_encode()
        digests = [
            hashlib.blake2b(value, digest_size=8, key=key).hexdigest().translate(_LETTERS)
            for value in distinct.dictionary.cast(pa.large_binary()).to_pylist()
        ]
        ends = pa.array(digests, pa.large_string()).take(distinct.indices)
        return _join(heads.take(pa.array(entities)), ends, ">")

    return stand_ins


def pseudonyms(names: Sequence[str], taken: np.ndarray | None = None) -> StandIns:
    """`<EMAIL_1>`, `<EMAIL_2>`: within a row the same for the same value's canonical form, numbered as they come.

    The numbers go on from one call to the next, so that a row's contents, tools and metadata share them.

    Args:
        names: Of the entities.
        taken: int64 [rows, entities], the greatest number that a row holds already, of a redaction before this one:
            the numbers begin behind it, so that no two values share one.
    """
    heads = pa.array([tag(name)[:-1] + "_" for name in names], pa.large_string())
    seen_rows, seen_entities = np.empty(0, np.int64), np.empty(0, np.int8)
    seen_values = pa.array([], pa.large_string())

    def stand_ins(rows: np.ndarray, entities: np.ndarray, values: pa.LargeStringArray) -> pa.LargeStringArray:
        nonlocal seen_rows, seen_entities, seen_values
        before = len(seen_rows)
        all_rows = np.concatenate((seen_rows, rows))
        all_entities = np.concatenate((seen_entities, entities))
        all_values = pa.concat_arrays([seen_values, canonical(names, entities, values)])
        homes = all_rows * len(names) + all_entities
        codes = all_values.dictionary_encode().indices.to_numpy(zero_copy_only=False)
        numbers, firsts = number_within(homes, codes.astype(np.int64))
        seen_rows, seen_entities, seen_values = (
            all_rows[firsts],
            all_entities[firsts],
            all_values.take(pa.array(firsts)),
        )
        mine = numbers[before:] if taken is None else numbers[before:] + taken[rows, entities]
        written = pa.array(mine).cast(pa.large_string())
        return _join(heads.take(pa.array(entities)), written, ">")

    return stand_ins


def number_within(homes: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the different codes of every home from 1, in the order in which they first come.

    Args:
        homes: int64 (m).
        codes: int64 (m).

    Returns:
        int64 (m), each one's number; and int64, the places of those that are new, in ascending order.
    """
    dense = np.unique(homes, return_inverse=True)[1]
    both = dense * (codes.max(initial=0) + 1) + codes
    _, firsts, which = np.unique(both, return_index=True, return_inverse=True)
    order = np.lexsort((firsts, dense[firsts]))
    sorted_homes = dense[firsts][order]
    starts = np.searchsorted(sorted_homes, sorted_homes)  # where each home's group begins
    numbers = np.empty(len(firsts), np.int64)
    numbers[order] = np.arange(len(firsts)) - starts + 1
    return numbers[which], np.sort(firsts)


def key_problem(pii: Pii) -> str | None:
    """What is wrong with the key, in words that do not quote it; None if there is nothing, or none is needed."""
    if "hash" not in (pii.operator, *pii.operators.values()) or pii.key_env is None:
        return None
    key = os.environ.get(pii.key_env)
    if not key:
        return f"the environment variable {pii.key_env}, which holds the key of the operator hash, is not set"
    if len(key) < SHORTEST_KEY:
        return f"the key in {pii.key_env} has {len(key)} characters; fewer than {SHORTEST_KEY} can be guessed"
    return None


def key_check(pii: Pii) -> str | None:
    """Sixteen bits of a digest of the key, so that another key makes another stage; None where no key is used."""
    if key_problem(pii) or "hash" not in (pii.operator, *pii.operators.values()):
        return None
    return hashlib.blake2b(b"which key", digest_size=2, key=_key(pii)).hexdigest()


def _key(pii: Pii) -> bytes:
    if problem := key_problem(pii):
        raise MachineError(
            problem,
            where="curate.pii.key_env",
            mend=f"set it (export {pii.key_env}=…) for this process and for every worker; the same key gives the same "
            "digests in every run",
        )
    return hashlib.blake2b(os.environ[str(pii.key_env)].encode()).digest()


def _join(*pieces: pa.Array | str) -> pa.LargeStringArray:
    arrays = [pa.scalar(piece, pa.large_string()) if isinstance(piece, str) else piece for piece in pieces]
    return pc.binary_join_element_wise(*arrays, pa.scalar("", pa.large_string()))
