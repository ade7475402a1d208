"""Which token may mark where a document begins: one that stands in no example, for a reader cuts at each of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from pipeline.errors import InputError
from pipeline.export.stream import examples
from pipeline.pack.bins import Bins

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["boundary_of"]

_END_OF_DOCUMENT = "<|endoftext|>"


def boundary_of(tokenizer: PreTrainedTokenizerBase, splits: Iterable[Bins]) -> int:
    """The control token that begins documents, one for all splits: it stands in no example, save as its first token.

    In the order of what readers expect: begin of sequence, `<|endoftext|>`, end of sequence, padding, any other. A
    tokenizer of ChatML without a begin-of-sequence token ends every *turn* with its end-of-sequence token, which as a
    boundary would tear each conversation into several documents.

    Raises:
        InputError: every control token stands inside an example.
    """
    inside = _inside(splits, len(tokenizer))
    vocabulary = tokenizer.get_vocab()
    wanted = [
        tokenizer.bos_token_id,
        vocabulary.get(_END_OF_DOCUMENT),
        tokenizer.eos_token_id,
        tokenizer.pad_token_id,
        *sorted(number for number, token in tokenizer.added_tokens_decoder.items() if token.special),
    ]
    for token in wanted:
        if token is not None and not inside[token]:
            return int(token)
    raise InputError(
        "no token can mark where a document begins: each of the tokenizer's control tokens stands inside an example, "
        "where a reader would begin another document",
        where="--format nanogpt",
        mend="export `--format megatron`, whose index holds the borders; or pack with a tokenizer that has a "
        "begin-of-sequence token",
    )


def _inside(splits: Iterable[Bins], vocab_size: int) -> np.ndarray:
    """Whether each id stands in an example behind its first token: bool, (vocab_size,)."""
    seen = np.zeros(vocab_size + 1, np.bool_)  # the last for ids beyond, which the writer refuses
    for bins in splits:
        for batch in examples(bins):
            behind = np.ones(len(batch.tokens), np.bool_)
            behind[batch.starts] = False
            seen[np.minimum(batch.tokens[behind], vocab_size)] = True
    return seen[:vocab_size]
