"""A scorer that cannot tell a copy from another row's answer must not decide anything."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import StageError
from pipeline.evaluate.metrics.scorers import Scorers, mean_scores
from pipeline.evaluate.prompts import Prompt

__all__ = ["check_controls"]


def check_controls(prompts: Sequence[Prompt], scorers: Scorers) -> dict[str, dict[str, float]]:
    """Score exact copies of the references, aligned and shuffled: the scorers must tell them apart.

    Measures of the recipe's own, and unit tests, are left out: a copy need not score 1 there.

    Returns:
        The mean scores of both controls, for the report.

    Raises:
        StageError: an exact copy scores below 1.0 on any measure, or shuffled copies score no lower than aligned ones.
    """
    aligned, shuffled = [], []
    others = [*prompts[1:], *prompts[:1]]
    for prompt, other in zip(prompts, others, strict=True):
        measures = scorers.of_texts(prompt)
        aligned.append({name: measure(prompt.reference) for name, measure in measures.items()})
        shuffled.append({name: measure(other.reference) for name, measure in measures.items()})
        for name, value in aligned[-1].items():
            if value != 1.0:
                raise StageError(
                    f"self-check: an exact copy of the reference scores {name} {value}", where=f"row {prompt.id}"
                )
    copies, rotated = mean_scores(aligned), mean_scores(shuffled)
    for name in _distinct(prompts):
        if name in copies and rotated[name] >= copies[name]:
            raise StageError(
                f"self-check: shuffled references score {name} {rotated[name]}, aligned ones {copies[name]}"
            )
    return {"copies": copies, "shuffled": rotated}


def _distinct(prompts: Sequence[Prompt]) -> list[str]:
    """The measures by which these references differ; told without the scorers' own words, which are under suspicion."""
    texts = [prompt.reference for prompt in prompts if not prompt.calls]
    if len(texts) < len(prompts) or len({text.strip() for text in texts}) < 2:
        return []
    letters = {"".join(filter(str.isalnum, text.lower())) for text in texts}
    return ["exact_match", "rouge_l"] if len(letters) > 1 else ["exact_match"]
