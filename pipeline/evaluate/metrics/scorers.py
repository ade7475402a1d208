"""Every measure of a recipe, applied to the rows that have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from pipeline.config import Evaluate
from pipeline.evaluate.metrics.code import compiles, find_iverilog, is_python, is_verilog, looks_like_verilog, parses
from pipeline.evaluate.metrics.custom import Measure, load_measure
from pipeline.evaluate.metrics.numbers import marked_number, numeric
from pipeline.evaluate.metrics.text import exact_match, f1, rouge_l
from pipeline.evaluate.metrics.tools import tool_call
from pipeline.evaluate.metrics.unit_tests import RowTests, pass_at, passed, tests_of
from pipeline.evaluate.prompts import Prompt

__all__ = ["Scorers", "mean_scores"]

Scores = dict[str, float]


class Scorers:
    """The measures of a recipe.

    Which of them a row has is decided by the row alone, never by an answer: so every contender is scored on the same.

    Raises:
        InputError: a measure of the recipe's own cannot be loaded.
    """

    def __init__(self, settings: Evaluate) -> None:
        self._settings = settings
        self._iverilog = find_iverilog()
        self._custom: dict[str, Measure] = {
            name: load_measure(name, metric) for name, metric in settings.metrics.items()
        }

    def of_texts(self, prompt: Prompt) -> dict[str, Callable[[str], float]]:
        """The measures of a row that compare an answer with its reference: those that the controls check."""
        reference = prompt.reference
        if prompt.calls:  # how calls are written is the template's affair
            return {"tool_call": lambda answer: tool_call(answer, reference)}
        found: dict[str, Callable[[str], float]] = {
            "exact_match": lambda answer: exact_match(answer, reference),
            "f1": lambda answer: f1(answer, reference),
            "rouge_l": lambda answer: rouge_l(answer, reference),
        }
        if marked_number(reference) is not None:
            found["numeric"] = lambda answer: numeric(answer, reference)
        if is_python(reference):
            found["parses"] = parses
        elif (iverilog := self._iverilog) and is_verilog(reference, iverilog):
            found["compiles"] = lambda answer: compiles(answer, iverilog)
        return found

    def uncompiled(self, prompts: Sequence[Prompt]) -> int:
        """Rows of Verilog that nothing is said about, because the compiler is not installed."""
        return 0 if self._iverilog else sum(looks_like_verilog(prompt.reference) for prompt in prompts)

    def tests(self, prompt: Prompt) -> RowTests | None:
        """The unit tests of a row, where it has some and the recipe runs them."""
        return tests_of(prompt, self._settings.unit_tests) if self._settings.unit_tests else None

    def score(self, prompt: Prompt, answers: Sequence[str]) -> Scores:
        """Score the answers to one row.

        Args:
            prompt: the row.
            answers: the likeliest one, and behind it those that were drawn for pass@k, if any were.

        Raises:
            InputError: a measure of the recipe's own failed.
            MachineError: unit tests are asked for, and the machine allows no sandbox.
        """
        scores = {name: measure(answers[0]) for name, measure in self.of_texts(prompt).items()}
        settings = self._settings.unit_tests
        if settings and (tests := self.tests(prompt)):
            outcomes = [passed(answer, tests, settings) for answer in answers[1:] or answers]
            scores |= {f"pass_at_{k}": pass_at(k, outcomes) for k in settings.k}
        for name, custom in self._custom.items():
            if (value := custom(answers[0], prompt)) is not None:
                scores[name] = value
        return scores


def mean_scores(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each measure over the rows that have it."""
    names = sorted({name for one in scores for name in one})
    return {name: fmean(one[name] for one in scores if name in one) for name in names}
