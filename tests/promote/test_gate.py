"""Properties: better replaces, worse and equal do not, and what cannot be compared is not compared."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.promote.gate import judge

losses = st.floats(min_value=0.01, max_value=20)


def values(
    candidate: float | None, champion: float | None, *, by_byte: tuple[float, float] | None = None
) -> dict[str, dict[str, float | None]]:
    """The test split's metrics."""
    after, theirs = by_byte or (None, None)
    return {
        "loss": {"before": 9.0, "after": candidate, "champion": champion},
        "bits_per_byte": {"before": 9.0, "after": after, "champion": theirs},
    }


@given(losses, losses, st.floats(min_value=0, max_value=5))
def test_a_candidate_wins_only_below_the_champion_by_more_than_the_margin(a: float, b: float, margin: float) -> None:
    verdict = judge(values(a, b), metric="loss", margin=margin, has_champion=True)
    assert verdict.promoted == (a < b - margin)
    assert (verdict.metric, verdict.candidate, verdict.champion) == ("loss", a, b)


@given(losses, losses)
def test_of_two_models_at_most_one_beats_the_other(a: float, b: float) -> None:
    first = judge(values(a, b), metric="loss", margin=0.0, has_champion=True)
    second = judge(values(b, a), metric="loss", margin=0.0, has_champion=True)
    assert not (first.promoted and second.promoted)


def test_on_a_tie_the_champion_stays() -> None:
    verdict = judge(values(2.5, 2.5), metric="loss", margin=0.0, has_champion=True)
    assert not verdict.promoted
    assert verdict.reason == "its test loss 2.5000 is not below the champion's 2.5000"


def test_the_margin_must_be_exceeded() -> None:
    verdict = judge(values(2.0, 2.5), metric="loss", margin=0.5, has_champion=True)
    assert not verdict.promoted
    assert "by more than 0.5" in verdict.reason
    assert judge(values(1.99, 2.5), metric="loss", margin=0.5, has_champion=True).promoted


def test_the_first_candidate_needs_no_rival() -> None:
    verdict = judge(values(7.0, None), metric="loss", margin=0.0, has_champion=False)
    assert verdict.promoted
    assert verdict.reason == "there is no champion yet"


@pytest.mark.parametrize(("by_byte", "promoted"), [((1.0, 1.2), True), ((1.2, 1.0), False), ((1.0, 1.0), False)])
def test_models_with_other_tokens_are_compared_by_the_byte(by_byte: tuple[float, float], promoted: bool) -> None:
    verdict = judge(values(2.0, None, by_byte=by_byte), metric="loss", margin=0.0, has_champion=True)
    assert (verdict.promoted, verdict.metric) == (promoted, "bits_per_byte")


def test_without_test_rows_the_champion_stays() -> None:
    verdict = judge(values(None, None), metric="loss", margin=0.0, has_champion=True)
    assert not verdict.promoted
    assert "no test rows" in verdict.reason
