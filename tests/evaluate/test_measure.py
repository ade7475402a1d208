"""Properties: the same run gives the same bytes; columns are comparable; a self-check that fails writes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch

from pipeline.config import Recipe
from pipeline.errors import InputError, StageError
from pipeline.evaluate.measure import main, measure_run
from pipeline.evaluate.scores import ANSWERS
from pipeline.evaluate.stage import finish, plan
from pipeline.promote import promote
from pipeline.run import Manifest, RunDirectory
from tests.evaluate.runs import default_rows, make_run, row, sums, write_checkpoint

Made = tuple[RunDirectory, Recipe]


def measure(run: RunDirectory, recipe: Recipe) -> dict[str, Any]:
    """Measure in this process and finish the stage as `evaluate` does."""
    stage = plan(run, recipe)
    assert stage is not None
    stage.begin()
    measure_run(stage, run, recipe, torch.device("cpu"))
    summary: dict[str, Any] = finish(stage, run, recipe).summary
    assert summary["metrics"] == json.loads(run.path("evaluation/metrics.json").read_text())
    return summary


@pytest.fixture
def rival(tmp_path: Path) -> Callable[..., Made]:
    """Make another run beside `run`, whose model becomes the champion of both."""

    def make(**changes: Any) -> Made:
        made = make_run(tmp_path / "runs/rival", seed=7, **changes)
        measure(*made)
        assert promote(*made).summary["promoted"]
        return made

    return make


def test_metrics_have_the_shape_that_the_design_fixes(run: RunDirectory, recipe: Recipe) -> None:
    metrics = measure(run, recipe)["metrics"]
    losses, scores = {"loss", "perplexity", "bits_per_byte"}, {"exact_match", "f1", "rouge_l", "parses"}
    assert {split: set(values) for split, values in metrics.items()} == {"validation": losses, "test": losses | scores}
    for values in metrics.values():
        for value in values.values():
            assert set(value) == {"before", "after", "champion"}
            assert value["champion"] is None
            assert isinstance(value["before"], float)
    # A seed of its own stands for training: another model, hardly better or worse than chance.
    assert metrics["test"]["loss"]["before"] != metrics["test"]["loss"]["after"]


def test_the_same_run_gives_the_same_bytes(run: RunDirectory, recipe: Recipe) -> None:
    measure(run, recipe)
    files = [run.path(f"evaluation/{name}") for name in ("metrics.json", "predictions.parquet", "_manifest.json")]
    once = [file.read_bytes() for file in files]
    shutil.rmtree(run.path("evaluation"))
    measure(run, recipe)
    assert [file.read_bytes() for file in files] == once


def test_predictions_stand_with_the_reference_of_their_own_row(run: RunDirectory, recipe: Recipe) -> None:
    measure(run, recipe)
    table = pq.read_table(run.path("evaluation/predictions.parquet"))
    assert table.schema.equals(ANSWERS)
    truth = {one["id"]: one["messages"] for one in default_rows()["test"]}
    rows = table.to_pylist()
    assert len(rows) == recipe.evaluate.generate == 6
    for one in rows:
        assert one["reference"] == truth[one["id"]][1]["content"]
        assert truth[one["id"]][0]["content"] in one["prompt"]
        assert set(dict(one["scores"])) == {"exact_match", "f1", "rouge_l", "parses"}


def test_before_and_after_are_one_model_where_training_changed_nothing(run: RunDirectory, recipe: Recipe) -> None:
    write_checkpoint(run, recipe, seed=None)
    for values in measure(run, recipe)["metrics"].values():
        for value in values.values():
            assert value["before"] == value["after"]


def test_an_equal_champion_measures_as_the_candidate(run: RunDirectory, recipe: Recipe, rival: Any) -> None:
    theirs, _ = rival()
    # The rival's model, on this run's rows: the same tokenizer, since it was trained on the same rows.
    shutil.rmtree(run.path("checkpoints"))
    shutil.copytree(theirs.path("checkpoints"), run.path("checkpoints"))
    file = next(run.path("checkpoints").rglob("generation_config.json"))
    file.write_text(file.read_text() + "\n")  # another fingerprint, so that it is not the champion itself
    manifest = run.path("checkpoints/_manifest.json")
    value = json.loads(manifest.read_text())
    for part in value["parts"]:
        if part["name"].endswith("generation_config.json"):
            part["blake3"] = "another"
    manifest.write_text(json.dumps(value))
    summary = measure(run, recipe)
    for values in summary["metrics"].values():
        for value in values.values():
            assert value["champion"] == value["after"] is not None
    assert summary["notes"] == []


def test_a_champion_with_another_tokenizer_is_compared_by_the_byte(
    run: RunDirectory, recipe: Recipe, rival: Any
) -> None:
    rival(pack={"vocab_size": 300})
    summary = measure(run, recipe)
    for split in ("validation", "test"):
        values = summary["metrics"][split]
        assert values["loss"]["champion"] is None
        assert values["perplexity"]["champion"] is None
        # Both are random: about log2(vocabulary) bits a token, more than two tokens in three bytes.
        assert values["bits_per_byte"]["champion"] == pytest.approx(values["bits_per_byte"]["after"], rel=0.5)
    assert summary["metrics"]["test"]["rouge_l"]["champion"] is not None
    assert any("another tokenizer" in note for note in summary["notes"])


def test_a_champion_that_sees_less_at_once_is_compared_by_the_byte(
    run: RunDirectory, recipe: Recipe, rival: Any
) -> None:
    config = {**recipe.train.model.model_dump()["config"], "max_position_embeddings": 32}
    rival(pack={"seq_length": 32}, train={"model": {"config": config}})
    summary = measure(run, recipe)
    for split in ("validation", "test"):
        values = summary["metrics"][split]
        assert values["loss"]["champion"] is None
        assert values["bits_per_byte"]["champion"] is not None
    assert any("champion" in note and "bits a byte" in note for note in summary["notes"])


def test_bits_a_byte_do_not_depend_on_the_road_to_the_bins(run: RunDirectory, recipe: Recipe, rival: Any) -> None:
    """The same tokenizer under another fingerprint: repacked rows must give the packed rows' number."""
    theirs, _ = rival()
    same = measure(run, recipe)["metrics"]
    pointer = theirs.root.parent / "champion-sums.json"
    value = json.loads(pointer.read_text())
    pointer.write_text(json.dumps({**value, "tokenizer": "another"}))
    shutil.rmtree(run.path("evaluation"))
    repacked = measure(run, recipe)["metrics"]
    for split in ("validation", "test"):
        assert repacked[split]["loss"]["champion"] is None
        one, two = (metrics[split]["bits_per_byte"]["champion"] for metrics in (same, repacked))
        assert one == pytest.approx(two, rel=1e-5)


def test_a_champion_that_is_gone_or_changed_is_said_before_anything_is_measured(
    run: RunDirectory, recipe: Recipe, rival: Any
) -> None:
    theirs, _ = rival()
    (models,) = (theirs.root.parent / "champion-sums-models").iterdir()
    weights = models / "model.safetensors"
    kept = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
    with pytest.raises(InputError, match="not the one that was promoted"):
        measure(run, recipe)
    shutil.rmtree(models)
    with pytest.raises(InputError, match="is gone") as error:
        measure(run, recipe)
    assert str(models) in error.value.where
    assert "champion-sums.json" in error.value.mend
    assert not run.path("evaluation/metrics.json").exists()


def test_counting_other_tokens_than_were_packed_fails(run: RunDirectory, recipe: Recipe) -> None:
    path = run.path("packed/_manifest.json")
    value = json.loads(path.read_text())
    value["summary"]["splits"]["test"]["targets"] += 1
    path.write_text(json.dumps(value))
    with pytest.raises(StageError, match="target tokens were measured in test"):
        measure(run, recipe)
    assert not run.path("evaluation/metrics.json").exists()
    assert Manifest.read(run.path("evaluation")) is None


def test_inputs_that_changed_under_the_process_stop_it(run: RunDirectory, recipe: Recipe) -> None:
    RunDirectory.open(recipe)  # its recipe.yaml names this copy
    with pytest.raises(StageError, match="changed while it started"):
        main([str(run.root), "another fingerprint"])


def test_splits_without_rows_and_rows_without_prompts_give_no_number(tmp_path: Path) -> None:
    rows = {"train": sums(0, 24), "validation": [], "test": [row(900, "text", [("text", "Only prose here.")])]}
    run, recipe = make_run(tmp_path / "run", rows)
    summary = measure(run, recipe)
    assert {v for value in summary["metrics"]["validation"].values() for v in value.values()} == {None}
    assert summary["metrics"]["test"]["loss"]["after"] > 0
    assert summary["metrics"]["test"]["rouge_l"] == {"before": None, "after": None, "champion": None}
    assert summary["prompts"] == 0
    assert summary["notes"] == ["0 test rows have a prompt and an answer; evaluate.generate asks for more"]
    assert pq.read_table(run.path("evaluation/predictions.parquet")).num_rows == 0


def test_ranks_share_the_blocks_and_make_the_same_bytes(run: RunDirectory, recipe: Recipe) -> None:
    measure(run, recipe)
    names = ("metrics.json", "details.json", "scores.parquet", "predictions.parquet")
    alone = {name: run.path(f"evaluation/{name}").read_bytes() for name in names}
    shutil.rmtree(run.path("evaluation"))
    recipe = recipe.model_copy(update={"evaluate": recipe.evaluate.model_copy(update={"nproc": 2})})
    stage = plan(run, recipe)
    assert stage is not None
    stage.begin()
    shares = []
    for rank in range(2):
        before = set(stage.finished())
        measure_run(stage, run, recipe, torch.device("cpu"), rank=rank, world=2)
        shares.append(set(stage.finished()) - before)
    assert all(any("answers" in part or "test" in part for part in share) for share in shares)
    finish(stage, run, recipe)
    assert {name: run.path(f"evaluation/{name}").read_bytes() for name in names} == alone


def test_a_stopped_evaluation_goes_on_with_the_blocks_that_are_missing(run: RunDirectory, recipe: Recipe) -> None:
    stage = plan(run, recipe)
    assert stage is not None
    stage.begin()
    measure_run(stage, run, recipe, torch.device("cpu"))
    whole = {path.name: path.read_bytes() for path in run.path("evaluation/answers").iterdir()}
    gone = run.path("evaluation/answers/after-answers-00000.parquet")
    gone.write_bytes(gone.read_bytes()[:-1])  # damaged: its record is not believed
    assert "after-answers-00000" not in stage.begin()
    others = {path: path.stat().st_mtime_ns for path in run.path("evaluation").rglob("*.parquet") if path != gone}
    measure_run(stage, run, recipe, torch.device("cpu"))
    assert {path: path.stat().st_mtime_ns for path in others} == others
    assert {path.name: path.read_bytes() for path in run.path("evaluation/answers").iterdir()} == whole
    assert finish(stage, run, recipe).summary["prompts"] == 6


def test_unit_tests_measures_of_one_s_own_and_slices_are_in_the_numbers(tmp_path: Path) -> None:
    rows = default_rows()
    for one in rows["test"][:3]:
        number = one["messages"][0]["content"].split()[-1].rstrip(".")
        test = f"def check(f):\n    assert f(1) == {number} + 1\n"
        one["metadata"] = json.dumps({"test": test, "entry_point": f"add_{number}"})
    (tmp_path / "mine.py").write_text("def brevity(prediction, reference, row):\n    return len(prediction) / 100\n")
    run, recipe = make_run(
        tmp_path / "run",
        rows,
        evaluate={
            "unit_tests": {"samples": 2, "k": [1, 2], "seconds": 10},
            "metrics": {"brevity": {"target": f"{tmp_path}/mine.py:brevity", "higher_is_better": False}},
            "generate": 8,
        },
    )
    values = measure(run, recipe)["metrics"]["test"]
    assert values["pass_at_1"]["after"] == values["pass_at_2"]["after"] == 0.0  # a model with random weights
    assert values["brevity"]["after"] > 0
    details = json.loads(run.path("evaluation/details.json").read_text())["test"]
    assert details["pass_at_1"]["after"]["rows"] == 3
    assert details["pass_at_1"]["after"]["high"] > 0.5  # 0 of 3 is not surely 0
    assert details["loss@sums"] == details["loss@pair"] == details["loss"]
    assert details["loss"]["after"]["low"] < values["loss"]["after"] < details["loss"]["after"]["high"]
    assert details["loss"]["after"]["rows"] == 8
