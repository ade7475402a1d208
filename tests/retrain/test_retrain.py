"""A series on growing data with tiny real runs: a win, a loss and a tie; and no test row was ever trained on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from distributed import LocalCluster

from flows.artifacts import metrics_table
from pipeline.errors import InputError, RecipeError
from pipeline.evaluate.champion import Standing, pointer_path, read_pointer
from pipeline.recipe import load_recipe
from pipeline.retrain import Retrained, next_batch, retrain
from pipeline.run import Manifest, RunDirectory
from pipeline.schema import SPLITS
from tests.evaluate.runs import LLAMA

pytestmark = pytest.mark.timeout(1800)
"""Four runs of every stage: minutes each on a machine that does much else."""

WORDS = ["red", "green", "blue", "stone", "river", "cloud", "iron", "glass", "paper", "salt", "wind", "lamp"]


def rows(seed: int, count: int) -> list[dict[str, str]]:
    """Rows in which the answer repeats the question's words: something that a few steps make better."""
    draw = random.Random(seed)
    made = []
    for _ in range(count):
        words = " ".join(draw.choice(WORDS) for _ in range(12))
        made.append({"input": f"Say again: {words}", "output": f"{words} and again {words}"})
    return made


@dataclass
class Series:
    """A folder of shards, a recipe over it, and what every retraining came to."""

    root: Path
    done: list[Retrained] = field(default_factory=list)
    splits: list[dict[str, set[str]]] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)

    @property
    def recipe(self) -> Path:
        return self.root / "recipe.yaml"

    @property
    def pointer(self) -> Path:
        return self.root / "runs/champion.json"

    def add(self, name: str, new: list[dict[str, str]]) -> None:
        path = self.root / f"raw/{name}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in new))

    def retrain(self, *overrides: str) -> Retrained:
        done = retrain(self.recipe, list(overrides))
        self.done.append(done)
        if done.run is not None:
            self.splits.append({split: ids(done.run, split) for split in SPLITS})
            standing = read_pointer(self.pointer)
            assert standing is not None
            self.standings.append(standing)
        return done


def ids(run: Path, split: str) -> set[str]:
    files = sorted((run / f"curated/{split}").glob("part-*.parquet"))
    return {key for file in files for key in pq.read_table(file, columns=["id"])["id"].to_pylist()}


def texts(run: Path, split: str) -> dict[str, str]:
    files = sorted((run / f"curated/{split}").glob("part-*.parquet"))
    found = (row for file in files for row in pq.read_table(file, columns=["id", "messages"]).to_pylist())
    return {row["id"]: row["messages"][1]["content"] for row in found}


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler with one worker, both in this process: no batch waits for another process to start."""
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, protocol="tcp", dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory, scheduler: str) -> Series:
    """Four batches: the first champion, a win, a loss by a destructive learning rate, a tie."""
    made = Series(tmp_path_factory.mktemp("series"))
    recipe: dict[str, Any] = {
        "run": str(made.root / "runs"),
        "device": "cpu",
        "cluster": {"address": scheduler},
        "sources": [
            {
                "name": "words",
                "kind": "pair",
                "format": "completion",
                "path": str(made.root / "raw/*.jsonl"),
            }
        ],
        "curate": {"pii": None, "rules": {"preset": "none"}, "split": {"train": 0.7, "validation": 0.1, "test": 0.2}},
        "pack": {"vocab_size": 320, "seq_length": 128},
        "train": {"model": {"config": LLAMA}, "steps": 16, "global_batch": 4, "learning_rate": 1e-2, "warmup": 2},
        "evaluate": {"generate": 2, "max_new_tokens": 4},
        "promote": {"margin": 0.01},
    }
    made.recipe.write_text(yaml.safe_dump(recipe))
    made.add("week1", rows(1, 120))
    made.retrain("train.steps=1")
    made.add("week2", [*rows(1, 20), *rows(2, 60)])  # twenty are copies
    near = [{**row, "output": row["output"] + "!"} for row in rows(1, 120)[40:80]]
    made.retrain()
    made.add("week3", [*near, *rows(3, 60)])  # forty are near copies
    made.retrain("train.learning_rate=1.0", "train.steps=4")
    made.add("week4", rows(4, 60))
    made.retrain("retrain.start=champion", "train.learning_rate=1e-6", "train.steps=1")
    return made


def test_a_win_a_loss_and_a_tie_are_told_apart(series: Series) -> None:
    first, win, loss, tie = series.done
    assert [one.batch for one in series.done] == ["0001", "0002", "0003", "0004"]
    assert [one.promoted for one in series.done] == [True, True, False, False]
    assert first.reason == "there is no champion yet"
    assert "is surely below" in win.reason
    assert "is not surely below" in loss.reason
    assert "is not surely below" in tie.reason
    better = [Manifest.read(one.run / "promotion").summary["improvement"] for one in (win, loss, tie)]  # type: ignore
    assert better[0]["low"] > 0.01
    assert better[1]["high"] < -0.5  # clearly worse
    assert abs(better[2]["estimate"]) < 1e-3  # as good as equal
    champions = [standing.champion.run for standing in series.standings]
    assert champions == ["0001", "0002", "0002", "0002"]
    assert [one["event"] for one in series.standings[-1].history] == ["promoted", "promoted", "kept", "kept"]
    fingerprints = {one["data"] for one in series.standings[-1].history}
    assert len(fingerprints) == 4  # of the rows that each was trained on


def test_a_batch_reads_new_shards_only(series: Series) -> None:
    counts = [Manifest.read(one.run / "documents").rows["in"] for one in series.done if one.run]  # type: ignore
    assert counts == [120, 80, 100, 60]


def test_copies_and_near_copies_of_earlier_rows_are_dropped(series: Series) -> None:
    for one, stage, copies in ((series.done[1], "exact", 20), (series.done[2], "fuzzy", 40)):
        manifest = Manifest.read(one.run / "curated")  # type: ignore[operator]
        assert manifest is not None
        assert sum(manifest.summary["dropped"].values()) >= copies
        assert manifest.summary["dropped"][stage] >= copies * 0.9


def test_earlier_rows_keep_their_splits_and_are_trained_on_again(series: Series) -> None:
    for before, after in zip(series.splits, series.splits[1:], strict=False):
        for split in SPLITS:
            assert before[split] < after[split]


def test_no_test_row_was_ever_a_training_row_nor_is_one_like_it(series: Series) -> None:
    ever: set[str] = set()
    contents: set[str] = set()
    for one, splits in zip(series.done, series.splits, strict=True):
        assert one.run is not None
        ever |= splits["train"]
        contents |= {text.strip(" !") for text in texts(one.run, "train").values()}
    for one, splits in zip(series.done, series.splits, strict=True):
        assert one.run is not None
        assert not splits["test"] & ever
        assert not {text.strip(" !") for text in texts(one.run, "test").values()} & contents


def test_candidate_and_champion_are_measured_on_the_same_rows(series: Series) -> None:
    run = series.done[2].run
    assert run is not None
    table = pq.read_table(
        run / "evaluation/scores.parquet", filters=[("split", "=", "test"), ("metric", "=", "bits_per_byte")]
    )
    by = {
        name: sorted(row["id"] for row in table.to_pylist() if row["contender"] == name)
        for name in ("after", "champion")
    }
    assert by["after"] == by["champion"] == sorted(series.splits[2]["test"])


def test_prefect_s_table_has_both_models_and_their_difference_with_intervals(series: Series) -> None:
    """The numbers of the files, and in the row of what the gate compared those that it decided by."""
    for one in series.done[1:]:
        assert one.run is not None
        run, recipe = RunDirectory.existing(one.run)
        decision = Manifest.read(run.path("promotion")).summary  # type: ignore[union-attr]
        details = json.loads(run.path("evaluation/details.json").read_text())
        rows = {(row["split"], row["metric"]): row for row in metrics_table(run, recipe)}
        for contender in ("after", "champion"):
            known = details["test"]["bits_per_byte"][contender]
            assert rows["test", "bits_per_byte"][contender] == shown(known["value"], known["low"], known["high"])
        gained = decision["improvement"]
        assert {key: row["better by"] for key, row in rows.items() if row["better by"]} == {
            ("test", decision["metric"]): shown(gained["estimate"], gained["low"], gained["high"])
        }


def shown(value: float, low: float, high: float) -> str:
    return f"{value:.4g} [{low:.4g}, {high:.4g}]"


def test_start_champion_trains_the_champion_with_its_tokenizer(series: Series) -> None:
    run = series.done[3].run
    assert run is not None
    recipe = load_recipe(run / "recipe.yaml")
    model = series.standings[2].champion.model
    assert str(recipe.training.model.path).endswith(model)
    assert recipe.pack.tokenizer == recipe.training.model.path
    metrics = json.loads((run / "evaluation/metrics.json").read_text())["test"]["loss"]
    assert metrics["before"] == metrics["champion"] == pytest.approx(metrics["after"], abs=1e-3)


def test_a_batch_is_an_ordinary_run_whose_page_says_what_was_taken_over(series: Series) -> None:
    from pipeline.report.funnel import funnel
    from pipeline.stages import outlook

    root = series.done[1].run
    assert root is not None
    run, recipe = RunDirectory.existing(root)
    steps = {step.name: step for step in funnel(run)}
    assert -steps["earlier"].dropped == sum(len(one) for one in series.splits[0].values())
    assert [one.action for one in outlook(run, recipe)][:3] == ["reuse", "reuse", "reuse"]
    assert (root / "report.html").is_file()


def test_nothing_new_does_nothing(series: Series) -> None:
    before = series.pointer.read_bytes()
    done = retrain(series.recipe)
    assert (done.batch, done.promoted, done.reason) == (None, None, "there are no new shards")
    copy = series.root / "raw/renamed.jsonl"
    copy.write_bytes((series.root / "raw/week2.jsonl").read_bytes())  # the content is known
    try:
        assert retrain(series.recipe).batch is None
    finally:
        copy.unlink()
    assert series.pointer.read_bytes() == before
    assert len(list((series.root / "runs/batches").iterdir())) == 4


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["seed=1"], "seed changed since the last batch"),
        (["curate.split={train: 0.5, validation: 0.2, test: 0.3}"], "curate.split changed"),
        (["curate.dedup.index=elsewhere"], "curate.dedup.index changed"),
        (["curate.dedup={exact: false, fuzzy: null}"], "needs deduplication"),
        (["retrain.earlier=[x]"], "recipe of one batch"),
    ],
)
def test_what_would_let_training_rows_into_the_test_is_refused(
    series: Series, overrides: list[str], message: str
) -> None:
    with pytest.raises(RecipeError, match=message) as error:
        retrain(series.recipe, overrides)
    assert error.value.mend


def test_a_shard_that_changed_is_refused_by_name(series: Series) -> None:
    path = series.root / "raw/week1.jsonl"
    was = path.read_text()
    path.write_text(was + json.dumps(rows(9, 1)[0]) + "\n")
    try:
        with pytest.raises(InputError, match="has another content now") as error:
            retrain(series.recipe)
    finally:
        path.write_text(was)
    assert "week1.jsonl" in error.value.where


def test_a_batch_that_was_begun_is_gone_on_with_and_takes_no_later_shard(series: Series, tmp_path: Path) -> None:
    """The ledger alone decides: what is begun is a file, written before anything is read."""
    recipe = load_recipe(series.recipe, [f"run={tmp_path}/runs", f"curate.dedup.index={tmp_path}/index"])
    first = next_batch(recipe)
    assert first is not None
    assert (first.name, first.resumed, len(first.shards["words"])) == ("0001", False, 4)
    late = series.root / "raw/week5.jsonl"
    late.write_text(json.dumps(rows(5, 1)[0]) + "\n")
    try:
        again = next_batch(recipe)
    finally:
        late.unlink()
    assert again is not None
    assert again.resumed
    assert (again.name, again.shards, again.recipe) == (first.name, first.shards, first.recipe)


def test_another_list_of_sources_meets_the_same_champion(series: Series, tmp_path: Path) -> None:
    recipe = load_recipe(series.recipe, [])
    other = recipe.sources[0].model_copy(update={"name": "more", "path": str(tmp_path / "more.jsonl")})
    (tmp_path / "more.jsonl").write_text(json.dumps(rows(11, 1)[0]) + "\n")
    ledger = {path: path.read_bytes() for path in (series.root / "runs/batches").iterdir()}
    try:
        batch = next_batch(recipe.model_copy(update={"sources": [other, *recipe.sources]}))
    finally:
        (series.root / "runs/batches/0005.json").unlink()
    assert batch is not None
    assert batch.shards["words"] == {}
    run = RunDirectory(Path(batch.recipe.run))
    assert pointer_path(run, batch.recipe) == series.pointer
    assert pointer_path(RunDirectory(Path(recipe.run)), recipe) == series.pointer  # `history`, `promote --rollback`
    assert {path: path.read_bytes() for path in (series.root / "runs/batches").iterdir()} == ledger


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 2, "shards": {"words": {"a": 3}}, "champion": null}'])
def test_a_damaged_ledger_is_one_clear_message(series: Series, tmp_path: Path, content: str) -> None:
    file = tmp_path / "runs/batches/0001.json"
    file.parent.mkdir(parents=True)
    file.write_text(content)
    with pytest.raises(InputError, match="list of a batch's shards cannot be read") as error:
        next_batch(load_recipe(series.recipe, [f"run={tmp_path}/runs"]))
    assert error.value.where == str(file)


def test_a_series_that_told_shards_by_other_fingerprints_says_so(series: Series, tmp_path: Path) -> None:
    file = tmp_path / "runs/batches/0001.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"format": 1, "shards": {"words": {"a": "b"}}, "champion": null}')
    with pytest.raises(InputError, match="an earlier version began this series"):
        next_batch(load_recipe(series.recipe, [f"run={tmp_path}/runs"]))


def test_the_directory_of_a_run_is_no_series(series: Series) -> None:
    with pytest.raises(RecipeError, match="the directory of a run"):
        retrain(series.recipe, [f"run={series.root}/runs/0001"])
