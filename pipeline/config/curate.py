"""`curate`."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.config.clean import Clean
from pipeline.config.decontaminate import Decontaminate
from pipeline.config.dedup import Dedup
from pipeline.config.pii import Pii
from pipeline.config.rules import LANGUAGE_SIGNALS, RULE_KINDS, Rules
from pipeline.config.section import Section

__all__ = ["Curate", "Split"]


class Split(Section):
    """Shares of the kept rows, drawn by cluster."""

    train: float = Field(0.8, ge=0, le=1)
    validation: float = Field(0.15, ge=0, le=1)
    test: float = Field(0.05, ge=0, le=1)
    max_leakage: int = Field(0, ge=0)
    """The run stops when more pairs of (near) duplicates lie in different splits, which is none as a rule."""

    @model_validator(mode="after")
    def _whole(self) -> Split:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares add up to {total:g}, not 1")
        return self


class Curate(Section):
    """From raw rows to kept rows; `clean: null` and `pii: null` switch a step off."""

    clean: Clean | None = Clean()
    language: bool = False
    """Whether to name each row's language (signals `language` and `language_score`); needs the extra `language`."""
    rules: Rules = Rules()
    pii: Pii | None = Pii()
    dedup: Dedup = Dedup()
    decontaminate: Decontaminate = Decontaminate()
    split: Split = Split()

    @model_validator(mode="after")
    def _language_is_known(self) -> Curate:
        if self.language:
            return self
        for rules in (getattr(self.rules, kind) for kind in ("all", *RULE_KINDS)):
            for name, bound in rules.items():
                if bound is not None and (bound.signal or name) in LANGUAGE_SIGNALS:
                    raise ValueError(f"the rule {name!r} needs the language: set `language: true` beside `rules`")
        for by in self.dedup.order:
            if not isinstance(by, str) and by.signal in LANGUAGE_SIGNALS:
                raise ValueError(
                    f"`dedup.order` names {by.signal}, which needs the language: set `language: true` beside `dedup`"
                )
        return self
