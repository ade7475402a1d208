"""`pack`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.pretokenised import Pretokenised
from pipeline.config.rules import Bound
from pipeline.config.section import Section

__all__ = ["Pack"]


class Pack(Section):
    """From kept rows to bins of tokens."""

    tokenizer: str | None = None
    """A Hugging Face tokenizer, by folder or name; null trains a byte-level BPE on the train split."""
    pretokenised: Pretokenised | None = None
    """Token files of other trainers, packed beside the curated rows or instead of them."""
    vocab_size: int = Field(4096, ge=300)
    """Of the trained tokenizer."""
    template: str = "default"
    """`default`: the tokenizer's chat template where it marks what is generated, else ours; or a `.jinja` file."""
    seq_length: int = Field(512, ge=8)
    """Tokens in a bin. FP8 needs a multiple of 16."""
    pad_to_multiple_of: int = Field(1, ge=1)
    """Each example takes slots in multiples of this, which must divide `seq_length`: 2 × ranks for context parallel."""
    loss: Literal["answer", "all"] = "answer"
    """Which tokens are targets: the assistant's, or all. Rows of kind text and code are targets as a whole."""
    overflow: Literal["truncate", "drop", "raise"] = "truncate"
    """What becomes of a row longer than a bin."""
    fertility: Bound | None = None
    """Characters of contents a token that a row may have; BigCode drops code below 2.5 (`{min: 2.5}`)."""

    @model_validator(mode="after")
    def _divides(self) -> Pack:
        if self.seq_length % self.pad_to_multiple_of:
            below = self.seq_length - self.seq_length % self.pad_to_multiple_of
            raise ValueError(
                f"seq_length {self.seq_length} is not a multiple of pad_to_multiple_of {self.pad_to_multiple_of}; "
                f"the nearest are {below} and {below + self.pad_to_multiple_of}"
            )
        return self

    @model_validator(mode="after")
    def _pretokenised(self) -> Pack:
        if self.pretokenised is not None and self.tokenizer is None:
            raise ValueError("`pretokenised` needs `tokenizer`: the one that the files were made with")
        if self.pretokenised is not None and self.fertility is not None:
            raise ValueError("`fertility` cannot be measured on `pretokenised` files: they have no characters")
        return self
