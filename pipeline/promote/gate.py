"""Whether the candidate takes the champion's place: a pure function of scores row by row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.config import Promote
from pipeline.evaluate.bootstrap import Improvement, paired_bootstrap

__all__ = ["Guard", "Pairs", "Verdict", "judge"]

Pairs = Callable[[str], tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Metric → the scores of candidate and champion on the rows of both: float64 [rows, 2] each, value and weight."""

_NAMES = {"loss": "loss", "bits_per_byte": "bits a byte"}


@dataclass(frozen=True, kw_only=True)
class Guard:
    """A measure that must not be worse.

    Args:
        metric: its name.
        tolerance: by how much it may be.
        candidate: the candidate's value, or None where it was not measured.
        champion: the champion's, on the same rows.
        held: whether the candidate is worse by no more.
    """

    metric: str
    tolerance: float
    candidate: float | None
    champion: float | None
    held: bool


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A decision and the numbers that it rests on.

    Args:
        promoted: whether the candidate takes (or already has) the champion's place.
        reason: one sentence for people.
        metric: what was compared, or None where there was nothing to compare.
        candidate: the candidate's value on the rows that both were measured on.
        champion: the champion's.
        margin: by how much the candidate had to be better.
        confidence: of the interval.
        improvement: `estimate`, `low`, `high` and `rows`; positive is better. None where nothing was compared.
        guards: what else was looked at.
    """

    promoted: bool
    reason: str
    margin: float
    confidence: float
    metric: str | None = None
    candidate: float | None = None
    champion: float | None = None
    improvement: dict[str, Any] | None = None
    guards: list[Guard] = field(default_factory=list)


def judge(pairs: Pairs, settings: Promote, measures: Mapping[str, bool], *, has_champion: bool, seed: int) -> Verdict:
    """Compare candidate and champion on the same test rows; where it is not certain, the champion stays.

    The candidate wins if the lower end of the interval of its improvement is above the margin, and no guard is worse
    than its tolerance. Token losses of models with different tokenizers cannot be compared (the tokens are not the same
    events): then `bits_per_byte`, which counts against the text, decides instead.

    Args:
        pairs: gives the scores of a measure.
        settings: the recipe's section.
        measures: every measure → whether more of it is better.
        has_champion: whether there is a champion to beat.
        seed: of the bootstrap.
    """
    verdict = Verdict(promoted=False, reason="", margin=settings.margin, confidence=settings.confidence)
    if not has_champion:
        return replace(verdict, promoted=True, reason="there is no champion yet")
    metric, ours, theirs = _comparable(pairs, settings.metric)
    shown = _shown(metric)
    if not _weighs(ours, theirs):
        return replace(verdict, reason=f"there are no test rows with a {shown} to compare it with the champion on")
    verdict = replace(verdict, metric=metric, candidate=_mean(ours), champion=_mean(theirs))
    if len(ours) < settings.min_rows:
        reason = f"{len(ours)} test rows are too few to tell; promote.min_rows asks for {settings.min_rows}"
        return replace(verdict, reason=reason)
    better = measures[metric.partition("@")[0]]
    improvement = paired_bootstrap(ours, theirs, higher_is_better=better, confidence=settings.confidence, seed=seed)
    guards = [_guard(pairs, name, tolerance, measures) for name, tolerance in sorted(settings.guards.items())]
    verdict = replace(verdict, improvement=vars(improvement), guards=guards)
    won = improvement.low > settings.margin
    return replace(
        verdict,
        promoted=won and all(guard.held for guard in guards),
        reason=_reason(verdict, "above" if better else "below", improvement, won=won),
    )


def _comparable(pairs: Pairs, metric: str) -> tuple[str, NDArray[np.float64], NDArray[np.float64]]:
    """The measure's scores on the rows of both; of bits a byte where a loss per token is of other tokens."""
    ours, theirs = pairs(metric)
    if not _weighs(ours, theirs) and metric.partition("@")[0] == "loss":
        metric = metric.replace("loss", "bits_per_byte", 1)
        ours, theirs = pairs(metric)
    return metric, ours, theirs


def _guard(pairs: Pairs, metric: str, tolerance: float, measures: Mapping[str, bool]) -> Guard:
    """A measure that does not exist for both does not hold: nobody knows."""
    metric, ours, theirs = _comparable(pairs, metric)
    if not _weighs(ours, theirs):
        return Guard(metric=metric, tolerance=tolerance, candidate=None, champion=None, held=False)
    candidate, champion = _mean(ours), _mean(theirs)
    worse = champion - candidate if measures[metric.partition("@")[0]] else candidate - champion
    # Equal sums in another order may differ in the last bits.
    held = worse <= tolerance + 1e-12
    return Guard(metric=metric, tolerance=tolerance, candidate=candidate, champion=champion, held=held)


def _reason(verdict: Verdict, side: str, improvement: Improvement, *, won: bool) -> str:
    needed = f" by more than {verdict.margin:g}" if verdict.margin else ""
    sure = "surely" if won else "not surely"
    reason = (
        f"its test {_shown(verdict.metric or '')} {verdict.candidate:.4f} is {sure} {side} the champion's "
        f"{verdict.champion:.4f}{needed}: better by {improvement.estimate:.4f}, {verdict.confidence:.0%} interval "
        f"{improvement.low:.4f} to {improvement.high:.4f} on {improvement.rows:,} rows"
    )
    for guard in verdict.guards:
        if guard.candidate is None or guard.champion is None:
            reason += f"; the guard {guard.metric} was not measured on both"
        elif not guard.held:
            reason += (
                f"; the guard {guard.metric} went from {guard.champion:.4f} to {guard.candidate:.4f}, "
                f"worse by more than {guard.tolerance:g}"
            )
    return reason


def _shown(metric: str) -> str:
    measure, _, part = metric.partition("@")
    return _NAMES.get(measure, measure) + (f" of {part}" if part else "")


def _weighs(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> bool:
    return len(ours) > 0 and ours[:, 1].sum() > 0 and theirs[:, 1].sum() > 0


def _mean(scores: NDArray[np.float64]) -> float:
    return float(scores[:, 0].sum() / scores[:, 1].sum())
