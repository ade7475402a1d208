"""The n-grams of evaluation texts, and which text each is of; in files that every worker maps."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import atomic_file
from pipeline.curate.dedup.work import load, save
from pipeline.engines import Engine
from pipeline.engines.stand_ins import without_values
from pipeline.engines.word_ngrams import NgramTable

__all__ = ["HALVES", "NgramIndex", "TextNgrams", "Texts", "build_index", "halves_of", "ngrams_of"]

HALVES = ("text", "prompt", "answer")
"""Of a row: the contents of role `text`, of the assistant, of anyone else."""


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Texts that are looked for.

    Attributes:
        ids: string [rows].
        rows: int64 [texts], whose each is.
        halves: int8 [texts], which of `HALVES`.
    """

    ids: pa.StringArray
    rows: NDArray[np.int64]
    halves: NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class TextNgrams:
    """The different n-grams of some texts.

    Attributes:
        hashes: uint64 [n, 2].
        texts: int64 [n], whose each is, from 0.
        lengths: int64, of how many words any of them are.
        words: int64 [texts], how many words each text has.
    """

    hashes: NDArray[np.uint64]
    texts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    words: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class NgramIndex:
    """What rows are held against.

    Attributes:
        table: the n-grams.
        grams: int64 [slots], which n-gram stands at a slot of the table; anything at a free one.
        bounds: int64 [n-grams + 1]; n-gram g is of the texts `owners[bounds[g]:bounds[g + 1]]`.
        owners: int64.
        sizes: int64 [texts], how many different n-grams of each are in the table.
        texts: whose they are.
    """

    table: NgramTable
    grams: NDArray[np.int64]
    bounds: NDArray[np.int64]
    owners: NDArray[np.int64]
    sizes: NDArray[np.int64]
    texts: Texts

    def save(self, folder: Path) -> None:
        """Write it as files for `load`; one that is there is whole."""
        for name, array in self._arrays().items():
            save(folder / f"{name}.npy", array)
        with atomic_file(folder / "ids.parquet") as beside:
            pq.write_table(pa.table({"id": self.texts.ids}), beside, compression="zstd")

    @classmethod
    def load(cls, folder: Path) -> NgramIndex:
        """Map the files that `save` wrote."""

        def array(name: str) -> NDArray[np.int64]:
            return load(folder / f"{name}.npy")

        ids = pq.read_table(folder / "ids.parquet")["id"].combine_chunks()
        return cls(
            table=NgramTable(array("lengths"), array("first"), array("second")),
            grams=array("grams"),
            bounds=array("bounds"),
            owners=array("owners"),
            sizes=array("sizes"),
            texts=Texts(ids=ids, rows=array("rows"), halves=load(folder / "halves.npy")),
        )

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            **self.table._asdict(),
            "grams": self.grams,
            "bounds": self.bounds,
            "owners": self.owners,
            "sizes": self.sizes,
            "rows": self.texts.rows,
            "halves": self.texts.halves,
        }


def halves_of(roles: pa.StringArray) -> NDArray[np.int8]:
    """Which of `HALVES` messages of these roles are: int8 [messages]."""
    speakers = roles.to_numpy(zero_copy_only=False)
    halves = np.ones(len(speakers), np.int8)
    halves[speakers == "text"] = 0
    halves[speakers == "assistant"] = 2
    return halves


def ngrams_of(texts: pa.LargeStringArray, ngram: int, shortest: int, engine: Engine) -> TextNgrams:
    """Take the n-grams of texts. A text with fewer words is one n-gram as a whole, if it has `shortest` words or more.

    Of stand-ins only the entity counts, whatever number or digest the operator gave the value.

    Args:
        texts: n texts.
        ngram: words.
        shortest: words.
        engine: that hashes.
    """
    texts = without_values(texts)
    words = engine.count_words(texts)
    hashes, owners, lengths = [np.zeros((0, 2), np.uint64)], [np.zeros(0, np.int64)], []
    for length in range(shortest, ngram + 1):
        here = np.flatnonzero(words == length if length < ngram else words >= ngram)
        if len(here):
            found = engine.hash_ngrams(texts.take(pa.array(here)), length)
            hashes.append(found.hashes)
            owners.append(np.repeat(here, np.diff(found.bounds)))
            lengths.append(length)
    every, of = np.concatenate(hashes), np.concatenate(owners)
    order = np.lexsort((every[:, 1], every[:, 0], of))
    every, of = every[order], of[order]
    fresh = _differs(of, every[:, 0], every[:, 1])
    return TextNgrams(hashes=every[fresh], texts=of[fresh], lengths=np.array(lengths, np.int64), words=words)


def build_index(ngrams: TextNgrams, texts: Texts, common: int, engine: Engine) -> NgramIndex:
    """Put n-grams into an index; those of more than `common` rows are left out."""
    hashes, of = ngrams.hashes, ngrams.texts
    order = np.lexsort((of, hashes[:, 1], hashes[:, 0]))
    hashes, of = hashes[order], of[order]
    first = np.flatnonzero(_differs(hashes[:, 0], hashes[:, 1]))
    gram = np.repeat(np.arange(len(first)), np.diff(first, append=len(of)))
    # Texts are in the order of their rows, so those of one row stand together here too.
    rows = texts.rows[of]
    spread = np.bincount(gram[_differs(gram, rows)], minlength=len(first))
    kept = spread[gram] <= common
    hashes, of = hashes[kept], of[kept]
    first = np.flatnonzero(_differs(hashes[:, 0], hashes[:, 1]))
    table, slots = engine.ngram_table(hashes[first], ngrams.lengths.tolist())
    grams = np.full(len(table.first), -1, np.int64)
    grams[slots] = np.arange(len(first))
    return NgramIndex(
        table=table,
        grams=grams,
        bounds=np.append(first, len(of)).astype(np.int64),
        owners=of,
        sizes=np.bincount(of, minlength=len(texts.rows)),
        texts=texts,
    )


def _differs(*columns: np.ndarray) -> NDArray[np.bool_]:
    """Where a line differs from the one before: bool [lines]."""
    fresh = np.ones(len(columns[0]), np.bool_)
    if len(fresh):
        fresh[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return fresh
