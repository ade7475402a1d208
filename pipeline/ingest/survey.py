"""One pass over a source: what it holds, where to cut it, and a fingerprint of it."""

from __future__ import annotations

from pipeline import fingerprint
from pipeline.config import Source
from pipeline.ingest.blocks import Block, Survey
from pipeline.ingest.files import find_shards, survey_file
from pipeline.ingest.formats import adapter_for
from pipeline.ingest.targets import load_target, survey_target

__all__ = ["check_source", "survey"]


def survey(source: Source, *, part_bytes: int) -> Survey:
    """Find what a source holds; every byte of its files is read once.

    Args:
        source: files or a target.
        part_bytes: about the size of a block, in bytes of the file; a block ends with a line.

    Raises:
        RecipeError: its format, kind and columns do not go together.
        InputError: no file matches, a file cannot be read, or the target cannot be loaded.
    """
    adapter_for(source)
    # What decides the rows, beside their data; not the path, which may differ from machine to machine.
    settings = source.model_dump(mode="json", include={"name", "kind", "format", "columns"})
    if source.target is not None:
        target_blocks, content = survey_target(source)
        return Survey(blocks=tuple(target_blocks), fingerprint=fingerprint.of_value([settings, source.target, content]))
    blocks: list[Block] = []
    contents: list[list[str]] = []
    for shard, path in find_shards(source).items():
        cut, content = survey_file(source, shard, path, part_bytes=part_bytes)
        blocks += cut
        contents.append([shard, content])
    return Survey(blocks=tuple(blocks), fingerprint=fingerprint.of_value([settings, contents]))


def check_source(source: Source) -> None:
    """Raise what `survey` would raise, without reading any data."""
    adapter_for(source)
    if source.target is not None:
        load_target(source)
    else:
        find_shards(source)
