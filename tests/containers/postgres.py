"""A real PostgreSQL, as the image of that name starts it: a cluster made from its variables, then its command."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["Postgres", "binaries"]


def binaries() -> Path | None:
    """Where `initdb` and `postgres` lie, or None where they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else Path(path).parent if (path := shutil.which("initdb")) else None


class Postgres:
    """A server on loopback that is gone, with its files, after `stop`.

    Args:
        command: the service's.
        environment: the service's `POSTGRES_…`.
        check: the command of its health check.
        port: to listen on.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], check: Sequence[str], port: int) -> None:
        at = binaries()
        assert at is not None
        self._at = at
        self._user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses root
        self._folder = Path(tempfile.mkdtemp(prefix="curate-and-train-postgres-"))
        if self._user:
            shutil.chown(self._folder, self._user)
        self._port = str(port)
        self._environment = environment
        self._command, self._check = command, check
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        user = self._environment["POSTGRES_USER"]
        secret = self._folder / "password"
        secret.touch(0o600)
        secret.write_text(self._environment["POSTGRES_PASSWORD"])
        if self._user:
            shutil.chown(secret, self._user)
        self._run("initdb", "--auth", "scram-sha-256", "--username", user, "--pwfile", str(secret), "-D", self._data)
        secret.unlink()
        place = ["-h", "127.0.0.1", "-p", self._port, "-k", str(self._folder), "-D", self._data]
        self._process = subprocess.Popen(
            [str(self._at / self._command[0]), *self._command[1:], *place],
            user=self._user,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(300):
            if self.ready():
                break
            time.sleep(0.2)
        self._run("createdb", "-h", "127.0.0.1", "-p", self._port, "-U", user, self._environment["POSTGRES_DB"])

    def ready(self) -> bool:
        """The service's own health check."""
        where = {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": self._port}
        command = [str(self._at / self._check[0]), *self._check[1:]]
        return subprocess.run(command, env=where, stdout=subprocess.DEVNULL, check=False).returncode == 0

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # closes connections, unlike SIGTERM, which waits for them
            self._process.wait(30)
        shutil.rmtree(self._folder)

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    def _run(self, program: str, *arguments: str) -> None:
        environment = {**os.environ, "PGPASSWORD": self._environment["POSTGRES_PASSWORD"]}
        done = subprocess.run(
            [str(self._at / program), *arguments],
            user=self._user,
            env=environment,
            cwd=self._folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
