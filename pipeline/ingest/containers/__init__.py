"""How a file holds rows: one file a container, with a survey that cuts it into blocks and a reader of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from pipeline.config import Source
from pipeline.engines import Engine
from pipeline.errors import RecipeError
from pipeline.ingest.blocks import Block
from pipeline.ingest.containers.archives import read_tar, read_zip, survey_tar, survey_zip
from pipeline.ingest.containers.csv_records import read_csv, survey_csv
from pipeline.ingest.containers.documents import read_document, read_text_lines, survey_document, survey_text_lines
from pipeline.ingest.containers.json_values import read_json, survey_json
from pipeline.ingest.containers.jsonl import read_jsonl, survey_jsonl
from pipeline.ingest.containers.parquet import check_columns, read_parquet, read_parquet_texts, survey_parquet
from pipeline.ingest.lines import Lines
from pipeline.ingest.packed import CODECS
from pipeline.ingest.shards import Shard

__all__ = ["CONTAINERS", "Container", "check_columns", "container_of", "is_data"]


class Survey(Protocol):
    """Cuts a file into blocks, and takes its fingerprint."""

    def __call__(self, source: Source, shard: Shard, *, part_bytes: int) -> tuple[list[Block], str]: ...


class Read(Protocol):
    """Reads the rows of a block, as JSON."""

    def __call__(self, block: Block, *, max_row_bytes: int) -> Iterator[Lines]: ...


class ReadTexts(Protocol):
    """Reads the rows of a block of a file with columns, strings under known keys not as JSON."""

    def __call__(
        self, block: Block, keys: Sequence[str], engine: Engine | None, *, max_row_bytes: int
    ) -> Iterator[Lines]: ...


class Container(NamedTuple):
    """How a file holds rows."""

    survey: Survey
    read: Read
    read_texts: ReadTexts | None = None


CONTAINERS = {
    "jsonl": Container(survey_jsonl, read_jsonl),
    "json": Container(survey_json, read_json),
    "csv": Container(survey_csv, read_csv),
    "parquet": Container(survey_parquet, read_parquet, read_parquet_texts),
    "document": Container(survey_document, read_document),
    "text_lines": Container(survey_text_lines, read_text_lines),
    "zip": Container(survey_zip, read_zip),
    "tar": Container(survey_tar, read_tar),
}

_SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".zip": "zip",
    ".tar": "tar",
    ".txt": "document",
    ".md": "document",
    ".rst": "document",
    ".html": "document",
}
_SHORT = (".tgz", ".tbz2", ".txz", ".tzst")
"""Packed tar archives in one suffix."""
_OF_TEXTS = ("document", "text_lines", "zip", "tar")
"""Containers whose rows are texts, of the formats `text` and `code`."""


def is_data(path: str) -> bool:
    """Whether a file of a dataset may hold its rows, by its name."""
    name = path.rpartition("/")[2].lower()
    if name.startswith((".", "_")) or name in ("readme.md", "dataset_infos.json", "dataset_info.json", "state.json"):
        return False
    return _SUFFIXES.get(_suffix(name)) in ("jsonl", "json", "csv", "parquet", "document") and not name.endswith(".md")


def container_of(source: Source, name: str) -> str:
    """How a file of a source holds its rows: as the source says, else by its name.

    Format `code` takes every file for a text that is no archive; of any other format a name without a known suffix is
    one of JSON Lines.

    Raises:
        RecipeError: the container holds texts, but the format is neither `text` nor `code`.
    """
    suffix = _suffix(name.partition("?")[0].rpartition("/")[2].lower())
    found: str = source.container
    if found == "auto":
        found = "tar" if suffix in _SHORT else _SUFFIXES.get(suffix, "jsonl")
        if source.format == "code" and found not in _OF_TEXTS:
            found = "document"
    if found == "document" and source.sample_by == "line":
        found = "text_lines"
    if found in _OF_TEXTS and source.format not in ("text", "code"):
        raise RecipeError(
            f"{name} holds texts, which format {source.format} does not read",
            where=f"source {source.name}",
            mend="set `format: text` or `code`; if its lines are JSON, set `container: jsonl`",
        )
    return found


def _suffix(name: str) -> str:
    """The last suffix of a file's name that says what it holds, not how it is packed."""
    for codec in CODECS:
        name = name if codec in _SHORT else name.removesuffix(codec)
    return name[name.rfind(".") :] if "." in name else ""
