"""The CPU engine: Arrow columns in, Arrow columns and NumPy arrays out, kernels compiled by Numba in between.

No Python loop runs over rows. Texts are never null; an array may be a slice. The first call of an operation on a
machine compiles it (seconds) and keeps the machine code on disk (`NUMBA_CACHE_DIR`, else beside the source, else in
the user's cache folder).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.engines import CLEANERS, ENTITIES, json_strings, loops
from pipeline.engines.columns import TextColumn, from_arrow, to_arrow
from pipeline.engines.loops import Rewrite
from pipeline.engines.write import NOTHING, NOWHERE, write_texts
from pipeline.text.hashing import slots_for
from pipeline.text.signals import MEASURES, derive

__all__ = [
    "CLEANERS",
    "ENTITIES",
    "band_keys",
    "clean",
    "digest",
    "join",
    "normalise",
    "redact",
    "redact_json",
    "signals",
    "similarity",
    "sketch",
]


def clean(contents: pa.LargeStringArray, cleaners: Sequence[str]) -> pa.LargeStringArray:
    """Clean every text.

    Args:
        contents: n texts.
        cleaners: Of `CLEANERS`. They run in the order of `CLEANERS` however they are listed, the only one in which
            cleaning what is clean changes nothing.

    Returns:
        n texts.

    Raises:
        ValueError: A cleaner is unknown.
    """
    _known(cleaners, CLEANERS, "cleaner")
    for cleaner in CLEANERS:
        if cleaner not in cleaners:
            continue
        if cleaner == "unicode":
            contents = _where(
                _rewrite(Rewrite.CONTROLS, contents), 0xCC, lambda rows: pc.utf8_normalize(rows, form="NFC")
            )
        else:
            contents = _rewrite(Rewrite.NEWLINES if cleaner == "newlines" else Rewrite.WHITESPACE, contents)
    return contents


def redact(contents: pa.LargeStringArray, entities: Sequence[str]) -> tuple[pa.LargeStringArray, np.ndarray]:
    """Put tags such as `<EMAIL>` in place of personal data, and count it.

    Args:
        contents: n texts.
        entities: Of `ENTITIES`: what to look for.

    Returns:
        n texts, and the replacements in each: int64 array (n, len(ENTITIES)), in the order of `ENTITIES`. Redacting
        the result again changes nothing.

    Raises:
        ValueError: An entity is unknown.
    """
    return _redact(contents, _wanted(entities))


def redact_json(texts: pa.LargeStringArray, entities: Sequence[str]) -> tuple[pa.LargeStringArray, np.ndarray]:
    r"""Put tags in place of personal data in the strings of JSON texts, keys among them, and count it.

    Every string is decoded and redacted by itself, as `redact` does it. One that changes is written anew with only the
    escapes that JSON demands; all else stays byte for byte, numbers that look like personal data too.

    Args:
        texts: n JSON texts, known to be valid.
        entities: Of `ENTITIES`: what to look for.

    Returns:
        n JSON texts, and the replacements in each, as of `redact`.

    Raises:
        ValueError: An entity is unknown.
    """
    wanted = _wanted(entities)
    column = from_arrow(texts)
    counts = np.zeros((column.rows, len(ENTITIES)), np.int64)
    strings = json_strings.find(column, wanted)
    redacted, found = _redact(json_strings.decode(column, strings), wanted)
    changed = np.asarray(found.any(axis=1))
    if not changed.any():
        return texts, counts
    np.add.at(counts, strings.rows, found)
    return json_strings.splice(column, strings.only(changed), redacted.filter(pa.array(changed))), counts


def join(messages: pa.ListArray) -> pa.LargeStringArray:
    r"""Make one text of every row: its messages' contents with `\n\n` between two.

    Args:
        messages: n lists of `schema.MESSAGE`.

    Returns:
        n texts; `""` for a row without messages.
    """
    lists = np.ascontiguousarray(messages.offsets.to_numpy(zero_copy_only=False), np.int64)
    contents = from_arrow(messages.values.field("content"))

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        loops.join_rows(contents.buffer, contents.bounds, lists, places, lengths, output)

    return write_texts(len(messages), loop)


def signals(texts: pa.LargeStringArray) -> dict[str, np.ndarray]:
    """Measure every text.

    Args:
        texts: n texts.

    Returns:
        One array of n values a signal, named and typed as in `schema.SIGNALS`; `pipeline.text.signals` says how each
        is computed.
    """
    column = from_arrow(texts)
    # Memory that is never touched costs nothing, so the scratch is made for a text of one-letter words.
    words = (int(np.diff(column.bounds).max(initial=0)) + 1) // 2
    slots = slots_for(words)
    measures = np.empty((column.rows, len(MEASURES)), np.int64)
    loops.measure_rows(
        column.buffer,
        column.bounds,
        np.empty((3, words), np.uint64),
        np.empty(words, np.int64),
        np.empty(slots, np.uint64),
        np.empty(slots, np.uint64),
        measures,
    )
    return derive(measures)


def normalise(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Bring every text into the normal form of which digests and sketches are taken.

    Lower case; every run of whitespace one space, none at the ends; beyond ASCII also Unicode's NFKC.

    Args:
        texts: n texts.

    Returns:
        n texts.
    """
    return _rewrite(Rewrite.FOLD, _where(texts, 0x80, lambda rows: pc.utf8_lower(pc.utf8_normalize(rows, form="NFKC"))))


def digest(texts: pa.LargeStringArray, *, normalised: bool = False) -> np.ndarray:
    """Take the 128-bit digest (MurmurHash3_x64_128) of every text's normal form.

    Args:
        texts: n texts.
        normalised: They come from `normalise` already.

    Returns:
        uint8 array (n, 16).
    """
    column = from_arrow(texts if normalised else normalise(texts))
    digests = np.empty((column.rows, 2), np.uint64)
    loops.digest_rows(column.buffer, column.bounds, digests)
    return digests.astype("<u8", copy=False).view(np.uint8)


def sketch(normalised: pa.LargeStringArray, *, values: int = 112, shingle: int = 8) -> np.ndarray:
    """Take the sketch of every text.

    Args:
        normalised: n texts from `normalise`.
        values: K, how many values a sketch has.
        shingle: Bytes in a shingle.

    Returns:
        uint32 array (n, K); every value of `""` is `pipeline.text.sketch.EMPTY`.
    """
    column = from_arrow(normalised)
    sketches = np.empty((column.rows, values), np.uint32)
    loops.sketch_rows(column.buffer, column.bounds, shingle, np.empty(values, np.uint64), sketches)
    return sketches


def similarity(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Estimate the Jaccard similarity of pairs of texts: the share of values that their sketches have in common.

    Args:
        a: uint32 array (n, K).
        b: uint32 array (n, K).

    Returns:
        float64 array (n). The error has a standard deviation of about sqrt(J (1 - J) / K).

    Raises:
        ValueError: The shapes differ.
    """
    if a.shape != b.shape:
        raise ValueError(f"sketches of shape {a.shape} and {b.shape} cannot be compared")
    equal = np.empty(len(a), np.int64)
    loops.equal_rows(np.ascontiguousarray(a, np.uint32), np.ascontiguousarray(b, np.uint32), equal)
    share: np.ndarray = equal / max(a.shape[1], 1)
    return share


def band_keys(sketches: np.ndarray, bands: int, rows: int) -> np.ndarray:
    """Hash the bands of every sketch.

    Args:
        sketches: uint32 array (n, K).
        bands: How many bands.
        rows: Values in a band; bands × rows is at most K.

    Returns:
        uint64 array (n, bands). Two texts agree on a band of r rows with probability J^r.

    Raises:
        ValueError: The sketches are too short.
    """
    if bands * rows > sketches.shape[1]:
        raise ValueError(f"{bands} bands of {rows} rows need more than the {sketches.shape[1]} values of a sketch")
    keys = np.empty((len(sketches), bands), np.uint64)
    loops.band_rows(np.ascontiguousarray(sketches, np.uint32), rows, keys)
    return keys


def _redact(contents: pa.LargeStringArray, wanted: int) -> tuple[pa.LargeStringArray, np.ndarray]:
    column = from_arrow(contents)
    counts = np.zeros((column.rows, len(ENTITIES)), np.int64)
    bounds = np.zeros(column.rows + 1, np.int64)
    loops.redact_rows(column.buffer, column.bounds, wanted, NOWHERE, bounds[1:], counts, NOTHING)
    changed = counts.any(axis=1)
    if not changed.any():
        return contents, counts
    np.cumsum(bounds, out=bounds)
    output = np.empty(bounds[-1], np.uint8)
    loops.redact_rows(column.buffer, column.bounds, wanted, bounds, NOWHERE, counts, output)
    redacted = to_arrow(output, bounds)
    # A tag is a boundary that the text before it did not have: `1.2.3.4a@b.com`. Rows with tags are read again until
    # nothing is left to find, so that a second redaction has nothing to do either.
    mask = pa.array(changed)
    again, more = _redact(redacted.filter(mask), wanted)
    if more.any():
        redacted = pc.replace_with_mask(redacted, mask, again)
        counts[changed] += more
    return redacted, counts


def _rewrite(which: Rewrite, texts: pa.LargeStringArray) -> pa.LargeStringArray:
    column = from_arrow(texts)

    def loop(places: np.ndarray, lengths: np.ndarray, output: np.ndarray) -> None:
        loops.rewrite_rows(int(which), column.buffer, column.bounds, places, lengths, output)

    return write_texts(column.rows, loop)


def _where(
    texts: pa.LargeStringArray, lead: int, change: Callable[[pa.LargeStringArray], pa.LargeStringArray]
) -> pa.LargeStringArray:
    """Change the rows that hold a byte of at least `lead`."""
    column: TextColumn = from_arrow(texts)
    flags = np.empty(column.rows, np.bool_)
    loops.flag_rows(column.buffer, column.bounds, lead, flags)
    if not flags.any():
        return texts
    mask = pa.array(flags)
    return pc.replace_with_mask(texts, mask, change(texts.filter(mask)))


def _wanted(entities: Sequence[str]) -> int:
    """One bit for each of `ENTITIES` that is looked for."""
    _known(entities, ENTITIES, "entity")
    return sum(1 << ENTITIES.index(entity) for entity in set(entities))


def _known(names: Sequence[str], known: Sequence[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"no {what} is called {name!r}; there are {', '.join(known)}")
