"""`evaluate` and `promote`: what is measured, and what it decides."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from pipeline.config.section import Section

__all__ = ["MEASURES", "CustomMetric", "Evaluate", "Promote", "UnitTests"]

MEASURES: dict[str, bool] = {
    "loss": False,
    "bits_per_byte": False,
    "exact_match": True,
    "f1": True,
    "rouge_l": True,
    "numeric": True,
    "tool_call": True,
    "parses": True,
    "compiles": True,
}
"""Every measure that a gate may look at, and whether more of it is better; `pass_at_K` and the recipe's own come on
top. `docs/evaluate.md` says what each is."""


class UnitTests(Section):
    """Generated Python is run on the unit tests that a row brings along, in a sandbox: pass@k."""

    field: str = "test"
    """The key of the row's metadata that holds the tests: Python that fails with an exception. Where it
    defines `check`, as HumanEval's does, that is called with the function."""
    entry_point: str = "entry_point"
    """The key that holds the name of the function that is tested."""
    samples: int = Field(1, ge=1, le=200)
    """Answers to each such row; more than one are drawn at `temperature`."""
    k: list[Annotated[int, Field(ge=1)]] = [1]
    """The k of pass@k, none above `samples`."""
    temperature: float = Field(0.8, gt=0)
    seconds: float = Field(10.0, gt=0, le=600)
    """Processor time that an answer may take, and three times as much on the clock."""
    memory_mb: int = Field(512, ge=64)
    """Address space of each process."""

    @model_validator(mode="after")
    def _enough(self) -> UnitTests:
        if not self.k or max(self.k) > self.samples:
            raise ValueError(f"pass@{max(self.k, default=1)} needs `samples` of at least {max(self.k, default=1)}")
        return self


class CustomMetric(Section):
    """A measure of one's own."""

    target: str
    """`module:function` or `file.py:function`, called with `(prediction, reference, row)`; it returns a number, or None
    where the row has none."""
    higher_is_better: bool = True

    @field_validator("target")
    @classmethod
    def _named(cls, target: str) -> str:
        if ":" not in target:
            raise ValueError("`target` is `module:function` or `file.py:function`")
        return target


class Evaluate(Section):
    """What is measured on the validation and test rows."""

    generate: int = Field(32, ge=0)
    """Test rows to generate answers for."""
    max_new_tokens: int = Field(128, ge=1)
    batch: int = Field(8, ge=1)
    """Bins or prompts at once."""
    nproc: int = Field(1, ge=1)
    """Ranks that share the work; as many as there are GPUs."""
    unit_tests: UnitTests | None = None
    """null runs no generated code."""
    metrics: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], CustomMetric] = {}
    """Measures of one's own, by name."""

    @field_validator("metrics")
    @classmethod
    def _free(cls, metrics: dict[str, CustomMetric]) -> dict[str, CustomMetric]:
        taken = sorted(name for name in metrics if name in MEASURES or name.startswith("pass_at_"))
        if taken:
            raise ValueError(f"{taken[0]} is a measure of ours; give yours another name")
        return metrics

    def measures(self) -> dict[str, bool]:
        """Every measure of this recipe, and whether more of it is better."""
        tests = {f"pass_at_{k}": True for k in self.unit_tests.k} if self.unit_tests else {}
        return {**MEASURES, **tests, **{name: one.higher_is_better for name, one in self.metrics.items()}}


class Promote(Section):
    """When the candidate takes the champion's place."""

    metric: str = "loss"
    """The measure on the test rows that must be better; `measure@source` or `measure@kind` looks at these rows only."""
    margin: float = Field(0.0, ge=0)
    """By how much, in units of the measure; of `loss` nats a token, bits a byte where the champion has other tokens."""
    confidence: float = Field(0.95, gt=0.5, lt=1)
    """Of the interval around the improvement (paired bootstrap); its lower end must be above the margin."""
    min_rows: int = Field(10, ge=2)
    """With fewer test rows to compare on, the champion stays: no interval can be trusted."""
    guards: dict[str, Annotated[float, Field(ge=0)]] = {}
    """Measures that must not be worse → by how much they may be, as in `{exact_match: 0.01, loss@notes: 0.05}`."""
    keep: int = Field(1, ge=1)
    """Former champions whose models are kept for `promote --rollback`."""
    champion: str | None = None
    """The champion's pointer; null is `champion-<sources>.json` beside the run, in a series its `champion.json`."""
