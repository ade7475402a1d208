"""Properties of rules: all are evaluated, `alone` is what would stay without the rule, a missing value fails none."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import RULE_KINDS, Bound, Rules
from pipeline.config.rules import Preset, bound_problems
from pipeline.curate.presets import PRESETS
from pipeline.curate.rules import judge, rules_for
from pipeline.signals import SIGNALS
from tests.preset_tables import PAGE, PRESETS_END, PRESETS_START, preset_tables

IDS = pa.array(["s/a#0", "s/a#1", "s/a#2"])
SOURCES = pa.array(["s", "s", "s"])


# --- judging


def below(value: float, bound: Bound) -> bool:
    return bound.min is not None and value < bound.min


values = st.one_of(st.floats(0, 3), st.just(math.nan))
limits = st.tuples(st.one_of(st.none(), st.floats(0, 3)), st.one_of(st.none(), st.floats(0, 3))).filter(
    lambda sides: sides != (None, None) and (None in sides or sides[0] <= sides[1])  # type: ignore[operator]
)


@given(
    st.lists(st.tuples(values, values, values), max_size=20),
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]), st.tuples(st.sampled_from(["x", "y", "z"]), limits), max_size=4
    ),
)
def test_every_rule_is_evaluated_for_every_row(
    rows: list[tuple[float, float, float]], asked: dict[str, tuple[str, tuple[float | None, float | None]]]
) -> None:
    rules = {name: Bound(signal=signal, min=low, max=high) for name, (signal, (low, high)) in sorted(asked.items())}
    signals = {name: np.array([row[at] for row in rows], np.float64) for at, name in enumerate("xyz")}
    ids = pa.array([f"s/a#{number}" for number in range(len(rows))], pa.string())
    verdicts = judge(rules, signals, ids, pa.array(["s"] * len(rows), pa.string()))

    def fails(row: tuple[float, float, float], bound: Bound) -> bool:
        value = row["xyz".index(str(bound.signal))]
        return below(value, bound) or (bound.max is not None and value > bound.max)

    expected = [[name for name, bound in rules.items() if fails(row, bound)] for row in rows]
    assert verdicts.names().to_pylist() == expected
    assert verdicts.passed.tolist() == [not names for names in expected]
    # One line for each rule that a row failed, with the side that it crossed.
    lines = verdicts.lines.to_pylist()
    named = {(f"s/a#{number}", name) for number, names in enumerate(expected) for name in names}
    assert {(line["id"], line["rule"]) for line in lines} == named
    assert len(lines) == len(named)
    for line in lines:
        bound = rules[line["rule"]]
        assert line["threshold"] == (bound.min if below(line["value"], bound) else bound.max)
    # Without a rule, what it fails alone stays, and nothing else.
    for name, count in verdicts.counts().items():
        others = judge({other: rules[other] for other in rules if other != name}, signals, ids, ids)
        assert count["failed"] == sum(name in names for names in expected)
        assert count["alone"] == others.passed.sum() - verdicts.passed.sum()


def test_bounds_are_inclusive() -> None:
    verdicts = judge({"word_count": Bound(min=2, max=3)}, {"word_count": np.array([2, 3, 4])}, IDS, SOURCES)
    assert verdicts.passed.tolist() == [True, True, False]
    assert verdicts.lines["value"].to_pylist() == [4.0]
    assert verdicts.lines["threshold"].to_pylist() == [3.0]


def test_of_a_text_the_values_that_hold_are_listed_and_null_fails_nothing() -> None:
    rules = {"language": Bound.model_validate({"in": ["en", "de"]})}
    verdicts = judge(rules, {"language": pa.array(["fr", None, "de"])}, IDS, SOURCES)
    assert verdicts.passed.tolist() == [False, True, True]
    assert verdicts.lines.select(["rule", "value", "threshold", "evidence"]).to_pylist() == [
        {"rule": "language", "value": None, "threshold": None, "evidence": "fr"}
    ]


def test_no_rules_keep_everything() -> None:
    verdicts = judge({}, {}, IDS, SOURCES)
    assert verdicts.passed.all()
    assert len(verdicts.lines) == 0
    assert verdicts.names().to_pylist() == [[], [], []]


# --- what a recipe says


def test_a_recipe_changes_drops_and_adds_rules() -> None:
    rules = Rules.model_validate(
        {
            "preset": "playbook",
            "word_count": {"min": 7.0},
            "url_share": None,
            "short_answer": {"signal": "char_count", "min": 3.0},
            "code": {"longest_line": {"max": 10.0}, "short_answer": None},
        }
    )
    text, code = rules_for(rules, "text"), rules_for(rules, "code")
    assert text["word_count"] == Bound(signal="word_count", min=7.0)
    assert text["short_answer"] == Bound(signal="char_count", min=3.0)
    assert "url_share" not in text
    assert "url_share" not in code
    assert "short_answer" not in code
    assert "longest_line" not in text
    assert code["longest_line"] == Bound(signal="longest_line", max=10.0)
    assert list(text) == sorted(text)
    assert Rules.model_validate(rules.model_dump(mode="json")) == rules


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"word_cont": {"min": 5}}, "no signal is called 'word_cont' (did you mean 'word_count'?)"),
        ({"short": {"signal": "chars_count", "min": 5}}, "no signal is called 'chars_count' (did you mean"),
        ({"text": {"url_shre": None}}, "no rule is called 'url_shre' (did you mean 'url_share'?)"),
        ({"urls": None}, "no rule is called 'urls'"),
        ({"word_count": {}}, "needs `min`, `max` or `in`"),
        ({"word_count": {"signal": "char_count", "min": 5}}, "word_count is a signal itself"),
        ({"Short!": {"signal": "char_count", "min": 5}}, "cannot be a rule's name"),
        ({"code": {"text": {"signal": "char_count", "min": 5}}}, "cannot be a rule's name"),
        ({"url_share": {"max": 20}}, "max 20, but url_share is always between 0 and 1"),
        ({"word_count": {"min": -1}}, "min -1, but word_count is always 0 or more"),
        ({"word_count": {"in": ["en"]}}, "word_count takes `min` and `max`"),
        ({"language": {"min": 1}}, "language takes `in`"),
        ({"language": {"in": []}}, "`in` is empty"),
        ({"language": {"in": ["en", "English"]}}, "language is never 'English'; give codes such as 'en'"),
        ({"language": {"in": ["en"], "max": 1}}, "not both"),
        ({"word_count": {"min": 9, "max": 3}}, "min 9.0 is above max 3.0"),
        ({"cod": {"word_count": {"min": 5}}}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_meant_is_refused(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Rules.model_validate(rules)
    assert message in str(caught.value)


# --- presets


def test_the_recipe_knows_every_preset() -> None:
    assert set(get_args(Preset)) == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_bounds_signals_that_exist_for_every_kind(preset: str) -> None:
    assert tuple(PRESETS[preset]) == tuple(kind for kind in RULE_KINDS if kind != "retrieval")
    for rules in PRESETS[preset].values():
        for name, bound in rules.items():
            assert name in SIGNALS
            assert bound_problems(name, bound) == []


def test_curator_s_english_recipe_has_its_28_filters() -> None:
    assert len(PRESETS["curator-english"]["text"]) == 28


def test_fineweb_stacks_gopher_c4_and_its_own() -> None:
    stacked = {**PRESETS["gopher"]["text"], **PRESETS["c4"]["text"]}
    own = PRESETS["fineweb"]["text"].keys() - stacked.keys()
    assert stacked.items() <= PRESETS["fineweb"]["text"].items()
    assert len(own) == 4
    assert all(name.endswith("_fineweb") for name in own)


def test_the_bounds_of_datatrove_s_filters_are_its_own() -> None:
    """Against the defaults of the classes themselves, where datatrove is installed."""
    filters = pytest.importorskip("datatrove.pipeline.filters", reason="needs the extra bench")
    gopher, own = PRESETS["gopher"]["text"], PRESETS["fineweb"]["text"]
    quality, repetition, fineweb = (
        vars(getattr(filters, name)())
        for name in ("GopherQualityFilter", "GopherRepetitionFilter", "FineWebQualityFilter")
    )
    assert gopher["nonsymbol_word_count"] == Bound(min=quality["min_doc_words"], max=quality["max_doc_words"])
    lengths = Bound(min=quality["min_avg_word_length"], max=quality["max_avg_word_length"])
    assert gopher["mean_nonsymbol_word_length"] == lengths
    for name, key in (
        ("hash_word_ratio_datatrove", "max_symbol_word_ratio"),
        ("ellipsis_word_ratio_datatrove", "max_symbol_word_ratio"),
        ("bullet_line_share_datatrove", "max_bullet_lines_ratio"),
        ("ellipsis_line_share_datatrove", "max_ellipsis_lines_ratio"),
    ):
        assert gopher[name] == Bound(max=quality[key])
    assert gopher["alphabetic_word_share"] == Bound(min=quality["max_non_alpha_words_ratio"])
    assert gopher["distinct_stop_word_count"] == Bound(min=quality["min_stop_words"])
    for name, key in (
        ("duplicate_line_share_datatrove", "dup_line_frac"),
        ("duplicate_paragraph_share_datatrove", "dup_para_frac"),
        ("duplicate_line_char_share_datatrove", "dup_line_char_frac"),
        ("duplicate_paragraph_char_share_datatrove", "dup_para_char_frac"),
    ):
        assert gopher[name] == Bound(max=repetition[key])
    for n, share in repetition["top_n_grams"]:
        assert gopher[f"top_{n}gram_ratio_datatrove"] == Bound(max=share)
    for n, share in repetition["dup_n_grams"]:
        assert gopher[f"duplicate_{n}gram_share_datatrove"] == Bound(max=share)
    assert own["marked_line_share_fineweb"] == Bound(min=fineweb["line_punct_thr"])
    assert own["short_line_share_fineweb"] == Bound(max=fineweb["short_line_threshold"])
    assert own["duplicate_line_char_share_fineweb"] == Bound(max=fineweb["char_duplicates_ratio"])
    assert own["newline_word_ratio_fineweb"] == Bound(max=fineweb["new_line_ratio"])


def test_the_documentation_shows_every_preset_as_it_is() -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(PRESETS_START)
    written, end, _ = rest.partition(PRESETS_END)
    assert end, "docs/rules.md has lost its markers"
    assert written.strip() == preset_tables(), "run `python -m tests.preset_tables` to bring docs/rules.md up to date"
