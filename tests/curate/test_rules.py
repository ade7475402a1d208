import numpy as np
import pyarrow as pa

from pipeline.config import Bound, Rules
from pipeline.curate.rules import failures, rules_for

IDS = pa.array(["s/a#0", "s/a#1", "s/a#2"])
SOURCES = pa.array(["s", "s", "s"])


def test_every_rule_is_evaluated_not_only_the_first_that_fails() -> None:
    signals = {"word_count": np.array([3, 10, 2]), "url_share": np.array([0.5, 0.0, 0.1])}
    passed, lines = failures({"word_count": Bound(min=5), "url_share": Bound(max=0.2)}, signals, IDS, SOURCES)
    assert passed.tolist() == [False, True, False]
    assert sorted(zip(lines["id"].to_pylist(), lines["rule"].to_pylist(), strict=True)) == [
        ("s/a#0", "url_share"),
        ("s/a#0", "word_count"),
        ("s/a#2", "word_count"),
    ]
    by_rule = dict(zip(lines["rule"].to_pylist(), lines["threshold"].to_pylist(), strict=True))
    assert by_rule == {"word_count": 5.0, "url_share": 0.2}


def test_bounds_are_inclusive() -> None:
    passed, lines = failures({"word_count": Bound(min=2, max=3)}, {"word_count": np.array([2, 3, 4])}, IDS, SOURCES)
    assert passed.tolist() == [True, True, False]
    assert lines["value"].to_pylist() == [4.0]


def test_no_rules_keep_everything() -> None:
    passed, lines = failures({}, {}, IDS, SOURCES)
    assert passed.all()
    assert len(lines) == 0


def test_a_recipe_changes_drops_and_adds_rules() -> None:
    rules = Rules.model_validate(
        {"preset": "playbook", "word_count": {"min": 7.0}, "url_share": None, "code": {"char_count": {"max": 10.0}}}
    )
    text, code = rules_for(rules, "text"), rules_for(rules, "code")
    assert text["word_count"] == Bound(min=7.0)
    assert "url_share" not in text
    assert "url_share" not in code
    assert "char_count" not in text
    assert code["char_count"] == Bound(max=10.0)
    assert rules_for(Rules(preset="none"), "text") == {}
