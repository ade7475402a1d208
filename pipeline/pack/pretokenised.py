"""Token files of other trainers into token parts: nothing is rendered or encoded, and every document accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.atomic import atomic_file
from pipeline.config.pretokenised import Pretokenised
from pipeline.errors import InputError, StageError
from pipeline.pack.guard import MASKS
from pipeline.pack.selection import Weighted, blend, expand, split_borders
from pipeline.pack.token_files import TokenFile, open_megatron, open_nanogpt
from pipeline.pack.tokens import TOKENS, token_batch
from pipeline.run import PartRecord, Stage
from pipeline.schema import SPLITS

__all__ = ["Documents", "PretokenisedJob", "files_inputs", "plan_documents", "write_documents"]

_BATCH_TOKENS = 1 << 20
_PART_TOKENS = 1 << 27
"""A part holds about as many: half a gigabyte."""


@dataclass(frozen=True, kw_only=True)
class PretokenisedJob:
    """Some documents of one file, for any worker."""

    stage: Stage
    format: str
    source: Path
    """The file of tokens, `….bin`."""
    name: str
    """Of the file in its documents' ids: of the source, and as much of the path, from the end, as tells it apart."""
    boundary: int
    vocab_size: int
    begin: int
    end: int
    """Documents `begin … end - 1`."""
    part: str
    output: str


@dataclass(frozen=True, kw_only=True)
class Documents:
    """What is taken of all files."""

    jobs: list[PretokenisedJob]
    documents: int
    """In the files."""
    left_out: int
    """By the weights: the file had more than its share."""

    def summary(self, spec: Pretokenised) -> dict[str, Any]:
        """What the manifest says of them."""
        return {
            "name": spec.label,
            "format": spec.format,
            "curated": False,
            "files": len({job.source for job in self.jobs}),
            "documents": self.documents,
            "taken": self.documents - self.left_out,
            "left_out": self.left_out,
        }


def plan_documents(specs: Sequence[Pretokenised], stage: Stage, *, boundary: int, vocab_size: int) -> list[Documents]:
    """Open every file, decide what of it goes where, and cut that into parts: for each section what is taken of it.

    Raises:
        InputError: a file is missing or damaged.
        RecipeError: the split or the weights are wrong.
    """
    found: list[Documents] = []
    parts: Counter[str] = Counter()
    for spec in specs:
        own = boundary if spec.boundary is None else spec.boundary
        found.append(_plan(spec, stage, parts, boundary=own, vocab_size=vocab_size))
    return found


def _plan(spec: Pretokenised, stage: Stage, parts: Counter[str], *, boundary: int, vocab_size: int) -> Documents:
    """Of one section; `parts` counts each split's parts of all."""
    groups = expand(spec)
    jobs: list[PretokenisedJob] = []
    documents = taken = 0
    opened = {name: [_open(spec.format, path, boundary) for path in group.files] for name, group in groups.items()}
    names = _names(file.path for files in opened.values() for file in files)
    for name, group in groups.items():
        files = opened[name]
        documents += sum(len(file) for file in files)
        for split, ranges in _ranges(name, group, files, spec):
            for file, (begin, end) in zip(files, ranges, strict=True):
                taken += end - begin
                for first, last in _by_tokens(file, begin, end, _PART_TOKENS):
                    number = f"{parts[split]:05d}"
                    parts[split] += 1
                    jobs.append(
                        PretokenisedJob(
                            stage=stage,
                            format=spec.format,
                            source=file.path,
                            name=f"{spec.label}/{names[file.path]}",
                            boundary=boundary,
                            vocab_size=vocab_size,
                            begin=first,
                            end=last,
                            part=f"{split}-files-{number}",
                            output=f"tokens/{split}/part-files-{number}.arrow",
                        )
                    )
    return Documents(jobs=jobs, documents=documents, left_out=documents - taken)


def write_documents(job: PretokenisedJob) -> PartRecord:
    """Write some documents as token rows and commit the part; every token but a document's first is a target.

    Raises:
        InputError: a token id is outside the vocabulary.
    """
    file = _open(job.format, job.source, job.boundary)
    counts = dict.fromkeys(("rows", "tokens", "targets", "characters", "bytes", *MASKS), 0)  # no conversations
    with atomic_file(job.stage.run.path(job.output)) as beside, pa.ipc.new_file(beside, TOKENS) as writer:
        for first, last in _by_tokens(file, job.begin, job.end, _BATCH_TOKENS):
            lengths = file.lengths[first:last]
            tokens = np.concatenate([np.empty(0, np.uint32), *(file.read(number) for number in range(first, last))])
            if len(tokens) and int(tokens.max()) >= job.vocab_size:
                raise InputError(
                    f"token id {int(tokens.max())} is outside the tokenizer's vocabulary of {job.vocab_size}",
                    where=str(job.source),
                    mend="set `pack.tokenizer` to the tokenizer that the files were made with",
                )
            if len(tokens) != int(lengths.sum()):
                raise StageError(f"{len(tokens)} tokens were read, not {int(lengths.sum())}", where=str(job.source))
            loss = np.ones(len(tokens), np.bool_)
            loss[(np.cumsum(lengths) - lengths)[lengths > 0]] = False
            ids = [f"{job.name}#{number}" for number in range(first, last)]
            writer.write_batch(token_batch(ids, tokens, loss, lengths, np.zeros(last - first, np.int64)))
            counts["rows"] += last - first
            counts["tokens"] += len(tokens)
            counts["targets"] += int(loss.sum())
            counts["bytes"] += 4 * len(tokens)
    return job.stage.commit(job.part, {job.output: counts["rows"]}, counts)


def files_inputs(spec: Pretokenised) -> dict[str, Any]:
    """What a change of the files is told by: name, size and time of change of each.

    Hashing a terabyte of tokens for every `plan` would take longer than packing them.

    Raises:
        InputError: no file matches.
    """
    suffixes = (".bin", ".idx") if spec.format == "megatron" else ("",)
    found = {}
    for name, group in expand(spec).items():
        paths = [Path(f"{path}{suffix}") for path in group.files for suffix in suffixes]
        found[name] = {
            "files": [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in paths if path.exists()],
            "weights": group.weights,
        }
    return found


def _open(kind: str, path: Path, boundary: int) -> TokenFile:
    return open_megatron(path) if kind == "megatron" else open_nanogpt(path, boundary=boundary)


def _names(paths: Iterable[Path]) -> dict[Path, str]:
    """A name for each file, by which ids lead back to it: its own, with folders where others are called the same."""
    found: dict[Path, str] = {}
    alike, depth = {path: path.absolute().parts for path in paths}, 0
    while alike:
        depth += 1
        tails = Counter(parts[-depth:] for parts in set(alike.values()))
        found |= {path: "/".join(parts[-depth:]) for path, parts in alike.items() if tails[parts[-depth:]] == 1}
        alike = {path: parts for path, parts in alike.items() if path not in found}
    return found


def _ranges(
    name: str, group: Weighted, files: list[TokenFile], spec: Pretokenised
) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """Split, and the documents that each file gives to it."""
    if name != "all":
        counts = blend([len(file) for file in files], group.weights)
        yield name, [(0, count) for count in counts]
        return
    borders = [split_borders(spec.split, len(file), where=spec.key("split")) for file in files]
    for number, of in enumerate(SPLITS):
        mine = [one[number] for one in borders]
        counts = blend([end - begin for begin, end in mine], group.weights)
        yield of, [(begin, begin + count) for (begin, _), count in zip(mine, counts, strict=True)]


def _by_tokens(file: TokenFile, begin: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    """Successive ranges that end with the document which brings them to `most` tokens."""
    ends = np.cumsum(file.lengths[begin:end])
    first = begin
    while first < end:
        before = int(ends[first - begin - 1]) if first > begin else 0
        last = min(end, begin + int(np.searchsorted(ends, before + most)) + 1)
        yield first, last
        first = last
