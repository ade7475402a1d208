"""Properties: one step back and forth, nothing lost, and what was taken back stays away until it is asked for."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pipeline.errors import InputError
from pipeline.evaluate.champion import champion_model, read_pointer
from pipeline.promote import history, plan, promote, rollback
from tests.conftest import run_command
from tests.promote.test_promote import Made, holder, make, measured


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def champions(runs: Path, count: int, **changes: object) -> list[Made]:
    """So many runs, each promoted over the one before."""
    made = []
    for number in range(count):
        one = measured(make(runs / f"run{number}", f"w{number}", **changes), 3.0 - 0.5 * number, 3.5 - 0.5 * number)
        assert promote(*one).summary["promoted"]
        made.append(one)
    return made


def test_rollback_goes_to_the_former_champion_and_the_registry_says_so(runs: Path) -> None:
    first, second = champions(runs, 2)
    moved = rollback(second[1])
    assert holder(second) == "run0"
    assert champion_model(moved.champion, runs / "champion-sums.json").is_dir()
    standing, _ = history(second[1])
    assert standing is not None
    assert [one["event"] for one in standing.history] == ["promoted", "promoted", "rolled_back"]
    assert standing.champion == read_pointer(runs / "champion-sums.json").champion  # type: ignore[union-attr]
    assert plan(*first) is not None


def test_what_was_taken_back_is_not_promoted_by_itself_and_comes_back_by_name(runs: Path) -> None:
    _, second = champions(runs, 2)
    model = read_pointer(runs / "champion-sums.json").champion.model  # type: ignore[union-attr]
    rollback(second[1])
    stage = plan(*second)
    assert stage is not None
    assert stage.why() is not None  # the decision is asked for again, and is another one
    shutil.rmtree(second[0].path("evaluation"))
    decision = promote(*measured(second, 1.0, 3.0)).summary
    assert not decision["promoted"]
    assert "taken back" in decision["reason"]
    assert holder(second) == "run0"
    rollback(second[1], to=model[:8])
    assert holder(second) == "run1"
    events = [one["event"] for one in json.loads((runs / "champion-sums.json").read_text())["history"]]
    assert events == ["promoted", "promoted", "rolled_back", "kept", "restored"]


def test_as_many_steps_as_models_are_kept(runs: Path) -> None:
    made = champions(runs, 4, promote={"keep": 3})
    for expected in ("run2", "run1", "run0"):
        rollback(made[-1][1])
        assert holder(made[-1]) == expected
    with pytest.raises(InputError, match="no model of a former champion is kept"):
        rollback(made[-1][1])


def test_a_killed_move_leaves_the_old_pointer(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, second = champions(runs, 2)
    before = (runs / "champion-sums.json").read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", killed)
    with pytest.raises(KeyboardInterrupt):
        rollback(second[1])
    monkeypatch.undo()
    assert (runs / "champion-sums.json").read_bytes() == before
    rollback(second[1])
    assert holder(second) == "run0"


def test_nothing_to_go_back_to_is_said(runs: Path) -> None:
    run, recipe = make(runs / "one", "w1")
    with pytest.raises(InputError, match="no champion to roll back from"):
        rollback(recipe)
    promote(*measured((run, recipe), 3.0))
    with pytest.raises(InputError, match="no model of a former champion"):
        rollback(recipe)
    with pytest.raises(InputError, match="no kept model is called 'zzz'"):
        rollback(recipe, to="zzz")


def test_a_former_champion_whose_folder_was_changed_does_not_come_back(runs: Path) -> None:
    _, second = champions(runs, 2)
    former = read_pointer(runs / "champion-sums.json").promoted_over  # type: ignore[union-attr]
    assert former is not None
    (runs / former.checkpoint / "extra.txt").write_text("x")
    with pytest.raises(InputError, match="not the one that was promoted"):
        rollback(second[1])
    assert holder(second) == "run1"


def test_the_commands_say_what_they_did(runs: Path, tmp_path: Path) -> None:
    import yaml

    _, (_, recipe) = champions(runs, 2)
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe.model_dump(mode="json")))
    listed = run_command(["history", str(file)])
    assert listed.returncode == 0, listed.stderr
    head, *lines, last = listed.stdout.splitlines()
    assert head.split("\t")[1:5] == ["time", "event", "model", "run"]
    assert [line.split("\t")[2] for line in lines] == ["promoted", "promoted"]
    assert [line.startswith("*") for line in lines] == [False, True]
    assert "champion-sums.json" in last
    back = run_command(["promote", str(file), "--rollback"])
    assert (back.returncode, "of run0 again" in back.stdout) == (0, True), back.stderr
    assert json.loads(run_command(["history", "--json", str(file)]).stdout)["run"] == "run0"
    again = run_command(["promote", str(file), "--rollback"])
    assert again.returncode == 2
    assert "no model of a former champion is kept" in again.stderr
    assert run_command(["promote", str(file), "--to", "abc"]).returncode == 2
