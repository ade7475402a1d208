"""One pass over a source: what it holds, where to cut it, and a fingerprint of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from pipeline import fingerprint
from pipeline.config import Source
from pipeline.errors import InputError, RecipeError
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
        "roles",
        "container",
        "field",
        "sample_by",
        "config",
        "split",
    ),
}
"""What decides the rows, beside their data; not the path, which may differ from machine to machine."""


_WITHOUT_BLANKS = ("parquet", "json", "document")
"""Containers of which every counted row is one."""


def survey(source: Source, *, part_bytes: int, only: Collection[str] | None = None) -> Survey:
    """Find what a source holds; every byte of its files is read once, save of Parquet files that their store versions.

    Args:
        source: files or a target.
        part_bytes: about the size of a block, in bytes of the file; a block ends with a row.
        only: the names of the shards to look at; all without.

    Raises:
        RecipeError: its format, kind and columns do not go together.
        InputError: no file matches, a file cannot be read, or the target cannot be loaded.
    """
    adapter = adapter_for(source)
    settings = source.model_dump(mode="json", include=_SETTINGS)
    if source.target is not None:
        found_shards, content = survey_target(source, only)
        return Survey(
            blocks=tuple(block for block, _ in found_shards),
            fingerprint=fingerprint.of_value([settings, source.target, content]),
            shards={block.shard: its for block, its in found_shards},
        )
    blocks: list[Block] = []
    contents: list[list[object]] = [[path.name, fingerprint.of_file(path)] for path in _corpus_files(source)]
    shards: dict[str, str] = {}
    containers: set[str] = set()
    for origin in find_origins(source):
        found: list[list[Block]] = []
        if only is not None and origin.slice is not None:
            raise InputError(
                "a slice of a split cannot be read shard by shard: it counts rows over all of them",
                where=f"source {source.name}, split: {source.split}",
                mend="name the whole split for retraining",
            )
        for shard in origin.shards:
            held_as = container_of(source, shard.location)
            containers.add(held_as)  # of every shard: those of one batch need not use every key
            if only is not None and shard.name not in only:
                continue
            container = CONTAINERS[held_as]
            cut, content = container.survey(source, shard, part_bytes=part_bytes)
            if cut and cut[0].header:
                check_columns(adapter.needed, [*cut[0].header, *dict(shard.constants)], shard.location)
            found.append(cut)
            contents.append([shard.name, content, shard.constants])
            shards[shard.name] = fingerprint.of_value([content, shard.constants])
        blocks += _sliced(found, origin.slice) if origin.slice else [block for cut in found for block in cut]
    _check_used(source, containers)
    if only is not None and (gone := sorted(set(only) - set(shards))):
        raise InputError(
            f"{len(gone)} shards of this batch are gone",
            where=f"source {source.name}, {gone[0]}",
            mend="bring them back until the batch is finished; a finished one is not read again",
        )
    return Survey(blocks=tuple(blocks), fingerprint=fingerprint.of_value([settings, contents]), shards=shards)


def check_source(source: Source) -> None:
    """Raise what `survey` would raise, without reading any data."""
    adapter_for(source)
    if source.target is not None:
        load_target(source)
        return
    shards = [shard for origin in find_origins(source) for shard in origin.shards]
    _check_used(source, {container_of(source, shard.location) for shard in shards})


def _check_used(source: Source, containers: Collection[str]) -> None:
    """Refuse what none of the files can use; what no file of any name could is told with the recipe.

    Raises:
        RecipeError: `field` without a JSON file, or `sample_by: line` without a text.
    """
    for key, given, container, those in (
        ("field", source.field is not None, "json", "a .json file"),
        ("sample_by", source.sample_by == "line", "text_lines", "a plain text"),
    ):
        if given and containers and container not in containers:
            raise RecipeError(
                f"`{key}` has no effect: none of the source's files is {those}",
                where=f"source {source.name}, {key}",
                mend="remove it, or say how the files hold their rows with `container`",
            )


def _corpus_files(source: Source) -> list[Path]:
    return [path for folder in source.corpus for path in sorted(Path(folder).glob("*")) if path.is_file()]


def _sliced(shards: list[list[Block]], part: Slice) -> Iterator[Block]:
    """The blocks that hold some examples of a slice, each told which; they are counted over all files."""
    blocks = [block for shard in shards for block in shard]
    counts = [_examples(block) for block in blocks]
    begin, end = part.rows(sum(counts))
    before = 0
    for block, count in zip(blocks, counts, strict=True):
        first, last = max(0, begin - before), min(count, end - before)
        before += count
        if first >= last:
            continue
        if (first, last) == (0, count):
            yield block
        else:
            size = max(1, block.bytes * (last - first) // count)
            yield replace(block, wanted=_numbers(block, first, last), lines=last - first, bytes=size)


def _examples(block: Block) -> int:
    """How many examples a block holds, as `datasets` counts them: records, a blank line is none.

    Where lines may be blank, or nobody has counted, the block must be read for it.
    """
    if block.lines is not None and block.container in _WITHOUT_BLANKS:
        return block.lines
    return sum(len(lines.numbers) for lines in CONTAINERS[block.container].read(block, max_row_bytes=1 << 20))


def _numbers(block: Block, first: int, last: int) -> tuple[int, int]:
    """The number of the `first` example of a block, and that past the one before the `last`."""
    if block.lines is not None and block.container in _WITHOUT_BLANKS:
        return block.first_row + first, block.first_row + last
    found, seen = [], 0
    for lines in CONTAINERS[block.container].read(block, max_row_bytes=1 << 20):
        for place in (first, last - 1):
            if seen <= place < seen + len(lines.numbers):
                found.append(int(lines.numbers[place - seen]))
        seen += len(lines.numbers)
    return found[0], found[-1] + 1
