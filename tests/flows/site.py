"""A real Prefect server, and whatever is started beside it; all of it gone when the tests end."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.conftest import ROOT
from tests.processes import children, kill, left

__all__ = ["PrefectSite", "free_port"]

_STARTS_WITHIN = 400.0  # 20 s on an idle machine, most of it the database's migrations
_STOPS_WITHIN = 40.0
_ENDED = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass
class PrefectSite:
    """A server with an SQLite file, and whatever was started beside it.

    Args:
        home: of its files and logs.
        port: where the server listens.
        extra: variables of every process, in place of those that are set here.
    """

    home: Path
    port: int
    extra: Mapping[str, str] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def environment(self) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return {
            **mine,
            # `python`, `prefect` and `dask` are those of the environment that runs the tests.
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DO_NOT_TRACK": "1",
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "OMP_NUM_THREADS": "1",
            "PREFECT_API_URL": self.url,
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self.home}/prefect.db",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            **self.extra,
        }

    def start(
        self, name: str, *command: str, variables: Mapping[str, str] = {}, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a command in the background, in a process group of its own, with variables of its own."""
        with (self.home / f"{name}.log").open("ab") as log:
            started = subprocess.Popen(
                command,
                cwd=cwd or self.home,  # not the checkout: the deployment must find it by itself
                env={**self.environment, **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[name] = started
        return started

    def prefect(self, *arguments: str, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        """Run a `prefect` command in the checkout and return what it printed, both streams together."""
        return self.run("prefect", "--no-prompt", *arguments, timeout=timeout)

    def run(self, *command: str, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout to its end."""
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def api(self, path: str, body: object = None, *, method: str | None = None) -> Any:
        """The server's answer; POST with a body, else GET."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Prefect-Csrf-Client": "test"},
            method=method,
        )
        if password := self.environment.get("PREFECT_API_AUTH_STRING"):
            request.add_header("Authorization", f"Basic {base64.b64encode(password.encode()).decode()}")
        for _ in range(20):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    text = answer.read()
                return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                # SQLite is busy, or the database did not answer in time: ask again, as Prefect's own client does.
                if error.code not in (500, 503):
                    raise
                time.sleep(0.5)
        raise AssertionError(f"{path}: the database is busy\n{self.log('server')}")

    def begin(self, deployment: str, recipe: str, overrides: Sequence[str], **job_variables: object) -> dict[str, Any]:
        """Ask for a flow run of `flow/deployment` and return it."""
        found = self.api(f"deployments/name/{deployment}")
        body = {
            "parameters": {"recipe": recipe, "overrides": list(overrides)},
            "job_variables": {**found["job_variables"], **job_variables},
            "state": {"type": "SCHEDULED"},
        }
        return dict(self.api(f"deployments/{found['id']}/create_flow_run", body))

    def state(self, run: Mapping[str, Any]) -> dict[str, Any]:
        return dict(self.api(f"flow_runs/{run['id']}")["state"])

    def ended(self, run: Mapping[str, Any], *, timeout: float = 600) -> dict[str, Any]:
        """The state in which a flow run ended."""
        deadline = time.monotonic() + timeout
        while (state := self.state(run))["type"] not in _ENDED:
            assert time.monotonic() < deadline, f"{state}\n{self.log('worker')}"
            time.sleep(1)  # the server pays for every question
        return state

    def messages(self, run: Mapping[str, Any], *, until: str = "") -> str:
        """What a flow run has logged, as the server has it; it arrives late, so wait a while for `until`."""
        wanted = {"logs": {"flow_run_id": {"any_": [run["id"]]}}, "sort": "TIMESTAMP_ASC"}
        deadline = time.monotonic() + 30
        while True:
            text = "\n".join(line["message"] for line in self.api("logs/filter", wanted))
            if until in text or time.monotonic() > deadline:
                return text
            time.sleep(1)

    def artifact(self, key: str) -> Any:
        return self.api(f"artifacts/{key}/latest")

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def wait_until_healthy(self, name: str = "server") -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < deadline:
            assert self.running[name].poll() is None, self.log(name)
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.25)
        raise AssertionError(f"the server did not answer within {_STARTS_WITHIN:.0f} s:\n{self.log(name)}")

    def stop(self, *names: str) -> None:
        """End what was started (all of it, without names) and all that it started, the youngest first."""
        for name in names or list(reversed(self.running)):
            process = self.running.pop(name)
            family = [psutil.Process(process.pid), *children(process.pid)] if process.poll() is None else []
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(_STOPS_WITHIN)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            kill(left(family[1:], _STOPS_WITHIN))
            assert left(family, _STOPS_WITHIN) == [], name


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
