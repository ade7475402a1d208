"""The documented commands, against a real server: deploy, run, fail, refuse."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import TINY
from tests.flows.conftest import PrefectSite

pytestmark = pytest.mark.timeout(600)


def run_local(
    site: PrefectSite, recipe: str, overrides: list[str], *, timeout: float = 400
) -> subprocess.CompletedProcess[str]:
    return site.prefect(
        *("deployment", "run", "curate-and-train/local", "--watch"),
        *("-p", f"recipe={json.dumps(recipe)}", "-p", f"overrides={json.dumps(overrides)}"),
        timeout=timeout,
    )


def flow_run_logs(site: PrefectSite, output: str) -> str:
    found = re.search(r"UUID: ([0-9a-f-]{36})", output)
    assert found, output
    return site.prefect("flow-run", "logs", found[1]).stdout


def test_the_deployment_runs_every_stage_to_completed(site: PrefectSite, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = run_local(site, "data/tiny.yaml", [f"run={run}", "train.steps=4", "evaluate.generate=1"])
    assert done.returncode == 0, done.stdout + flow_run_logs(site, done.stdout)
    assert "Completed" in done.stdout
    assert (run / "report.html").stat().st_size > 0
    assert json.loads((run / "evaluation" / "metrics.json").read_text(encoding="utf-8"))
    logs = flow_run_logs(site, done.stdout)
    assert str(run) in logs
    artifact = site.prefect("artifact", "inspect", "curate-and-train", "--output", "json")
    assert artifact.returncode == 0, artifact.stdout
    assert "| curate |" in artifact.stdout


def test_a_wrong_recipe_ends_failed_once_with_the_message(site: PrefectSite, tmp_path: Path) -> None:
    done = run_local(site, str(TINY), [f"run={tmp_path / 'run'}", "train.step=5"])
    assert done.returncode == 1, done.stdout
    assert "Failed" in done.stdout
    logs = flow_run_logs(site, done.stdout)
    assert "train.step: unknown key (did you mean 'steps'?)" in logs
    assert "retr" not in logs.lower()
    assert not (tmp_path / "run").exists()


def test_a_parameter_that_does_not_exist_is_refused_before_anything_runs(site: PrefectSite) -> None:
    done = site.prefect("deployment", "run", "curate-and-train/local", "-p", "steps=5")
    assert done.returncode == 1
    assert "steps" in done.stdout
    assert "recipe" in done.stdout  # it lists those that exist


def test_a_name_without_the_deployment_is_refused(site: PrefectSite) -> None:
    done = site.prefect("deployment", "run", "curate-and-train")
    assert done.returncode == 1
    assert "Invalid deployment name" in done.stdout


def test_the_deployment_names_no_directory_of_the_deploying_machine(site: PrefectSite) -> None:
    shown = site.prefect("deployment", "inspect", "curate-and-train/local", "--output", "json")
    deployment = json.loads(shown.stdout)
    assert deployment["pull_steps"] == [{"flows.checkout.enter_checkout": {}}]
    assert deployment["entrypoint"] == "flows.curate_and_train.curate_and_train"
    assert deployment["schedules"] == []
