"""A real Prefect server and a process worker, both gone when the tests end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from tests.conftest import ROOT

_PREFECT = str(Path(sys.executable).with_name("prefect"))
_STARTS_WITHIN = 180.0  # 20 s on an idle machine, most of it the database's migrations
_STOPS_WITHIN = 10.0


@dataclass
class PrefectSite:
    """A server with an SQLite file, and whatever was started beside it."""

    home: Path
    port: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        return mine | {
            "DO_NOT_TRACK": "1",
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "OMP_NUM_THREADS": "1",
            "PREFECT_API_URL": f"http://127.0.0.1:{self.port}/api",
            "PREFECT_HOME": str(self.home),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{self.home}/prefect.db",
            "PREFECT_SERVER_UI_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }

    def start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a `prefect` command in the background, in a process group of its own."""
        with (self.home / f"{name}.log").open("wb") as log:
            started = subprocess.Popen(
                [_PREFECT, *arguments],
                cwd=self.home,  # not the checkout: the deployment must find it by itself
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running.append(started)
        return started

    def prefect(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a `prefect` command in the checkout and return what it printed, both streams together."""
        return subprocess.run(
            [_PREFECT, "--no-prompt", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < deadline:
            assert self.running[0].poll() is None, self.log("server")
            try:
                with urllib.request.urlopen(f"{self.environment['PREFECT_API_URL']}/health", timeout=2):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.25)
        raise AssertionError(f"the server did not answer within {_STARTS_WITHIN:.0f} s:\n{self.log('server')}")

    def stop(self) -> None:
        """End everything that was started and all that it started, the youngest first."""
        for process in reversed(self.running):
            family = [process.pid]
            if process.poll() is None:
                children = psutil.Process(process.pid).children(recursive=True)
                family += [child.pid for child in children]
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(_STOPS_WITHIN)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                _, alive = psutil.wait_procs(children, timeout=_STOPS_WITHIN)
                for left in alive:
                    left.kill()
            assert not [pid for pid in family if psutil.pid_exists(pid) and _is_alive(pid)]


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectSite]:
    """A server, the work pool `local-process`, a worker for it, and the deployments of `prefect.yaml`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    here = PrefectSite(home=tmp_path_factory.mktemp("prefect"), port=port)
    try:
        here.start("server", "server", "start", "--host", "127.0.0.1", "--port", str(port))
        here.wait_until_healthy()
        pool = here.prefect("work-pool", "create", "local-process", "--type", "process")
        assert pool.returncode == 0, pool.stdout
        here.start("worker", "worker", "start", "--pool", "local-process", "--limit", "1")
        deployed = here.prefect("deploy", "--all")
        assert deployed.returncode == 0, deployed.stdout
        yield here
    finally:
        here.stop()
