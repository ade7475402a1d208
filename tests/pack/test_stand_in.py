"""Templates are told nothing of a stand-in that a row's own value would not tell them."""

from __future__ import annotations

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from pipeline.pack.stand_in import JsonStandIn, LookedInto, StandIn

KEYS = ["full", "number", "parts", "mapping", "text", "name", "full_trimmed", "items", "keys", "get"]


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("value", [StandIn(0, "text"), JsonStandIn(0, {"full": 1})], ids=["text", "object"])
def test_no_key_of_an_argument_is_answered(value: StandIn | JsonStandIn, key: str) -> None:
    for asked in (f"value.{key}", f"value['{key}']"):
        template = ImmutableSandboxedEnvironment().from_string("{% if " + asked + " %}x{% endif %}")
        with pytest.raises(LookedInto):
            template.render(value=value)
