"""One pass over a source: what it holds, where to cut it, and a fingerprint of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline import fingerprint
from pipeline.config import Source
from pipeline.ingest.blocks import Block, Survey
from pipeline.ingest.containers import CONTAINERS, check_columns, container_of
from pipeline.ingest.formats import adapter_for
from pipeline.ingest.origins import Slice, find_origins
from pipeline.ingest.targets import load_target, survey_target

__all__ = ["check_source", "survey"]

_SETTINGS = {
    *(
        "name",
        "kind",
        "format",
        "columns",
        "system_prompt",
        "tree",
        "container",
        "field",
        "sample_by",
        "config",
        "split",
    ),
}
"""What decides the rows, beside their data; not the path, which may differ from machine to machine."""


def survey(source: Source, *, part_bytes: int) -> Survey:
    """Find what a source holds; every byte of its files is read once, save of Parquet files that their store versions.

    Args:
        source: files or a target.
        part_bytes: about the size of a block, in bytes of the file; a block ends with a row.

    Raises:
        RecipeError: its format, kind and columns do not go together.
        InputError: no file matches, a file cannot be read, or the target cannot be loaded.
    """
    adapter = adapter_for(source)
    settings = source.model_dump(mode="json", include=_SETTINGS)
    if source.target is not None:
        target_blocks, content = survey_target(source)
        return Survey(blocks=tuple(target_blocks), fingerprint=fingerprint.of_value([settings, source.target, content]))
    blocks: list[Block] = []
    contents: list[list[object]] = [[path.name, fingerprint.of_file(path)] for path in _corpus_files(source)]
    for origin in find_origins(source):
        found: list[list[Block]] = []
        for shard in origin.shards:
            container = CONTAINERS[container_of(source, shard.location)]
            cut, content = container.survey(source, shard, part_bytes=part_bytes)
            if cut and cut[0].header:
                check_columns(adapter.needed, [*cut[0].header, *dict(shard.constants)], shard.location)
            found.append(cut)
            contents.append([shard.name, content, shard.constants])
        blocks += _sliced(found, origin.slice) if origin.slice else [block for cut in found for block in cut]
    return Survey(blocks=tuple(blocks), fingerprint=fingerprint.of_value([settings, contents]))


def check_source(source: Source) -> None:
    """Raise what `survey` would raise, without reading any data."""
    adapter_for(source)
    if source.target is not None:
        load_target(source)
        return
    for origin in find_origins(source):
        for shard in origin.shards:
            container_of(source, shard.location)


def _corpus_files(source: Source) -> list[Path]:
    return [path for folder in source.corpus for path in sorted(Path(folder).glob("*")) if path.is_file()]


def _sliced(shards: list[list[Block]], part: Slice) -> Iterator[Block]:
    """The blocks that hold some rows of a slice, each told which; rows are counted over all files."""
    counted = [[block if block.lines is not None else _counted(block) for block in blocks] for blocks in shards]
    begin, end = part.rows(sum(block.lines or 0 for blocks in counted for block in blocks))
    before = 0  # rows of the files before
    for blocks in counted:
        for block in blocks:
            first, last = block.first_row, block.first_row + (block.lines or 0)
            wanted = max(first, begin - before), min(last, end - before)
            if wanted[0] >= wanted[1]:
                continue
            if wanted == (first, last):
                yield block
            else:
                rows = wanted[1] - wanted[0]
                size = max(1, block.bytes * rows // max(1, last - first))
                yield replace(block, wanted=wanted, lines=rows, bytes=size)
        before += sum(block.lines or 0 for block in blocks)


def _counted(block: Block) -> Block:
    """A packed block with its number of rows, for which it must be read."""
    last = -1
    for lines in CONTAINERS[block.container].read(block, max_row_bytes=1 << 20):
        last = int(lines.numbers[-1]) if len(lines.numbers) else last
    return replace(block, lines=last + 1)
