"""From a token of a bin back to the row, the message and the characters that it came from.

Nothing of this is stored beside the tokens: the row is rendered and encoded once more, and the result is held against
the bin. So the answer is exact or there is none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.dataset as ds
from numpy.typing import NDArray

from pipeline.config import Recipe
from pipeline.errors import InputError, RunDirectoryError
from pipeline.pack.bins import Bins
from pipeline.pack.examples import Renderer
from pipeline.pack.overflow import decide
from pipeline.pack.piece import Piece
from pipeline.pack.render import REASONING, Located, Rendered
from pipeline.pack.seal import check_seal
from pipeline.pack.targets import Conversation, Targets
from pipeline.pack.tokenise import pieces_of
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.pack.tokens import TokenRows, token_batch
from pipeline.run import Manifest, RunDirectory
from pipeline.schema import CURATED, SPLITS

__all__ = ["Origin", "trace"]

_Part = tuple[int | None, str | None, tuple[int, int] | None]
_PLACE = re.compile(r"(?:([a-z]+):)?(\d+):(\d+)")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a token came from."""

    split: str
    bin: int
    offset: int
    token: int
    text: str
    """Of the token alone."""
    target: bool
    row: str
    """Id of the row."""
    place: int
    """Number of the token in the whole row, before it was cut or split."""
    part: str | None
    """`content`, `reasoning` or a named field; `template` for what the template wrote, tool calls included; None where
    it cannot be told, because the template writes something else where its strings are marked."""
    message: int | None
    """Number of the message; None for what belongs to none."""
    role: str | None
    characters: tuple[int, int] | None
    """First and last character in that string; None for the template's text, and for a string that it changes."""


def trace(run: RunDirectory, recipe: Recipe, place: str) -> Origin:
    """The origin of the token at `place`: `BIN:OFFSET` of the train split, or `SPLIT:BIN:OFFSET`.

    Raises:
        InputError: there is no such token.
        RunDirectoryError: the run is not packed, or what it was made from has changed.
    """
    split, number, offset = _parsed(place)
    folder = run.path("tokenizer")
    bins = Bins.open(run.path(f"packed/{split}"))
    if number >= len(bins) or offset >= len(bins.get(number).tokens):
        most = f"{len(bins)} bins" if number >= len(bins) else f"{len(bins.get(number).tokens)} tokens in bin {number}"
        raise InputError(f"there is no token {place}: {split} has {most}", mend="bins and tokens are counted from 0")
    tokenizer = load_tokenizer(folder)
    check_seal(tokenizer, run, folder)
    packed = bins.get(number)
    example = int(np.searchsorted(packed.starts, offset, side="right")) - 1
    first, last = packed.starts[example], [*packed.starts[1:], len(packed.tokens)][example]
    row = _curated(run, split, packed.rows[example])
    renderer = Renderer(tokenizer, Targets.of(recipe.pack))
    pieces, rendered = pieces_of(renderer, row, locate=True)
    tokens, spans = _encoded(renderer, pieces)
    at = _in_row(renderer, recipe, split, row["id"], pieces, packed.tokens[first:last], offset - int(first))
    a, b = spans[at]
    if rendered is None:  # a document: its contents joined by a blank line, perhaps after a token at the front
        front = 0 if pieces[0].literal else len(pieces[0].text)
        message, part, characters = _of_document(row, int(a) - front, int(b) - front)
    else:
        conversation = renderer.row(row["messages"], row["tools"], row["metadata"])
        message, part, characters = _of_conversation(conversation, rendered, int(a), int(b))
    return Origin(
        split=split,
        bin=number,
        offset=offset,
        token=int(tokens[at]),
        text=str(tokenizer.decode([int(tokens[at])])),
        target=bool(packed.loss[offset]),
        row=row["id"],
        place=at,
        part=part,
        message=message,
        role=None if message is None else row["messages"][message]["role"],
        characters=characters,
    )


def _parsed(place: str) -> tuple[str, int, int]:
    found = _PLACE.fullmatch(place)
    if found is None or (found[1] or "train") not in SPLITS:
        raise InputError(
            f"{place!r} is no place of a token",
            mend="write BIN:OFFSET, or SPLIT:BIN:OFFSET with split " + ", ".join(SPLITS),
        )
    return found[1] or "train", int(found[2]), int(found[3])


def _curated(run: RunDirectory, split: str, row_id: str) -> dict[str, Any]:
    files = [str(path) for path in sorted(run.path(f"curated/{split}").glob("part-*.parquet"))]
    found = ds.dataset(files, schema=CURATED, format="parquet").head(1, filter=pc.field("id") == row_id).to_pylist()
    packed = Manifest.read(run.path("packed"))
    if not found and packed is not None and "pretokenised" in packed.summary:
        raise InputError(
            f"row {row_id} came as tokens: there are no characters to lead back to",
            mend="the id names its file and its place there",
        )
    if not found:
        raise _changed(run, row_id)
    return dict(found[0])


def _encoded(renderer: Renderer, pieces: list[Piece]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The row's tokens, and the characters of the rendered text of each: shapes (T,) and (T, 2)."""
    begin = np.cumsum([0, *(len(piece.text) for piece in pieces)])
    found = dict(renderer.encodings(pieces, offsets=True))
    ids = [token for index in range(len(pieces)) for token in found[index].ids]
    spans = [np.array(found[index].offsets, np.int64).reshape(-1, 2) + begin[index] for index in range(len(pieces))]
    return np.array(ids, np.uint32), np.concatenate([np.empty((0, 2), np.int64), *spans])


def _in_row(
    renderer: Renderer,
    recipe: Recipe,
    split: str,
    row_id: str,
    pieces: list[Piece],
    packed: NDArray[np.uint32],
    offset: int,
) -> int:
    """Which token of the whole row token `offset` of its example is: the row is cut once more as it was."""
    encoded = renderer.encode([pieces])
    loss = np.ones_like(encoded.loss) if renderer.targets.loss == "all" else encoded.loss
    numbers = np.arange(len(encoded.tokens), dtype=np.uint32)
    size = np.array([len(numbers)], np.int64)
    rows, places = (
        TokenRows([token_batch([row_id], tokens, loss, size, size, encoded.cuts)])
        for tokens in (encoded.tokens, numbers)
    )
    policy = "truncate" if recipe.pack.overflow == "raise" else recipe.pack.overflow
    fate = decide(
        rows.survey(),
        recipe.pack.seq_length,
        policy,
        split=split,
        rows=rows,
        method=recipe.pack.truncation_method,
        bos_id=renderer.tokenizer.bos_token_id,
    )
    for example in range(len(fate.rows)):
        found, _ = fate.gather(rows, np.array([example]))
        if np.array_equal(found, packed):
            return int(fate.gather(places, np.array([example]))[0][offset])
    raise RunDirectoryError(
        f"row {row_id} no longer gives the tokens of its bin",
        where=f"packed/{split}",
        mend="the run's rows or its tokenizer changed after packing: pack again",
    )


def _of_conversation(row: Conversation, rendered: Rendered, a: int, b: int) -> _Part:
    """The message, which of its strings, and the characters there, that the text's characters a … b came from."""
    for found in rendered.located or ():
        if a < found.last and b > found.first:
            begin, end = (place - found.first + found.lead for place in (max(a, found.first), min(b, found.last)))
            message = None if found.message < 0 else found.message
            same = rendered.text[found.first : found.last] in _strings_at(row, found)
            return message, found.field, (begin, end) if same else None
    told = rendered.located is not None and not rendered.apart
    return None, "template" if told else None, None


def _strings_at(row: Conversation, place: Located) -> list[str]:
    """The strings that stand there, without the blanks around them."""
    if place.message < 0:
        return [(row.fields or {})[place.field].strip()]
    keys = REASONING if place.field == "reasoning" else (place.field,)
    found = (row.messages[place.message].get(key) for key in keys)
    return [text.strip() for text in found if isinstance(text, str)]


def _of_document(row: dict[str, Any], a: int, b: int) -> _Part:
    at = 0
    for number, message in enumerate(row["messages"]):
        end = at + len(message["content"])
        if a < end and b > at:
            return number, "content", (max(a, at) - at, min(b, end) - at)
        at = end + 2
    return None, "template", None


def _changed(run: RunDirectory, row_id: str) -> RunDirectoryError:
    return RunDirectoryError(
        f"row {row_id} is no longer among the curated rows",
        where=str(run.path("curated")),
        mend="curation ran again after packing: pack again",
    )
