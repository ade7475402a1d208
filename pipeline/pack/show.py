"""Show rows as the tokens they were trained as, coloured by the loss mask."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from pipeline.errors import RunDirectoryError
from pipeline.pack.bins import Bins
from pipeline.run import RunDirectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["coloured", "show_tokens"]

_TARGETS, _CONTEXT = ("black on green", "black on bright_green"), ("white", "bright_black")
"""Neighbouring tokens alternate between two shades, so that their borders show."""


def show_tokens(run: RunDirectory, n: int, *, split: str = "train") -> None:
    """Print the first `n` examples of a packed split: targets on green, context plain, a token to a shade.

    Where the output is no terminal, or NO_COLOR is set, targets stand between `⟦` and `⟧`.

    Raises:
        RunDirectoryError: the run is not packed, or its template changed since.
    """
    folder = run.path("tokenizer")
    if not folder.is_dir():
        raise RunDirectoryError(
            "the run has no tokenizer", where=str(folder), mend="run `curate-and-train pack RECIPE` first"
        )
    from pipeline.pack.seal import check_seal
    from pipeline.pack.tokenizer import load_tokenizer

    bins, tokenizer = Bins.open(run.path(f"packed/{split}")), load_tokenizer(folder)
    check_seal(tokenizer, run, folder)
    console = Console(highlight=False, soft_wrap=True)
    shown = 0
    for index in range(len(bins)):
        packed = bins.get(index)
        ends = [*packed.starts.tolist(), len(packed.tokens)]
        for row, (first, last) in zip(packed.rows, pairwise(ends), strict=True):
            if shown == n:
                return
            shown += 1
            loss = packed.loss[first:last].tolist()
            console.print(f"{row}  ({split}, bin {index}, {last - first} tokens, {sum(loss)} targets)", style="bold")
            tokens = packed.tokens[first:last].tolist()
            console.print(coloured(tokenizer, tokens, loss, brackets=console.no_color or not console.is_terminal))
            console.print()


def coloured(
    tokenizer: PreTrainedTokenizerBase, tokens: list[int], loss: list[bool], *, brackets: bool = False
) -> Text:
    """The tokens of one example as text, each in the shade of its mask."""
    text = Text()
    for number, (piece, target) in enumerate(zip(_pieces(tokenizer, tokens), loss, strict=True)):
        if brackets and target and (number == 0 or not loss[number - 1]):
            text.append("⟦")
        text.append(piece, style=(_TARGETS if target else _CONTEXT)[number % 2])
        if brackets and target and (number + 1 == len(loss) or not loss[number + 1]):
            text.append("⟧")
    return text


def _pieces(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> list[str]:
    """What each token adds to the text; a token that ends inside a character adds nothing until it is whole."""
    pieces, waiting = [], 0
    for number in range(len(tokens)):
        text = str(tokenizer.decode(tokens[number - waiting : number + 1]))
        whole = not text.endswith("\ufffd") or number + 1 == len(tokens)
        pieces.append(text if whole else "")
        waiting = 0 if whole else waiting + 1
    return pieces
