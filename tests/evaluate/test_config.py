"""What the recipe may ask for: every measure by its name, the nearest named where there is none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tests.evaluate.runs import make_recipe


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"promote": {"metric": "los"}}, r"no measure 'los' \(did you mean 'loss'\?\)"),
        ({"promote": {"guards": {"exactmatch": 0.1}}}, "did you mean 'exact_match'"),
        ({"promote": {"metric": "loss@sum"}}, r"no source or kind of the recipe is called 'sum' \(did you mean 'sums'"),
        ({"promote": {"metric": "pass_at_1"}}, "there is no measure 'pass_at_1'"),
        ({"promote": {"guards": {"loss": -0.1}}}, "greater than or equal to 0"),
        ({"promote": {"confidence": 1.0}}, "less than 1"),
        ({"evaluate": {"unit_tests": {"k": [3]}}}, r"pass@3 needs `samples` of at least 3"),
        ({"evaluate": {"metrics": {"loss": {"target": "m:f"}}}}, "loss is a measure of ours"),
        ({"evaluate": {"metrics": {"mine": {"target": "m.f"}}}}, "`target` is `module:function`"),
    ],
)
def test_what_cannot_be_is_refused_with_the_recipe(tmp_path: Path, section: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make_recipe(tmp_path / "run", **section)


def test_every_measure_can_be_a_gate_or_a_guard(tmp_path: Path) -> None:
    evaluate = {"unit_tests": {"k": [1]}, "metrics": {"mine": {"target": "m:f", "higher_is_better": False}}}
    recipe = make_recipe(
        tmp_path / "run",
        evaluate=evaluate,
        promote={"metric": "pass_at_1", "guards": {"mine": 0.0, "loss@pair": 0.1, "numeric@sums": 0.1}},
    )
    assert recipe.evaluate.measures()["mine"] is False
    assert recipe.evaluate.measures()["pass_at_1"] is True
