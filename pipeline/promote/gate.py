"""Whether the candidate takes the champion's place: a pure function of measured numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Verdict", "judge"]

_NAMES = {"loss": "loss", "bits_per_byte": "bits a byte"}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A decision and the numbers that it rests on.

    Args:
        promoted: whether the candidate takes (or already has) the champion's place.
        reason: one sentence for people.
        metric: what was compared, or None where there was nothing to compare.
        candidate: the candidate's value on the test rows.
        champion: the champion's value on the same rows.
        margin: by how much the candidate had to be below.
    """

    promoted: bool
    reason: str
    metric: str | None
    candidate: float | None
    champion: float | None
    margin: float


def judge(test: Mapping[str, Mapping[str, float | None]], *, metric: str, margin: float, has_champion: bool) -> Verdict:
    """Compare candidate and champion on the same test rows; on a tie the champion stays.

    Token losses of models with different tokenizers cannot be compared (the tokens are not the same events):
    then the champion has no `loss`, and `bits_per_byte`, which counts against the text, decides instead.

    Args:
        test: `{metric: {before, after, champion}}` of the test split.
        metric: of the recipe, `promote.metric`.
        margin: of the recipe, `promote.margin`, in units of the metric.
        has_champion: whether there is a champion to beat.
    """
    if not has_champion:
        return Verdict(
            promoted=True,
            reason="there is no champion yet",
            metric=None,
            candidate=test.get(metric, {}).get("after"),
            champion=None,
            margin=margin,
        )
    for name in (metric, "bits_per_byte"):
        values = test.get(name, {})
        candidate, champion = values.get("after"), values.get("champion")
        if candidate is None or champion is None:
            continue
        promoted = candidate < champion - margin
        needed = f" by more than {margin:g}" if margin else ""
        return Verdict(
            promoted=promoted,
            reason=f"its test {_NAMES.get(name, name)} {candidate:.4f} is {'' if promoted else 'not '}below "
            f"the champion's {champion:.4f}{needed}",
            metric=name,
            candidate=candidate,
            champion=champion,
            margin=margin,
        )
    return Verdict(
        promoted=False,
        reason="there are no test rows to compare it with the champion on",
        metric=None,
        candidate=test.get(metric, {}).get("after"),
        champion=None,
        margin=margin,
    )
