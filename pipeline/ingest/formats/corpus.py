"""Corpora of documents that retrieval rows name by id: folders of Parquet with the columns `id` and `text`."""

from __future__ import annotations

import hashlib
import json
from collections import OrderedDict
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from pipeline.errors import InputError

__all__ = ["Corpora", "corpora_of"]

_METADATA = "merlin_metadata.json"
_GROUPS = 8
"""Row groups whose texts are in memory at once."""


class Corpora:
    """Documents by corpus and id; in memory are 16 bytes a document, and the texts of a few row groups.

    Args:
        folders: each with `merlin_metadata.json`, which names the corpus, and Parquet files.
    """

    def __init__(self, folders: tuple[str, ...]) -> None:
        self._corpora = dict(_Corpus.open(Path(folder)) for folder in folders)

    def text(self, corpus: str, identity: str) -> str | None:
        """The text of a document; None where there is no such corpus or id."""
        found = self._corpora.get(corpus)
        return None if found is None else found.text(identity)


@lru_cache(maxsize=4)
def corpora_of(folders: tuple[str, ...]) -> Corpora:
    """Open corpora, once in a process."""
    return Corpora(folders)


class _Corpus:
    """One folder."""

    def __init__(self, files: list[pq.ParquetFile], keys: np.ndarray, places: np.ndarray, groups: np.ndarray) -> None:
        self._files = files
        self._keys, self._places, self._groups = keys, places, groups
        self._held: OrderedDict[int, tuple[list[str], list[str]]] = OrderedDict()

    @classmethod
    def open(cls, folder: Path) -> tuple[str, _Corpus]:
        """The corpus's name, and where each document lies."""
        try:
            name = str(json.loads((folder / _METADATA).read_text(encoding="utf-8"))["corpus_id"])
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(
                f"the corpus has no {_METADATA} that names it",
                where=str(folder),
                mend='write {"class": "TextQADataset", "corpus_id": "…"} beside its Parquet files, or correct `corpus`',
            ) from None
        files = [pq.ParquetFile(path) for path in sorted(folder.glob("*.parquet"))]
        if not files or any(not {"id", "text"} <= set(file.schema_arrow.names) for file in files):
            raise InputError(
                "the corpus needs Parquet files with the columns id and text", where=str(folder), mend="write them"
            )
        keys, groups = [np.zeros(0, np.uint64)], [(-1, 0, 0)]
        begin = 0
        for number, file in enumerate(files):
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["id"])["id"].to_pylist()
                keys.append(np.array([_key(str(identity)) for identity in ids], np.uint64))
                groups.append((number, group, begin))
                begin += len(ids)
        every = np.concatenate(keys)
        order = np.argsort(every, kind="stable")
        return name, cls(files, every[order], order, np.array(groups[1:], np.int64).reshape(-1, 3))

    def text(self, identity: str) -> str | None:
        """The text of a document, or None."""
        at = int(np.searchsorted(self._keys, np.uint64(_key(identity))))
        while at < len(self._keys) and self._keys[at] == np.uint64(_key(identity)):
            place = int(self._places[at])
            number = int(np.searchsorted(self._groups[:, 2], place, side="right")) - 1
            ids, texts = self._group(number)
            row = place - int(self._groups[number, 2])
            if ids[row] == identity:
                return texts[row]
            at += 1
        return None

    def _group(self, number: int) -> tuple[list[str], list[str]]:
        if number not in self._held:
            file, group, _ = self._groups[number]
            table = self._files[file].read_row_group(int(group), columns=["id", "text"])
            self._held[number] = [str(one) for one in table["id"].to_pylist()], table["text"].to_pylist()
            if len(self._held) > _GROUPS:
                self._held.popitem(last=False)
        self._held.move_to_end(number)
        return self._held[number]


def _key(identity: str) -> int:
    return int.from_bytes(hashlib.blake2b(identity.encode(errors="replace"), digest_size=8).digest(), "little")
