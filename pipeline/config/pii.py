"""`curate.pii`."""

from __future__ import annotations

from typing import Literal

from pipeline.config.section import Section

__all__ = ["Pii"]

Entity = Literal["email", "phone", "ip", "credit_card", "ssn", "iban"]


class Pii(Section):
    """Personal data: what is looked for, and what is put in its place."""

    entities: Literal["all"] | list[Entity] = "all"
    operator: Literal["tag"] = "tag"
    """`tag` puts `<EMAIL>` in place of an address."""
    metadata: Literal["redact", "keep"] = "redact"
    """Whether the string values of metadata, tools and extra keys are redacted too."""
