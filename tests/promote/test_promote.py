"""Properties: the pointer is always whole, names a model that stays, and changes only for a better one."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.config import Recipe
from pipeline.errors import InputError, RunDirectoryError, StageError
from pipeline.evaluate.champion import champion_model, find_candidate, pointer_path, read_pointer, rival_of
from pipeline.evaluate.scores import SCORES
from pipeline.promote import plan, promote
from pipeline.promote.pointer import pointer_lock
from pipeline.run import Manifest, RunDirectory, Stage
from tests.evaluate.runs import default_rows, make_recipe, write_curated

Made = tuple[RunDirectory, Recipe]


def make(root: Path, weights: str, **changes: Any) -> Made:
    """A run whose training has finished: the gate reads the model's files and never what is in them."""
    recipe = make_recipe(root, **changes)
    run = RunDirectory.open(recipe)
    write_curated(run, default_rows())
    stage = Stage(run=run, name="train", version=1, config={"weights": weights}, inputs={}, folders=("checkpoints",))
    stage.begin()
    files = {"model.safetensors": weights, "tokenizer.json": "{}", "config.json": "{}"}
    names = {}
    for name, content in files.items():
        path = run.path(f"checkpoints/step-00000002/model/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        names[path.relative_to(run.root).as_posix()] = 0
    stage.commit("step-00000002", names, {})
    stage.finish(summary={"checkpoint": "step-00000002"})
    return run, recipe


def measured(made: Made, loss: float | None, champion_loss: float | None = None) -> Made:
    """Write the evaluation of a run, against the champion that there is now."""
    run, recipe = made
    candidate = find_candidate(run)
    assert candidate is not None
    pointer = pointer_path(run, recipe)
    rival = rival_of(candidate, read_pointer(pointer), pointer)
    metrics = {"loss": {"before": 9.0, "after": loss, "champion": champion_loss}}
    stage = Stage(
        run=run,
        name="evaluate",
        version=1,
        config={"metrics": metrics},
        inputs={"model": candidate.model, "champion": rival.model if rival else None},
        folders=("evaluation",),
    )
    stage.begin()
    path = run.path("evaluation/metrics.json")
    path.write_text(json.dumps({"validation": metrics, "test": metrics}))
    write_scores(run.path("evaluation/scores.parquet"), after=loss, champion=champion_loss)
    stage.commit("evaluation", {"evaluation/metrics.json": 0, "evaluation/scores.parquet": 0}, {})
    stage.finish(summary={"metrics": metrics})
    return made


def write_scores(path: Path, **losses: float | None) -> None:
    """Twenty rows of ten target tokens, each with the contender's loss."""
    lines = [
        {
            "split": "test",
            "contender": name,
            "metric": "loss",
            "source": "sums",
            "kind": "pair",
            "id": f"sums/sums.jsonl#{row}",
            "value": 10 * loss,
            "weight": 10.0,
        }
        for name, loss in losses.items()
        if loss is not None
        for row in range(20)
    ]
    pq.write_table(pa.Table.from_pylist(lines).cast(SCORES) if lines else SCORES.empty_table(), path)


def holder(made: Made) -> str:
    """Who holds the pointer."""
    standing = read_pointer(pointer_path(*made))
    assert standing is not None
    return standing.champion.run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def test_the_first_candidate_becomes_the_champion(runs: Path) -> None:
    run, recipe = made = measured(make(runs / "one", "w1"), 3.0)
    decision = promote(*made).summary
    assert decision == json.loads(run.path("promotion/decision.json").read_text())
    assert decision["promoted"] is True
    pointer = json.loads((runs / "champion-sums.json").read_text())
    candidate, curated = find_candidate(run), Manifest.read(run.path("curated"))
    assert candidate is not None
    assert curated is not None
    (decision_entry,) = pointer.pop("history")
    assert decision_entry["event"] == "promoted"
    assert decision_entry["reason"] == "there is no champion yet"
    assert pointer.pop("code").startswith("0.1.0 ")
    assert pointer == {
        "run": "one",
        "checkpoint": f"champion-sums-models/{candidate.model}",
        "model": candidate.model,
        "recipe": recipe.fingerprint(),
        "data": curated.content_of("curated"),
        "tokenizer": candidate.tokenizer,
        "template": "",
        "metrics": {"loss": 3.0},
        "promoted_over": None,
    }


def test_better_replaces_and_remembers_whom(runs: Path) -> None:
    promote(*measured(make(runs / "one", "w1"), 3.0))
    two = measured(make(runs / "two", "w2"), 2.0, 2.9)
    decision = promote(*two).summary
    assert decision["promoted"]
    assert decision["against"]["run"] == "one"
    assert (decision["candidate"], decision["champion"]) == (2.0, 2.9)
    standing = read_pointer(runs / "champion-sums.json")
    assert standing is not None
    assert standing.champion.run == "two"
    assert standing.promoted_over is not None
    assert standing.promoted_over.run == "one"


@pytest.mark.parametrize("loss", [3.5, 3.0])
def test_worse_and_equal_do_not_replace(runs: Path, loss: float) -> None:
    promote(*measured(make(runs / "one", "w1"), 3.0))
    before = read_pointer(runs / "champion-sums.json")
    two = measured(make(runs / "two", "w2"), loss, 3.0)
    assert promote(*two).summary["promoted"] is False
    after = read_pointer(runs / "champion-sums.json")
    assert before is not None
    assert after is not None
    assert (after.champion, after.promoted_over) == (before.champion, before.promoted_over)
    assert [one["event"] for one in after.history] == ["promoted", "kept"]
    assert len(list((runs / "champion-sums-models").iterdir())) == 1


def test_promoting_again_changes_nothing_and_says_so(runs: Path) -> None:
    promote(*measured(make(runs / "one", "w1"), 3.0))
    run, recipe = two = measured(make(runs / "two", "w2"), 2.0, 3.0)
    first = promote(*two)
    before = (runs / "champion-sums.json").read_bytes()
    stage = plan(*two)
    assert stage is not None
    assert stage.why() is None
    assert promote(*two) == first
    shutil.rmtree(run.path("promotion"))  # as if the run had been killed between the pointer and the record
    assert promote(*two).summary == first.summary
    other = recipe.model_copy(update={"promote": recipe.promote.model_copy(update={"margin": 0.5})})
    again = promote(run, other).summary
    assert again["promoted"]
    assert again["reason"] == "it is the champion already; nothing was changed"
    assert again["against"]["run"] == "one"
    assert (runs / "champion-sums.json").read_bytes() == before
    assert rival_of(*_candidate_and_standing(run, recipe)) is not None  # still measured against whom it beat


def _candidate_and_standing(run: RunDirectory, recipe: Recipe) -> tuple[Any, Any, Path]:
    pointer = pointer_path(run, recipe)
    return find_candidate(run), read_pointer(pointer), pointer


def test_the_champion_outlives_its_run_and_a_new_training_there(runs: Path) -> None:
    run, _ = promote_one = measured(make(runs / "one", "w1"), 3.0)
    promote(*promote_one)
    shutil.rmtree(run.root)
    standing = read_pointer(runs / "champion-sums.json")
    assert standing is not None
    folder = champion_model(standing.champion, runs / "champion-sums.json")
    assert (folder / "model.safetensors").read_text() == "w1"
    again = measured(make(runs / "one", "w2"), 2.0, 3.0)
    assert promote(*again).summary["promoted"]
    assert (folder / "model.safetensors").read_text() == "w1"  # the one it was promoted over


def test_only_the_champion_and_its_predecessor_are_kept(runs: Path) -> None:
    for number in range(4):
        promote(*measured(make(runs / f"run{number}", f"w{number}"), 3.0 - number, 3.5 - number))
    standing = read_pointer(runs / "champion-sums.json")
    assert standing is not None
    assert standing.promoted_over is not None
    kept = {path.name for path in (runs / "champion-sums-models").iterdir()}
    assert kept == {standing.champion.model, standing.promoted_over.model}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"run": "x"}', '{"promoted_over": null, "model": 3}', "\udcff"]
)
def test_a_broken_pointer_is_one_clear_message(runs: Path, content: str) -> None:
    made = measured(make(runs / "one", "w1"), 3.0)
    pointer = runs / "champion-sums.json"
    pointer.write_text(content, errors="surrogateescape")
    with pytest.raises(InputError, match="pointer to the champion cannot be read") as error:
        promote(*made)
    assert error.value.where == str(pointer)
    assert "delete it" in error.value.mend
    assert pointer.read_text(errors="surrogateescape") == content
    assert not made[0].path("promotion/decision.json").exists()


def test_a_champion_that_changed_since_the_evaluation_must_be_measured_first(runs: Path) -> None:
    late = measured(make(runs / "late", "w9"), 2.0)
    promote(*measured(make(runs / "one", "w1"), 3.0))
    with pytest.raises(StageError, match="changed since this candidate was evaluated") as error:
        promote(*late)
    assert "run the same command again" in error.value.mend
    assert holder(late) == "one"


def test_an_evaluation_of_another_model_is_not_enough(runs: Path) -> None:
    made = make(runs / "one", "w1")
    with pytest.raises(RunDirectoryError, match="no evaluation of its last model"):
        promote(*made)
    measured(made, 3.0)
    shutil.rmtree(made[0].path("checkpoints"))
    with pytest.raises(RunDirectoryError, match="no evaluation of its last model"):
        promote(*make(runs / "one", "w2"))


def test_a_removed_pointer_is_written_again(runs: Path) -> None:
    made = measured(make(runs / "one", "w1"), 3.0)
    promote(*made)
    (runs / "champion-sums.json").unlink()
    stage = plan(*made)
    assert stage is not None
    assert "inputs.place" in str(stage.why())
    assert promote(*made).summary["reason"] == "there is no champion yet"
    assert holder(made) == "one"


def test_the_recipe_may_name_another_pointer(runs: Path) -> None:
    elsewhere = runs.parent / "elsewhere/best.json"
    made = measured(make(runs / "one", "w1", promote={"champion": str(elsewhere)}), 3.0)
    promote(*made)
    standing = read_pointer(elsewhere)
    assert standing is not None
    assert standing.champion.run == str(runs / "one")  # not below the pointer, so the whole path
    assert champion_model(standing.champion, elsewhere).parent == elsewhere.parent / "best-models"
    assert not (runs / "champion-sums.json").exists()


def test_the_pointer_is_that_of_the_sources_whatever_their_order(runs: Path) -> None:
    def pointer(*names: str) -> Path:
        run, recipe = make(runs / "one", "w1")
        source = recipe.sources[0]
        sources = [source.model_copy(update={"name": name}) for name in names]
        return pointer_path(run, recipe.model_copy(update={"sources": sources}))

    assert pointer("b", "a") == pointer("a", "b") == runs / "champion-a+b.json"
    assert pointer("a-b", "c") != pointer("a", "b", "c")


def test_promotions_at_the_same_time_decide_one_after_the_other(runs: Path) -> None:
    rivals = [measured(make(runs / f"run{number}", f"w{number}"), 3.0) for number in range(6)]

    def attempt(made: Made) -> bool:
        try:
            return bool(promote(*made).summary["promoted"])
        except StageError:  # someone was first, so there is a champion that it was not measured against
            return False

    with ThreadPoolExecutor(len(rivals)) as pool:
        assert sorted(pool.map(attempt, rivals)) == [False] * 5 + [True]
    standing = read_pointer(runs / "champion-sums.json")
    assert standing is not None
    assert champion_model(standing.champion, runs / "champion-sums.json").is_dir()


def test_whoever_holds_the_pointer_is_waited_for(runs: Path) -> None:
    made = measured(make(runs / "one", "w1"), 3.0)
    with ThreadPoolExecutor(1) as pool:
        with pointer_lock(runs / "champion-sums.json"):
            waiting = pool.submit(promote, *made)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
            assert not (runs / "champion-sums.json").exists()
        assert waiting.result(timeout=60).summary["promoted"]
