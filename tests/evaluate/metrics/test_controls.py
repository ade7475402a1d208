"""Properties: copies score one, shuffled ones less, and a broken scorer decides nothing."""

from __future__ import annotations

import pytest

from pipeline.config import Evaluate
from pipeline.errors import InputError, StageError
from pipeline.evaluate.metrics import scorers as module
from pipeline.evaluate.metrics.controls import check_controls
from pipeline.evaluate.metrics.scorers import Scorers, mean_scores
from pipeline.evaluate.prompts import Prompt


def prompt(number: int, reference: str, **changes: object) -> Prompt:
    asked = [{"role": "user", "content": "?", "extra": None}]
    given = {"id": f"s/f#{number}", "source": "s", "kind": "pair", "messages": asked, "tools": None}
    return Prompt(**{**given, "reference": reference, **changes})  # type: ignore[arg-type]


CODE = [prompt(n, f"def add_{n}(x):\n    return x + {n}\n") for n in range(8)]


def test_copies_score_one_and_shuffled_copies_lower() -> None:
    controls = check_controls(CODE, Scorers(Evaluate()))
    assert controls["copies"] == {"exact_match": 1.0, "f1": 1.0, "rouge_l": 1.0, "parses": 1.0}
    assert controls["shuffled"]["exact_match"] == 0.0
    assert 0 < controls["shuffled"]["rouge_l"] < 1


def test_the_ancestor_s_scorer_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    # It compared the last blank-separated word of each line only, which here is the same in every row.
    monkeypatch.setattr(module, "rouge_l", lambda a, b: float(a.split()[-2] == b.split()[-2]))
    with pytest.raises(StageError, match=r"shuffled references score rouge_l 1\.0"):
        check_controls(CODE, Scorers(Evaluate()))


@pytest.mark.parametrize(("value", "message"), [(0.999, "exact copy"), (1.0, "shuffled references score rouge_l")])
def test_a_scorer_that_cannot_tell_is_caught(monkeypatch: pytest.MonkeyPatch, value: float, message: str) -> None:
    monkeypatch.setattr(module, "rouge_l", lambda a, b: value)
    with pytest.raises(StageError, match=message):
        check_controls(CODE, Scorers(Evaluate()))


def test_references_that_are_all_alike_cannot_be_told_apart_and_pass() -> None:
    alike = [prompt(n, "x = 1") for n in range(4)]
    assert check_controls(alike, Scorers(Evaluate()))["shuffled"]["exact_match"] == 1.0


@pytest.mark.parametrize(
    ("given", "measures"),
    [
        (prompt(0, "Paris."), {"exact_match", "f1", "rouge_l"}),
        (prompt(0, "She has 3. #### 3"), {"exact_match", "f1", "rouge_l", "numeric"}),
        (prompt(0, "x = 1"), {"exact_match", "f1", "rouge_l", "parses"}),
        (prompt(0, "<tool_call>…", calls=True), {"tool_call"}),
    ],
)
def test_which_measures_a_row_has_is_decided_by_the_row_alone(given: Prompt, measures: set[str]) -> None:
    for answer in ("", given.reference, "anything"):
        assert set(Scorers(Evaluate()).score(given, [answer])) == measures


def test_a_measure_is_averaged_over_the_rows_that_have_it() -> None:
    assert mean_scores([{"a": 1.0, "b": 0.5}, {"a": 0.0}]) == {"a": 0.5, "b": 0.5}
    assert mean_scores([]) == {}


class TestOnesOwn:
    def of(self, target: str) -> Scorers:
        return Scorers(Evaluate.model_validate({"metrics": {"brevity": {"target": target}}}))

    def test_it_is_called_with_the_answer_the_reference_and_the_row(self, tmp_path: object) -> None:
        file = f"{tmp_path}/mine.py"
        with open(file, "w") as stream:
            stream.write("def brevity(prediction, reference, row):\n    return None if row['kind'] == 'chat' else ")
            stream.write("len(reference) / max(len(prediction), 1)\n")
        scorers = self.of(f"{file}:brevity")
        assert scorers.score(prompt(0, "ab"), ["abcd"])["brevity"] == 0.5
        assert "brevity" not in scorers.score(prompt(0, "ab", kind="chat"), ["abcd"])

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("return 'x'", "returned str"),
            ("return float('nan')", "returned float"),
            ("raise ValueError(row)", "failed"),
        ],
    )
    def test_what_it_does_wrong_is_said_without_the_row_s_text(self, tmp_path: object, body: str, message: str) -> None:
        file = f"{tmp_path}/mine.py"
        with open(file, "w") as stream:
            stream.write(f"def brevity(prediction, reference, row):\n    {body}\n")
        with pytest.raises(InputError, match=message) as error:
            self.of(f"{file}:brevity").score(prompt(7, "my secret"), ["answer"])
        assert "s/f#7" in error.value.where
        assert "secret" not in str(error.value)

    @pytest.mark.parametrize(
        ("target", "message"), [("no_such_module:f", "cannot be imported"), ("math:sqart", "did you mean 'sqrt'")]
    )
    def test_what_is_not_there_is_said(self, target: str, message: str) -> None:
        with pytest.raises(InputError, match=message):
            self.of(target)
