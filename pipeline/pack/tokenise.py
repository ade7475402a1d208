"""Tokenise one curated part; runs on any worker."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.atomic import atomic_file
from pipeline.config.roles import ROLES
from pipeline.errors import InputError
from pipeline.pack.curated_rows import COLUMNS, CuratedRows
from pipeline.pack.cut_fields import ROLE_COUNTS
from pipeline.pack.examples import Renderer
from pipeline.pack.guard import MASKS, check_rows
from pipeline.pack.outlines import Outlines
from pipeline.pack.piece import Encoded, Piece
from pipeline.pack.render import Rendered
from pipeline.pack.slices import consecutive
from pipeline.pack.targets import Targets
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.pack.tokens import TOKENS, token_batch
from pipeline.run import PartRecord, Stage

__all__ = ["ROWS", "Job", "contents", "pieces_of", "tokenise_on_worker", "tokenise_part"]

ROWS = 512
"""Rows encoded at once."""
_BATCH_TOKENS = 1 << 20
"""A record batch is written when it holds as many tokens: the worker's memory, whatever the part's size."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A curated part and where its tokens go."""

    stage: Stage
    source: Path
    """A file of `schema.CURATED`."""
    part: str
    """`train-00000`."""
    output: str
    """`tokens/train/part-00000.arrow`, below the run directory."""
    tokenizer: Path
    tokenizer_content: str
    """Fingerprint of the tokenizer's files: a worker that lives on must not keep an older one of the same path."""
    targets: Targets
    stop_ids: tuple[int, ...]
    """Tokens that end an answer or a document."""


def tokenise_part(job: Job) -> PartRecord:
    """Render and encode every row, in order, and commit the part.

    Raises:
        InputError: the template refuses a row, no exact mask exists for it, or its mask cannot be meant.
    """
    renderer, outlines = _renderer(job.tokenizer, job.tokenizer_content, job.targets)
    counts = dict.fromkeys(("rows", "tokens", "targets", "characters", "bytes", *MASKS, *ROLE_COUNTS), 0)
    with (
        atomic_file(job.stage.run.path(job.output)) as beside,
        pa.ipc.new_file(beside, TOKENS) as writer,
    ):
        for batch in _batches(_encoded(job, renderer, outlines, counts)):
            writer.write_batch(token_batch(batch.ids, *batch.encoded[:3], batch.characters, batch.encoded.cuts))
            counts["rows"] += len(batch.ids)
            counts["tokens"] += len(batch.encoded.tokens)
            counts["targets"] += int(batch.encoded.loss.sum())
            counts["characters"] += int(batch.characters.sum())
    return job.stage.commit(job.part, {job.output: counts["rows"]}, counts)


def tokenise_on_worker(job: Job) -> PartRecord:
    """`tokenise_part` on one of many workers: each is one core's worth, so the encoder's own threads stay off."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return tokenise_part(job)


def contents(parts: list[Path], every: int) -> Iterator[str]:
    """The contents of every `every`-th row, streamed: what a tokenizer is trained on."""
    number = 0
    for part in parts:
        for rows in _rows(part):
            for begin, end in pairwise(rows.first.tolist()):
                if number % every == 0:
                    yield from rows.contents[begin:end]
                number += 1


def pieces_of(
    renderer: Renderer, row: Mapping[str, Any], *, locate: bool = False
) -> tuple[list[Piece], Rendered | None]:
    """A curated row in pieces, and the text that a conversation was rendered to.

    Args:
        renderer: with the recipe's targets.
        row: a row of `schema.CURATED`.
        locate: find the places of the row's strings in that text.

    Raises:
        InputError: the template refuses the row, or no exact mask exists for it.
    """
    messages = row["messages"]
    if row["kind"] in ("text", "code"):
        return renderer.document("\n\n".join(message["content"] for message in messages)), None
    if row["kind"] not in ("pair", "chat"):
        raise InputError(
            f"rows of kind {row['kind']} cannot be packed for language modelling",
            where=f"row {row['id']}",
            mend="leave its source out of this recipe",
        )
    try:
        return renderer.example(renderer.row(messages, row["tools"], row["metadata"]), locate=locate)
    except InputError as error:
        raise InputError(error.what, where=f"row {row['id']}; {error.where}", mend=error.mend) from None


class _Batch(NamedTuple):
    """Rows encoded at once."""

    ids: list[str]
    encoded: Encoded
    characters: NDArray[np.int64]
    """Of each row's contents: shape (rows,)."""


def _encoded(job: Job, renderer: Renderer, outlines: Outlines, counts: dict[str, int]) -> Iterator[_Batch]:
    vocabulary, bos_id = len(renderer.tokenizer), renderer.tokenizer.bos_token_id
    for rows in _rows(job.source):
        encoded = _encode(renderer, outlines, rows)
        encoded = _all_targets(encoded) if job.targets.loss == "all" else encoded
        if len(encoded.tokens) and int(encoded.tokens.max()) >= vocabulary:
            place = int(np.argmax(encoded.tokens >= vocabulary))
            raise InputError(
                f"token id {encoded.tokens[place]} is outside the vocabulary of {vocabulary}",
                where=f"row {rows.ids[int(np.searchsorted(np.cumsum(encoded.lengths), place, side='right'))]}",
                mend="the tokenizer's added tokens must have the ids that follow its vocabulary: correct its "
                "tokenizer.json",
            )
        talks = np.array([kind not in ("text", "code") for kind in rows.kinds], np.bool_)
        masks = check_rows(encoded, rows.ids, talks, job.targets, bos_id=bos_id, stop_ids=job.stop_ids)
        counts.update({name: counts[name] + value for name, value in masks.items()})
        counts["bytes"] += rows.bytes
        for role in ROLES:
            counts[f"rows_with_{role}"] += rows.rows_with(role)
        yield _Batch(rows.ids, encoded, rows.characters)


def _encode(renderer: Renderer, outlines: Outlines, rows: CuratedRows) -> Encoded:
    """Conversations by what differs between them, where that is known; the others whole."""
    talks = [number for number, kind in enumerate(rows.kinds) if kind in ("pair", "chat")]
    known, quick = outlines.encode(rows, talks)
    others = sorted(set(range(len(rows))).difference(known))
    if not others:
        return quick
    whole = renderer.encode([pieces_of(renderer, rows[number])[0] for number in others])
    return _in_order(quick, whole, np.argsort(np.array([*known, *others]))) if known else whole


def _in_order(one: Encoded, other: Encoded, order: NDArray[np.int64]) -> Encoded:
    """The rows of both, by their numbers among all."""
    lengths = np.concatenate([one.lengths, other.lengths])
    places = consecutive((np.cumsum(lengths) - lengths)[order], lengths[order])
    cuts = [*one.cuts, *other.cuts]
    return Encoded(
        tokens=np.concatenate([one.tokens, other.tokens])[places],
        loss=np.concatenate([one.loss, other.loss])[places],
        lengths=lengths[order],
        cuts=[cuts[number] for number in order],
    )


def _batches(encoded: Iterable[_Batch]) -> Iterator[_Batch]:
    """Join what is encoded at once into record batches of `_BATCH_TOKENS` or a little more."""
    waiting: list[_Batch] = []
    for one in encoded:
        waiting.append(one)
        if sum(len(each.encoded.tokens) for each in waiting) >= _BATCH_TOKENS:
            yield _join(waiting)
            waiting = []
    if waiting:
        yield _join(waiting)


def _join(waiting: list[_Batch]) -> _Batch:
    tokens, loss, lengths, cuts = zip(*(one.encoded for one in waiting), strict=True)
    return _Batch(
        [row for one in waiting for row in one.ids],
        Encoded(
            tokens=np.concatenate(tokens),
            loss=np.concatenate(loss),
            lengths=np.concatenate(lengths),
            cuts=[one for each in cuts for one in each],
        ),
        np.concatenate([one.characters for one in waiting]),
    )


def _rows(source: Path) -> Iterator[CuratedRows]:
    with pq.ParquetFile(source) as file:
        yield from map(CuratedRows, file.iter_batches(batch_size=ROWS, columns=COLUMNS))


def _all_targets(encoded: Encoded) -> Encoded:
    loss = np.ones_like(encoded.loss)
    loss[(np.cumsum(encoded.lengths) - encoded.lengths)[encoded.lengths > 0]] = False
    return encoded._replace(loss=loss)


@lru_cache(maxsize=2)
def _renderer(folder: Path, content: str, targets: Targets) -> tuple[Renderer, Outlines]:
    renderer = Renderer(load_tokenizer(folder), targets)
    return renderer, Outlines(renderer)
