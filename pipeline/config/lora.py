"""`train.lora`: low-rank adapters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.section import Section

__all__ = ["Lora"]


class Lora(Section):
    """Low-rank adapters (`method: lora`)."""

    rank: int = Field(8, ge=1)
    alpha: float = Field(16, gt=0)
    """The adapter's output is scaled by alpha / rank, or alpha / √rank with `rslora`."""
    dropout: float = Field(0.0, ge=0, lt=1)
    dropout_position: Literal["pre", "post"] = "pre"
    """Before A, or after B."""
    target_modules: Literal["all-linear"] | list[str] = "all-linear"
    """Every linear layer but the output's, or shell patterns matched segment by segment over the end of
    a layer's dotted name: `q_proj`, `mlp.*`, `layers.[0-3].*`, `*.layers.1.*` (`*` at an end: any number of them)."""
    exclude_modules: list[str] = []
    """Layers that take none although they match, by the same patterns."""
    init_a: Literal["kaiming", "xavier", "gaussian", "uniform", "orthogonal"] = "kaiming"
    """How A is drawn. `gaussian` has standard deviation 1 / rank."""
    init_b: Literal["zeros", "gaussian"] = "zeros"
    """`zeros` begins as the model was; `gaussian` (1 / rank) does not."""
    dtype: Literal["float32", "bfloat16"] | None = None
    """What A and B compute in; null is what the model does (`precision`). Their masters are float32 always."""
    rslora: bool = False
    """Scale by alpha / √rank (Kalajdzievski, 2023)."""
    dora: bool = False
    """Learn the norms of the weights' rows beside their directions (Liu et al., 2024)."""
    quantize: Literal["nf4", "fp4", "int8"] | None = None
    """Hold the frozen weights in 4 or 8 bits (QLoRA); needs bitsandbytes."""

    @model_validator(mode="after")
    def _agrees(self) -> Lora:
        if self.dropout_position == "post" and self.dora:
            raise ValueError("`dropout_position: post` does not go with `dora`, which norms the adapter's weights")
        if self.target_modules == []:
            raise ValueError("`target_modules` is empty; `all-linear` is every linear layer but the output's")
        return self
