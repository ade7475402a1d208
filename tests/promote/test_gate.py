"""Properties: only what is surely better wins, ties and noise keep the champion, and what is unknown does not hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.config import Promote
from pipeline.promote.gate import Pairs, Verdict, judge

Scores = NDArray[np.float64]

MEASURES = {"loss": False, "bits_per_byte": False, "exact_match": True}


def scores(values: NDArray[np.float64], weight: float = 10.0) -> Scores:
    """Rows with the same weight: value is what stands for each unit of it."""
    return np.stack([values * weight, np.full(len(values), weight)], axis=1)


def given_pairs(**measures: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Pairs:
    """Measure (`@` written as `__`) → values of candidate and champion by row."""
    nothing = np.zeros((0, 2))

    def pairs(metric: str) -> tuple[Scores, Scores]:
        if metric.replace("@", "__") not in measures:
            return nothing, nothing
        ours, theirs = measures[metric.replace("@", "__")]
        return scores(ours), scores(theirs)

    return pairs


def decide(pairs: Pairs, *, has_champion: bool = True, seed: int = 0, **section: object) -> Verdict:
    return judge(pairs, Promote.model_validate(section), MEASURES, has_champion=has_champion, seed=seed)


def noise(rows: int, seed: int, spread: float = 1.0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(3.0, spread, rows)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(20, 300))
def test_of_two_models_at_most_one_beats_the_other(seed: int, rows: int) -> None:
    a, b = noise(rows, seed), noise(rows, seed + 1)
    first, second = decide(given_pairs(loss=(a, b))), decide(given_pairs(loss=(b, a)))
    assert not (first.promoted and second.promoted)
    assert first.improvement is not None
    assert second.improvement is not None
    assert first.improvement["estimate"] == pytest.approx(-second.improvement["estimate"])
    assert first.improvement["low"] <= first.improvement["estimate"] <= first.improvement["high"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0, 2), st.floats(0.6, 0.99))
def test_a_win_is_an_interval_above_the_margin(seed: int, margin: float, confidence: float) -> None:
    theirs = noise(100, seed)
    verdict = decide(given_pairs(loss=(theirs - 1 + noise(100, seed + 1, 0.3) - 3, theirs)), margin=margin)
    assert verdict.improvement is not None
    assert verdict.promoted == (verdict.improvement["low"] > margin)


def test_a_row_s_difficulty_cancels_out() -> None:
    """The rows spread a hundred times wider than the difference: only pairing can see it."""
    hard = noise(200, 1, spread=10.0)
    better = hard - 0.1 + noise(200, 2, spread=0.05) - 3.0
    verdict = decide(given_pairs(loss=(better, hard)))
    assert verdict.promoted
    assert verdict.improvement is not None
    assert verdict.improvement["high"] - verdict.improvement["low"] < 0.1


def test_equal_models_are_promoted_no_more_often_than_the_confidence_allows() -> None:
    """At 95 % the candidate wins by luck in 2.5 of 100 cases; 300 cases of equal models of small test splits."""
    wins = sum(decide(given_pairs(loss=(noise(30, 2 * case), noise(30, 2 * case + 1)))).promoted for case in range(300))
    assert wins <= 300 * 0.06
    sure = sum(
        decide(given_pairs(loss=(noise(30, 2 * case), noise(30, 2 * case + 1))), confidence=0.999).promoted
        for case in range(300)
    )
    assert sure <= 3


def test_on_a_tie_the_champion_stays() -> None:
    values = noise(50, 3)
    verdict = decide(given_pairs(loss=(values, values)))
    assert not verdict.promoted
    assert "not surely below" in verdict.reason
    assert verdict.improvement == {"estimate": 0.0, "low": 0.0, "high": 0.0, "rows": 50}


def test_the_same_scores_give_the_same_verdict() -> None:
    pairs = given_pairs(loss=(noise(64, 5) - 0.2, noise(64, 6)))
    assert decide(pairs) == decide(pairs)
    other = decide(pairs, seed=1).improvement
    assert other is not None
    assert other["low"] == pytest.approx(decide(pairs).improvement["low"], abs=0.05)  # type: ignore[index]


def test_the_first_candidate_needs_no_rival() -> None:
    verdict = decide(given_pairs(), has_champion=False)
    assert verdict.promoted
    assert verdict.reason == "there is no champion yet"


@pytest.mark.parametrize(("difference", "promoted"), [(-0.5, True), (0.5, False), (0.0, False)])
def test_models_with_other_tokens_are_compared_by_the_byte(difference: float, promoted: bool) -> None:
    theirs = noise(40, 7)
    verdict = decide(given_pairs(bits_per_byte=(theirs + difference, theirs)), guards={"loss": 0.01})
    assert [(guard.metric, guard.held) for guard in verdict.guards] == [("bits_per_byte", difference <= 0)]
    assert (verdict.promoted, verdict.metric) == (promoted, "bits_per_byte")


def test_a_measure_of_which_more_is_better_turns_the_sign() -> None:
    theirs = noise(40, 8)
    pairs = given_pairs(exact_match=(theirs + 0.5, theirs))
    assert decide(pairs, metric="exact_match").promoted
    assert "surely above" in decide(pairs, metric="exact_match").reason


@pytest.mark.parametrize("rows", [0, 9])
def test_too_few_rows_keep_the_champion(rows: int) -> None:
    theirs = noise(rows, 9)
    verdict = decide(given_pairs(loss=(theirs - 2, theirs)))
    assert not verdict.promoted
    assert ("no test rows" if rows == 0 else "9 test rows are too few") in verdict.reason
    assert decide(given_pairs(loss=(noise(9, 9) - 2, noise(9, 9))), min_rows=9).promoted


class TestGuards:
    theirs = noise(60, 10)
    right = np.repeat([0.0, 1.0], 30)

    def pairs(self, worse: float) -> Pairs:
        return given_pairs(
            loss=(self.theirs - 1, self.theirs),
            exact_match=(self.right - worse, self.right),
            loss__notes=(self.theirs[:20] + worse, self.theirs[:20]),
        )

    @pytest.mark.parametrize("guard", ["exact_match", "loss@notes"])
    @pytest.mark.parametrize(("worse", "promoted"), [(0.0, True), (0.1, True), (0.11, False), (-0.5, True)])
    def test_one_that_is_worse_than_its_tolerance_keeps_the_champion(
        self, guard: str, worse: float, promoted: bool
    ) -> None:
        verdict = decide(self.pairs(worse), guards={guard: 0.1})
        assert verdict.promoted is promoted
        assert verdict.guards[0].held is promoted
        assert (f"the guard {guard} went from" in verdict.reason) is not promoted

    def test_one_that_nobody_measured_does_not_hold(self) -> None:
        verdict = decide(given_pairs(loss=(self.theirs - 1, self.theirs)), guards={"exact_match": 1.0})
        assert not verdict.promoted
        assert "exact_match was not measured on both" in verdict.reason

    def test_guards_cannot_make_a_win(self) -> None:
        pairs = given_pairs(loss=(self.theirs, self.theirs), exact_match=(self.right + 1, self.right))
        assert not decide(pairs, guards={"exact_match": 0.0}).promoted


def test_memory_is_bounded_and_rows_of_any_number_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws that do not fit what is held at once are summed in pieces, with the same statistics."""
    from pipeline.evaluate import bootstrap

    ours, theirs = scores(noise(500, 11)), scores(noise(500, 12))

    def interval(held: int) -> tuple[float, float]:
        monkeypatch.setattr(bootstrap, "_HELD", held)
        found = bootstrap.paired_bootstrap(ours, theirs, higher_is_better=False, confidence=0.95, seed=0)
        return found.low, found.high

    whole, pieces = interval(1 << 20), interval(100)
    assert pieces == pytest.approx(whole, abs=0.03)
