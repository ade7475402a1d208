"""`pack`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.pretokenised import Pretokenised
from pipeline.config.roles import ROLES
from pipeline.config.rules import Bound
from pipeline.config.section import Section
from pipeline.errors import did_you_mean

__all__ = ["Pack", "Roles"]


class Roles(Section):
    """Messages to learn by who wrote them (`loss: {roles: [assistant, tool]}`)."""

    roles: list[str] = Field(min_length=1)

    @field_validator("roles")
    @classmethod
    def _known(cls, roles: list[str]) -> list[str]:
        for role in roles:
            if role not in ROLES:
                raise ValueError(f"there is no role {role!r}{did_you_mean(role, ROLES)}; one of {', '.join(ROLES)}")
        return roles


class Pack(Section):
    """From kept rows to bins of tokens."""

    tokenizer: str | None = None
    """A Hugging Face tokenizer, by folder or name; null trains a byte-level BPE on the train split."""
    pretokenised: list[Pretokenised] = []
    """Token files of other trainers, packed beside the curated rows or instead of them; one, or a list."""
    vocab_size: int = Field(4096, ge=300)
    """Of the trained tokenizer."""
    template: str = "default"
    """`default` (the tokenizer's own chat template, refused where it cannot be trained exactly; ours for a tokenizer
    without one), `passthrough`, the name of one of ours (`llama3`, …: `docs/templates.md`), a `.jinja` file, Jinja
    text, or named fields: `"Question: {input} Answer: {output}"`."""
    seq_length: int = Field(512, ge=8)
    """Tokens in a bin. FP8 needs a multiple of 16."""
    pad_to_multiple_of: int = Field(1, ge=1)
    """Each example takes slots in multiples of this, which must divide `seq_length`: 2 × ranks for context parallel."""
    loss: Literal["answer", "all", "last_answer"] | Roles = "answer"
    """Which tokens are targets: the assistant's, all, the assistant's last message, or those of some roles. Rows of
    kind text and code are targets as a whole."""
    mask_reasoning: bool = False
    """Whether `reasoning_content` is context only."""
    train_on_eos: Literal["turn", "last", "none"] = "turn"
    """Whether the token that ends an answer is a target: of each trained turn, of the row's last one, or never."""
    overflow: Literal["truncate", "drop", "raise", "split"] = "truncate"
    """What becomes of a row longer than a bin."""
    truncation_field: str | list[str] | None = None
    """What `truncate` cuts first, equally: fields of a prompt template, or roles (`user`, `system`, `tool`)."""
    truncation_method: Literal["right", "left"] = "right"
    """Which end of a field, and then of the row, is cut."""
    fertility: Bound | None = None
    """Characters of contents a token that a row may have; BigCode drops code below 2.5 (`{min: 2.5}`)."""

    @field_validator("pretokenised", mode="before")
    @classmethod
    def _listed(cls, given: Any) -> Any:
        return [] if given is None else given if isinstance(given, list | tuple) else [given]

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
    def _something_to_cut(self) -> Pack:
        if self.overflow != "truncate" and (self.truncation_field is not None or self.truncation_method != "right"):
            raise ValueError("truncation_field and truncation_method go with `overflow: truncate`")
        return self

    @model_validator(mode="after")
    def _pretokenised(self) -> Pack:
        files = ", ".join(files.label for files in self.pretokenised)
        if self.pretokenised and self.tokenizer is None:
            raise ValueError(f"files of tokens ({files}) need `tokenizer`: the one that they were made with")
        if self.pretokenised and self.fertility is not None:
            raise ValueError(f"`fertility` cannot be measured on files of tokens ({files}): they have no characters")
        return self

    @property
    def truncation_fields(self) -> list[str]:
        """`truncation_field` as a list; NeMo writes several with commas."""
        given = self.truncation_field or []
        return [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)
