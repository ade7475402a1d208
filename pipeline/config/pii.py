"""`curate.pii`."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.section import Section
from pipeline.errors import did_you_mean
from pipeline.text.entities import ENTITIES, Entity

__all__ = ["Ner", "Operator", "Pii"]

Operator = Literal["tag", "mask", "hash", "pseudonym"]


class Ner(Section):
    """Names and places, found by Presidio with a spaCy model that is on the machine (extra `ner`)."""

    model: str
    """An installed package such as `en_core_web_sm`, or a folder."""
    entities: Annotated[list[Annotated[str, Field(pattern="^[A-Z][A-Z_]*$")]], Field(min_length=1)] = [
        "PERSON",
        "LOCATION",
    ]
    """As Presidio names them."""
    score: float = Field(0.5, ge=0, le=1)
    """The least of an entity that is believed; Presidio gives all those of a spaCy model 0.85."""
    max_chars: int = Field(100_000, ge=1_000, le=1_000_000)
    """Longer texts are read in pieces of so many characters, cut between words."""

    @field_validator("entities")
    @classmethod
    def _others(cls, entities: list[str]) -> list[str]:
        for entity in entities:
            if entity.lower() in ENTITIES:
                raise ValueError(f"{entity} is not left to a model: it belongs to curate.pii.entities")
        return list(dict.fromkeys(entities))


class Pii(Section):
    """Personal data: what is looked for, and what is put in its place."""

    entities: Literal["all"] | list[Entity] = "all"
    """What the kernels look for; a list is not empty, unless `ner` finds the rest."""
    countries: list[str] | None = None
    """Whose national forms of telephone numbers count (ISO 3166, as in `[US, DE]`); null is a wide list."""
    operator: Operator = "tag"
    """`tag` puts `<EMAIL>` in place of an address, `mask` an asterisk for each character, `hash` `<EMAIL:…>` with a
    keyed digest, `pseudonym` `<EMAIL_1>`, the same for the same value within a row."""
    operators: dict[str, Operator] = {}
    """Entity → operator, for those that differ, as in `{email: hash, person: pseudonym}`."""
    key_env: str | None = None
    """The environment variable that holds the key of `hash`; the key itself never stands in a recipe."""
    metadata: Literal["redact", "keep"] = "redact"
    """Whether the strings and long integers of metadata, tools and extra keys are redacted too."""
    ner: Ner | None = None

    @field_validator("key_env")
    @classmethod
    def _name_of_a_variable(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch("[A-Za-z_][A-Za-z0-9_]{0,63}", name):
            raise ValueError("it is the name of an environment variable, such as PII_KEY, not the key itself")
        return name

    @field_validator("entities", mode="before")
    @classmethod
    def _known_entities(cls, entities: Any) -> Any:
        # Of a union each part would say by itself what is wrong.
        if not isinstance(entities, list) and entities != "all":
            raise ValueError(f"give `all`, or a list as in [email, phone], not {entities!r}")
        for entity in entities if entities != "all" else ():
            if entity not in ENTITIES:
                near = did_you_mean(entity, ENTITIES) if isinstance(entity, str) else ""
                near = near or f"; one of {', '.join(ENTITIES)}, and `ner` for names"
                raise ValueError(f"no entity is called {entity!r}{near}")
        return entities

    @field_validator("countries")
    @classmethod
    def _known_countries(cls, countries: list[str] | None) -> list[str] | None:
        if countries == []:
            raise ValueError("an empty list names no country: leave it out, or null, for a wide list")
        if countries is not None:
            from phonenumbers import SUPPORTED_REGIONS  # hundreds of milliseconds that most recipes need not pay

            for country in countries:
                if country not in SUPPORTED_REGIONS:
                    near = (
                        " (did you mean 'GB'?)" if country.upper() == "UK" else did_you_mean(country, SUPPORTED_REGIONS)
                    )
                    raise ValueError(f"no country has the code {country!r}{near}")
        return countries

    @model_validator(mode="after")
    def _something_is_looked_for(self) -> Pii:
        if self.entities == [] and self.ner is None:
            raise ValueError("entities: an empty list looks for nothing: leave it out for all, or set `pii: null`")
        return self

    @model_validator(mode="after")
    def _operators_fit(self) -> Pii:
        names = [*ENTITIES, *(entity.lower() for entity in (self.ner.entities if self.ner else []))]
        for name in self.operators:
            if name not in names:
                raise ValueError(f"operators: no entity is called {name!r}{did_you_mean(name, names)}")
            if name in ENTITIES and self.entities != "all" and name not in self.entities:
                raise ValueError(f"operators: {name} is not looked for, since `entities` does not list it")
        if self.key_env is None and "hash" in (self.operator, *self.operators.values()):
            raise ValueError("the operator hash needs key_env, the environment variable that holds its key")
        return self

    def operator_of(self, entity: str) -> Operator:
        """What is done with an entity."""
        return self.operators.get(entity, self.operator)
