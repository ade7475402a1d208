"""The compose file's services as processes on loopback, their commands and variables read from the file."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import yaml

from tests.conftest import ROOT, TINY
from tests.containers.compose import FILE, Unset, example, loopback, read
from tests.containers.postgres import Postgres, binaries
from tests.flows.site import PrefectSite, free_port

pytestmark = pytest.mark.timeout(1800)

PASSWORDS = {"POSTGRES_PASSWORD": secrets.token_hex(16), "PREFECT_AUTH": f"admin:{secrets.token_hex(16)}"}


class Composed:
    """PostgreSQL, the server and whatever else of the file is started."""

    def __init__(self, home: Path) -> None:
        self.services: dict[str, Any] = read(example() | PASSWORDS | {"DASK_WORKERS": "1"})["services"]
        ports = {"server": 4200, "postgres": 5432, "dask-scheduler": 8786}
        self.ports = {service: (port, free_port()) for service, port in ports.items()}
        database = self.services["postgres"]
        check = database["healthcheck"]["test"][1:]
        self.postgres = Postgres(database["command"], database["environment"], check, self.ports["postgres"][1])
        client, server = (self.variables(name) for name in ("process-worker", "server"))
        self.site = PrefectSite(home=home, port=self.ports["server"][1], extra=server | client)

    def variables(self, service: str) -> dict[str, str]:
        return {
            name: loopback(value, self.ports) for name, value in self.services[service].get("environment", {}).items()
        }

    def command(self, service: str) -> list[str]:
        words = [loopback(word, self.ports) for word in self.services[service]["command"]]
        mine = {str(port): str(here) for port, here in self.ports.values()}
        return [mine.get(word, word) for word in words]

    def start(self, service: str) -> None:
        # A Dask worker reads the recipe's relative paths where it was started; the image's folder is the checkout.
        cwd = ROOT if service.startswith("dask") else None
        self.site.start(service, *self.command(service), variables=self.variables(service), cwd=cwd)


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    if binaries() is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql (.ci/debian-packages.txt)")
    here = Composed(tmp_path_factory.mktemp("composed"))
    try:
        here.postgres.start()
        here.start("server")
        here.site.wait_until_healthy("server")
        done = here.site.run(*here.command("prepare"), timeout=300)
        assert done.returncode == 0, done.stdout
        yield here
    finally:
        here.site.stop()
        here.postgres.stop()


def test_a_scheduled_run_starts_by_itself_and_a_restart_of_the_server_loses_nothing(
    composed: Composed, tmp_path: Path
) -> None:
    """A schedule is asked for; while its run is at work the server is stopped and started again.

    It curates on the profile `dask`: a scheduler and a worker, by the address that the documentation names.
    """
    site, run = composed.site, tmp_path / "run"
    for service in ("dask-scheduler", "dask-worker", "process-worker"):
        composed.start(service)
    (written,) = re.findall(r"`overrides=\[\"(cluster\.address=[^\"]+)\"\]`", (ROOT / "docs/operations.md").read_text())
    address = loopback(written, composed.ports)
    parameters = {"recipe": str(TINY), "overrides": [f"run={run}", "train=null", address]}
    deployment = site.api("deployments/name/curate-and-train/local")
    wanted = {"schedule": {"interval": 20}, "active": True, "max_scheduled_runs": 1, "parameters": parameters}
    schedules = f"deployments/{deployment['id']}/schedules"
    schedule = site.api(schedules, [wanted])[0]
    flow_run = _first_run_of(site, deployment["id"])
    _wait(lambda: (run / "documents").exists(), site)
    site.api(f"{schedules}/{schedule['id']}", {"active": False}, method="PATCH")  # once is enough

    before = _everything(site)
    site.stop("server")
    composed.start("server")
    site.wait_until_healthy("server")
    assert _everything(site) == before
    assert site.ended(flow_run)["type"] == "COMPLETED", site.messages(flow_run)
    assert (run / "report.html").exists()
    assert site.api(f"flow_runs/{flow_run['id']}")["auto_scheduled"]
    assert "Receive client connection" in site.log("dask-scheduler"), "the run's"
    assert site.log("dask-worker").count("Start worker at") == 1


def test_the_database_is_postgresql_and_the_server_asks_for_the_password(composed: Composed) -> None:
    address = composed.variables("server")["PREFECT_SERVER_DATABASE_CONNECTION_URL"].replace("+asyncpg", "")

    async def deployments() -> int:
        connection = await asyncpg.connect(address)
        try:
            return int(await connection.fetchval("select count(*) from deployment"))
        finally:
            await connection.close()

    assert asyncio.run(deployments()) == 9
    with pytest.raises(OSError, match="401"):
        PrefectSite(home=composed.site.home, port=composed.site.port).api("deployments/filter", {})


def test_the_docker_worker_serves_its_pool(composed: Composed) -> None:
    """Without a Docker engine here it cannot start a container, but it does everything up to there."""
    site = composed.site
    composed.start("worker")
    _wait(lambda: [one for one in site.api("work_pools/docker/workers/filter", {}) if one["status"] == "ONLINE"], site)
    flow_run = site.begin("curate-and-train/docker", "data/tiny.yaml", [])
    state = site.ended(flow_run)
    assert state["type"] == "CRASHED"
    assert "docker" in (state["message"] + site.messages(flow_run)).lower()


def test_the_services_say_that_they_are_well(composed: Composed) -> None:
    check = [loopback(word, composed.ports) for word in composed.services["server"]["healthcheck"]["test"][2:]]
    assert composed.site.run("python", *check).returncode == 0
    assert composed.postgres.ready()


def test_no_password_stands_in_a_file_or_a_log(composed: Composed) -> None:
    for path in composed.site.home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [name for name, value in PASSWORDS.items() if value.split(":")[-1].encode() in content], path


def test_without_passwords_nothing_starts() -> None:
    for name in PASSWORDS:
        with pytest.raises(Unset, match=rf"{name}: set it in containers/\.env"):
            read(example() | {other: value for other, value in PASSWORDS.items() if other != name})


def test_the_file_names_only_what_it_has() -> None:
    """Volumes, secrets, services and profiles hang together, and with `prefect.yaml` and the Dockerfile."""
    file = read(example() | PASSWORDS)
    services = file["services"]
    for name, service in services.items():
        assert set(service.get("depends_on", ())) <= services.keys(), name
        named = {volume.partition(":")[0] for volume in service.get("volumes", ()) if not volume.startswith("/")}
        assert named <= file["volumes"].keys(), name
    assert {name for name, service in services.items() if "profiles" in service} == {
        "process-worker",
        "dask-scheduler",
        "dask-worker",
    }
    container = yaml.safe_load((ROOT / "prefect.yaml").read_text())["definitions"]["docker"]["job_variables"]
    mounted = {volume.partition(":")[0] for volume in container["volumes"]}
    assert mounted == {volume["name"] for name, volume in file["volumes"].items() if name != "postgres"}
    assert container["networks"] == [file["networks"]["default"]["name"]]
    dockerfile = (ROOT / "containers" / "Dockerfile").read_text()
    for target in ("cpu", "gpu"):
        assert re.search(rf"^FROM base AS {target}$", dockerfile, flags=re.M)
    used = set(re.findall(r"\$\{(\w+)", FILE.read_text()))
    described = set(re.findall(r"^(?:# )?(\w+)=", (ROOT / "containers" / ".env.example").read_text(), flags=re.M))
    assert used == described


def _wait(until: Any, site: PrefectSite) -> None:
    deadline = time.monotonic() + 500
    while not until():
        assert time.monotonic() < deadline, "\n".join(site.log(name)[-3000:] for name in site.running)
        time.sleep(0.3)


def _first_run_of(site: PrefectSite, deployment: str) -> dict[str, Any]:
    wanted = {"deployments": {"id": {"any_": [deployment]}}, "sort": "EXPECTED_START_TIME_ASC"}
    _wait(lambda: site.api("flow_runs/filter", wanted), site)
    return dict(site.api("flow_runs/filter", wanted)[0])


def _everything(site: PrefectSite) -> str:
    """What a restart must not lose: deployments with their schedules, pools, variables, automations."""
    found = []
    for kind in ("deployments", "work_pools", "variables", "automations"):
        rows = site.api(f"{kind}/filter", {})
        found.append(sorted((row["id"], row["name"], json.dumps(row.get("schedules"))) for row in rows))
    return json.dumps(found)
