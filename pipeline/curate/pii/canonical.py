"""The form of a value in which two spellings of the same thing are equal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv6Address

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["by_group", "canonical"]

_Change = Callable[[pa.LargeStringArray], pa.LargeStringArray]


def canonical(names: Sequence[str], entities: np.ndarray, values: pa.LargeStringArray) -> pa.LargeStringArray:
    """The canonical form of values: `Jane@B.com` is `jane@b.com`, `(415) 555-0123` is `4155550123`.

    Numbers are their digits, an IBAN and a MAC address lose their separators, e-mail addresses their capitals and
    escapes, IPv6 addresses the zeros that may be left out, and wallets in whose addresses capitals mean nothing their
    capitals; names, keys and secrets are as they stand. A telephone number with and without its country's code is two.

    Args:
        names: Of the entities.
        entities: int8 (m), which it is.
        values: m texts.
    """
    changes = [_CHANGES.get(name, _same) for name in names]
    kinds = list(dict.fromkeys(changes))
    number = np.array([kinds.index(change) for change in changes])

    def of(change: _Change) -> Callable[[np.ndarray], pa.LargeStringArray]:
        return lambda here: change(values.take(pa.array(here)))

    return by_group(number[entities], [of(change) for change in kinds])


def by_group(
    groups: np.ndarray, functions: Sequence[Callable[[np.ndarray], pa.LargeStringArray]]
) -> pa.LargeStringArray:
    """Make texts group by group.

    Args:
        groups: int (m), the group of each place.
        functions: One a group; it is given the group's places (int64) and returns a text for each.

    Returns:
        m texts, each in its place.
    """
    here = [np.flatnonzero(groups == group) for group in range(len(functions))]
    texts = [function(places) for function, places in zip(functions, here, strict=True) if len(places)]
    if len(texts) <= 1:
        return texts[0] if texts else pa.array([], pa.large_string())
    return pa.concat_arrays(texts).take(pa.array(np.argsort(np.concatenate(here), kind="stable")))


def _same(values: pa.LargeStringArray) -> pa.LargeStringArray:
    return values


def _plain(values: pa.LargeStringArray) -> pa.LargeStringArray:
    """Full-width forms as plain ones, without what has no width, in small letters."""
    plain = pc.replace_substring_regex(values, "[\u00ad\u200b-\u200d\u2060\ufeff]", "")
    return pc.utf8_lower(pc.utf8_normalize(plain, form="NFKC"))


def _address(values: pa.LargeStringArray) -> pa.LargeStringArray:
    plain = pc.replace_substring_regex(_plain(values), "%40|&#0?64;|&#x40;|&commat;", "@")
    return pc.replace_substring(plain, "%2b", "+")


def _machine(values: pa.LargeStringArray) -> pa.LargeStringArray:
    """`2001:db8:0:0::1` and `2001:db8::1` are one (RFC 5952)."""
    distinct = _plain(values).dictionary_encode()
    shortest = [str(IPv6Address(value)) if ":" in value else value for value in distinct.dictionary.to_pylist()]
    return pa.array(shortest, pa.large_string()).take(distinct.indices)


def _wallet(values: pa.LargeStringArray) -> pa.LargeStringArray:
    """Only in base58 a capital is another character (BIP-173, ERC-55)."""
    return pc.if_else(pc.match_substring_regex(values, "^(?:0x|[bB][cC]1)"), pc.utf8_lower(values), values)


def _digits(values: pa.LargeStringArray) -> pa.LargeStringArray:
    return pc.replace_substring_regex(_plain(values), "[^0-9]", "")


def _letters_and_digits(values: pa.LargeStringArray) -> pa.LargeStringArray:
    return pc.replace_substring_regex(_plain(values), "[^0-9a-z]", "")


_CHANGES: dict[str, _Change] = {
    "email": _address,
    "phone": _digits,
    "ip": _machine,
    "credit_card": _digits,
    "ssn": _digits,
    "iban": _letters_and_digits,
    "mac": _letters_and_digits,
    "crypto": _wallet,
}
