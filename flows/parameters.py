"""The two parameters of every flow; their types make the form on Prefect's page and are checked before anything starts.

What stands beside a field of the form comes from the flow's docstring: Prefect takes it from nowhere else.
Flat on purpose: Prefect replaces a nested parameter as a whole, and refuses more than 512 KiB of them.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = ["DEMO", "Overrides", "RecipePath"]

DEMO = "data/demo.yaml"

RecipePath = Annotated[str, Field(min_length=1, examples=[DEMO])]

Overrides = list[Annotated[str, Field(pattern=r"^[^=\s]+\s*=", examples=["train.steps=50"])]]
