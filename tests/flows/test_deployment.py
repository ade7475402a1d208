"""`prefect.yaml` on a real server: every deployment, each stage's run by a process worker, what is refused."""

from __future__ import annotations

import json
import re
import urllib.error
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from docker.types import DeviceRequest
from prefect.cli.deploy._models import PrefectYamlModel

from tests.conftest import ROOT, TINY
from tests.flows.conftest import documented
from tests.flows.site import PrefectSite

pytestmark = pytest.mark.timeout(1800)

WRITTEN: dict[str, Any] = yaml.safe_load((ROOT / "prefect.yaml").read_text())
STAGES = ("curate", "pack", "train", "evaluate", "promote")
DEPLOYMENTS = {f"curate-and-train/{name}" for name in ("local", "docker", "retrain", "weekly-retrain")} | {
    f"{stage}/local" for stage in STAGES
}


def test_the_file_holds_to_prefect_s_schema() -> None:
    """Prefect itself ignores what it does not know; here nothing may be lost between the file and its model."""
    read = PrefectYamlModel.model_validate(WRITTEN).model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert read == {key: value for key, value in WRITTEN.items() if key != "definitions"}
    jsonschema.validate(WRITTEN, PrefectYamlModel.model_json_schema(by_alias=True))
    wrong = {**WRITTEN, "deployments": [{"name": "x", "concurrency_limit": {"limit": "many"}}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, PrefectYamlModel.model_json_schema(by_alias=True))


def test_every_deployment_is_on_the_server(site: PrefectSite) -> None:
    deployed = site.api("deployments/filter", {})
    flows = {flow["id"]: flow["name"] for flow in site.api("flows/filter", {})}
    assert {f"{flows[one['flow_id']]}/{one['name']}" for one in deployed} == DEPLOYMENTS
    for one in deployed:
        # No directory of the deploying machine: each worker enters a checkout of its own.
        assert one["pull_steps"] == [{"flows.checkout.enter_checkout": {}}]
        assert one["enforce_parameter_schema"]
        template = site.api(f"work_pools/{one['work_pool_name']}")["base_job_template"]
        jsonschema.validate(one["job_variables"], {**template["variables"], "additionalProperties": False})
        assert one["schedules"] == [] or one["name"] == "weekly-retrain"
        fields = one["parameter_openapi_schema"]["properties"]
        assert {name: (field["type"], bool(field["description"])) for name, field in fields.items()} == {
            "recipe": ("string", True),
            "overrides": ("array", True),
        }


def test_preparing_again_with_gpus_changes_what_a_container_asks_for(site: PrefectSite) -> None:
    before = site.api("deployments/name/curate-and-train/docker")["job_variables"]
    assert before["image"] == "curate-and-train:cpu"
    assert before["container_create_kwargs"]["device_requests"] == []
    prepared = site.run("python", "-m", "flows.prepare", "--gpu")
    assert prepared.returncode == 0, prepared.stdout
    assert "there already" in prepared.stdout
    deployed = site.prefect("deploy", "--name", "docker")
    assert deployed.returncode == 0, deployed.stdout
    after = site.api("deployments/name/curate-and-train/docker")["job_variables"]
    assert after["image"] == "curate-and-train:gpu"
    assert [DeviceRequest(**one)["Capabilities"] for one in after["container_create_kwargs"]["device_requests"]] == [
        [["gpu"]]
    ]


def test_a_run_without_a_heartbeat_is_given_up(site: PrefectSite) -> None:
    found = site.api("automations/filter", {})
    assert len(found) == 1, "made once, however often the server is prepared"
    assert found[0]["enabled"]
    assert found[0]["trigger"]["after"] == ["prefect.flow-run.heartbeat"]
    assert found[0]["trigger"]["within"] == 540
    assert found[0]["actions"][0]["state"] == "CRASHED"


def test_weekly_retraining_waits_to_be_asked_for_and_runs_once_at_a_time(site: PrefectSite) -> None:
    """The second of two is refused, by the server, when its worker would start it."""
    weekly = site.api("deployments/name/curate-and-train/weekly-retrain")
    assert [(one["slug"], one["active"], one["schedule"]["cron"]) for one in weekly["schedules"]] == [
        ("weekly", False, "0 3 * * 1")
    ]
    first, second = (site.begin("curate-and-train/weekly-retrain", "data/tiny.yaml", []) for _ in range(2))
    answers = [site.api(f"flow_runs/{run['id']}/set_state", {"state": {"type": "PENDING"}}) for run in (first, second)]
    assert [answer["state"]["type"] for answer in answers] == ["PENDING", "CANCELLED"]
    site.api(f"flow_runs/{first['id']}/set_state", {"state": {"type": "CANCELLED"}, "force": True})
    third = site.begin("curate-and-train/weekly-retrain", "data/tiny.yaml", [])
    assert site.api(f"flow_runs/{third['id']}/set_state", {"state": {"type": "PENDING"}})["state"]["type"] == "PENDING"
    asked = site.prefect("deployment", "schedule", "ls", "curate-and-train/weekly-retrain")
    assert asked.returncode == 0, asked.stdout


def test_each_stage_s_deployment_runs_and_the_whole_line_then_reuses_them(site: PrefectSite, tmp_path: Path) -> None:
    run = tmp_path / "run"
    small = ["train.steps=4", "train.launch.nproc=1", "evaluate.generate=1", "evaluate.max_new_tokens=4"]
    overrides = [f"run={run}", "cluster.workers=1", *small]
    for stage in STAGES:
        flow_run = site.begin(f"{stage}/local", "data/tiny.yaml", overrides)
        state = site.ended(flow_run)
        assert state["type"] == "COMPLETED", f"{stage}: {state}\n{site.messages(flow_run)}"
        assert site.artifact(f"progress-{stage}")["data"] == 100
    done = site.run(
        *documented()[-1],
        *("-p", "recipe=data/tiny.yaml", "-p", f"overrides={json.dumps(overrides)}"),
        timeout=400,
    )
    assert done.returncode == 0, done.stdout
    assert "Completed" in done.stdout
    steps = (run / "logs" / "train.jsonl").read_text().splitlines()
    assert len(steps) == 4, "trained once"
    funnel = json.loads(site.artifact("funnel")["data"])
    assert [step["step"] for step in funnel][:2] == ["rows in", "ingest"]
    assert all(before["rows"] - step["dropped"] == step["rows"] for before, step in pairwise(funnel))
    losses = [row for row in json.loads(site.artifact("metrics")["data"]) if row["metric"] == "loss"]
    assert losses
    number = {name: [float(row[name].split()[0]) for row in losses] for name in ("before", "after")}
    assert all(after < before for before, after in zip(number["before"], number["after"], strict=True))
    assert all(re.fullmatch(r"\S+ \[\S+, \S+\]", row["after"]) and row["champion"] == "" for row in losses)
    assert "promoted: there is no champion yet" in site.artifact("metrics")["description"]
    assert (run / "report.html").as_uri() in site.artifact("report")["data"]


def test_retraining_takes_what_is_new_and_then_nothing(site: PrefectSite, tmp_path: Path) -> None:
    overrides = [f"run={tmp_path / 'series'}", "cluster.workers=1", "train=null"]
    for said in ("batch 0001: promoted: None: the recipe has no section `train`", "there are no new shards"):
        flow_run = site.begin("curate-and-train/retrain", "data/tiny.yaml", overrides)
        state = site.ended(flow_run)
        assert state["type"] == "COMPLETED", f"{state}\n{site.messages(flow_run)}"
        assert said in site.messages(flow_run, until=said)
    assert [path.name for path in sorted((tmp_path / "series").glob("0*"))] == ["0001"]
    funnel = json.loads(site.artifact("funnel")["data"])
    assert funnel[0]["rows"] > 0


def test_a_wrong_recipe_ends_failed_once_with_the_message(site: PrefectSite, tmp_path: Path) -> None:
    flow_run = site.begin("curate-and-train/local", str(TINY), [f"run={tmp_path / 'run'}", "train.step=5"])
    assert site.ended(flow_run)["type"] == "FAILED"
    message = "train.step: unknown key (did you mean 'steps'?)"
    logs = site.messages(flow_run, until=message)
    assert message in logs
    assert "retr" not in logs.lower()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("parameters", [{"recipe": ""}, {"overrides": ["train.steps"]}, {"overrides": "train.steps=5"}])
def test_wrong_parameters_are_refused_before_anything_runs(site: PrefectSite, parameters: dict[str, Any]) -> None:
    found = site.api("deployments/name/curate-and-train/local")
    with pytest.raises(urllib.error.HTTPError) as refused:
        site.api(f"deployments/{found['id']}/create_flow_run", {"parameters": parameters})
    assert refused.value.code in (409, 422)


def test_a_parameter_that_does_not_exist_is_refused_with_those_that_do(site: PrefectSite) -> None:
    done = site.prefect("deployment", "run", "curate-and-train/local", "-p", "steps=5")
    assert done.returncode == 1
    assert "steps" in done.stdout
    assert "recipe" in done.stdout


def test_a_name_without_the_deployment_is_refused(site: PrefectSite) -> None:
    done = site.prefect("deployment", "run", "curate-and-train")
    assert done.returncode == 1
    assert "Invalid deployment name" in done.stdout
