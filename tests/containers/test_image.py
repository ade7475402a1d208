"""`containers/Dockerfile`, built for real by buildah, and a tiny recipe run in the image; `make test-image`.

No engine runs where tests do, and no registry may be reached: buildah builds with chroot isolation, and a Debian made
by debootstrap stands in for the public base through the build argument. It takes minutes, so it is one test, and not
one of `make test`.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest
from packaging.utils import canonicalize_name

from pipeline.run import Manifest
from tests.conftest import ROOT, TINY, run_command
from tests.processes import alive, children, command, kill, left

pytestmark = [pytest.mark.image, pytest.mark.timeout(5400)]

TOKEN = "this-token-of-an-index-must-not-stay-in-the-image"
MIRROR = "http://deb.debian.org/debian"


class Buildah:
    """Images and containers in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._storage = ["--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]

    def command(self, *arguments: str) -> list[str]:
        return ["buildah", *self._storage, *arguments]

    def __call__(self, *arguments: str, fails: int = 0) -> str:
        done = subprocess.run(self.command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == fails, f"{' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout


@dataclass(frozen=True)
class Container:
    """A container of the image, its runs in a folder of this machine."""

    buildah: Buildah
    name: str
    runs: Path
    entry: list[str]

    def command(self, *words: str) -> list[str]:
        place = ["--isolation", "chroot", "--user", "app", "--volume", f"{self.runs}:/app/runs"]
        return self.buildah.command("run", *place, self.name, "--", *words)

    def __call__(self, *words: str, fails: int = 0) -> str:
        done = subprocess.run(self.command(*words), capture_output=True, text=True, check=False)
        assert done.returncode == fails, f"{words}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[str]:
        """The image's entry point with a command, in the background."""
        command = self.command(*self.entry, *words)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def buildah(tmp_path: Path) -> Iterator[Buildah]:
    missing = [program for program in ("buildah", "debootstrap") if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"needs root and {', '.join(missing) or 'nothing else'}: apt-get install buildah debootstrap")
    here = Buildah(tmp_path)
    yield here
    here("rm", "--all")
    here("rmi", "--all", "--force")


def test_the_cpu_image_builds_and_runs_a_recipe(buildah: Buildah, tmp_path: Path) -> None:
    began = time.monotonic()
    build(buildah, tmp_path)
    took = time.monotonic() - began
    config = json.loads(buildah("inspect", "--type", "image", "curate-and-train:cpu"))["Docker"]
    check_configuration(config)

    runs = tmp_path / "runs"
    runs.mkdir()
    shutil.chown(runs, 10001, 10001)
    name = buildah("from", "curate-and-train:cpu").strip()
    inside = Container(buildah, name, runs, config["config"]["Entrypoint"])
    root = Path(buildah("mount", name).strip())
    print(f"the image: {size(root) / 1e9:.2f} GB, built in {took / 60:.0f} minutes")

    assert inside("id", "-u").strip() == "10001"
    check_versions(inside("pip", "freeze", "--disable-pip-version-check", "--exclude-editable"))
    check_health(inside, config["config"]["Healthcheck"]["Test"][1:])
    check_secrets(config, root)
    check_runs(inside, tmp_path)
    check_preemption(inside)


def size(root: Path) -> int:
    """Bytes of files."""
    return sum(path.lstat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def check_health(inside: Container, check: Sequence[str]) -> None:
    """Well without a server, and with one that answers; not well when its server does not."""
    inside(*check)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        inside("env", f"PREFECT_API_URL=http://127.0.0.1:{port}/api", *check, fails=1)
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        inside("env", f"PREFECT_API_URL=http://127.0.0.1:{server.server_port}/api", *check)
        server.shutdown()


class Healthy(BaseHTTPRequestHandler):
    """Answers as a Prefect server does."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def check_runs(inside: Container, folder: Path) -> None:
    """A tiny recipe to its end; the same rows outside make the same files, with the same bytes."""
    rows = "".join(json.dumps({"input": f"What is {n} + {n}?", "output": f"It is {2 * n}."}) + "\n" for n in range(200))
    (inside.runs / "sums.jsonl").write_text(rows)
    source = "{name: sums, kind: pair, format: completion, path: %s}"
    keys = ["curate.rules.preset=none", "curate.dedup.fuzzy=null"]
    at = ["run=runs/tiny", f"sources=[{source % 'runs/sums.jsonl'}]"]
    # As outside: the bits of a sum depend on the number of threads.
    inside("env", "OMP_NUM_THREADS=1", *inside.entry, "curate-and-train", "run", "data/tiny.yaml", *at, *keys)
    here, there = folder / "outside", inside.runs / "tiny"
    assert (there / "report.html").stat().st_uid == 10001
    at = [f"run={here}", f"sources=[{source % (inside.runs / 'sums.jsonl')}]"]
    done = run_command(["run", str(TINY), *at, *keys], timeout=1200)
    assert done.returncode == 0, done.stderr
    assert files(there) == files(here)
    for name in ("curated", "tokenizer", "packed", "checkpoints", "evaluation"):
        inner, outer = Manifest.read(there / name), Manifest.read(here / name)
        assert inner is not None
        assert outer is not None
        assert inner.content == outer.content, name


def files(root: Path) -> set[str]:
    """Every file of a run but the lock's and those of the moment."""
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith((".", "logs/"))}


def check_preemption(inside: Container) -> None:
    """SIGTERM to the container's process while it trains: 75, a checkpoint, nobody left; the next run goes on."""
    run = inside.runs / "stopped"
    words = ["curate-and-train", "run", "data/tiny.yaml", "run=runs/stopped", "train.steps=1000000"]
    saved = 0
    for _ in range(2):
        started = inside.start(*words, "train.checkpoint_every=1000000")
        try:
            deadline = time.monotonic() + 1200
            while max(steps(run), default=0) < saved + 3:
                assert started.poll() is None, started.communicate()[0]
                assert time.monotonic() < deadline, "it does not train"
                time.sleep(0.2)
            family = alive(children(started.pid))
            first = next(one for one in family if one.name() == "tini")
            assert first.uids().real == 10001
            assert sum("pipeline.train" in command(one) for one in family) >= 3, "an agent and two ranks"
            first.terminate()
            said, _ = started.communicate(timeout=60)
            assert started.returncode == 75, said
            assert left(family, within=60) == []
        finally:
            if started.poll() is None:
                kill([*children(started.pid), psutil.Process(started.pid)])
                started.communicate()
        before, saved = saved, max(int(path.parent.name[5:]) for path in run.glob("checkpoints/step-*/state.json"))
        assert saved > before
    assert steps(run) == list(range(1, saved + 1)), "the second went on where the first was stopped"


def steps(run: Path) -> list[int]:
    journal = run / "logs" / "train.jsonl"
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [json.loads(line)["step"] for line in lines if line.endswith("}")]


def build(buildah: Buildah, folder: Path) -> None:
    """Debian for a base, then the Dockerfile with an index configured as this environment's pip is."""
    base = folder / "base"
    packages = "ca-certificates,python3,python3-venv"
    done = subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", str(base), MIRROR],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    container = buildah("from", "scratch").strip()
    buildah("copy", "--quiet", container, str(base), "/")
    buildah("commit", "--quiet", "--rm", container, "localhost/base")
    shutil.rmtree(base)
    secret, places = pip_configuration(folder)
    buildah(
        *("build", "--isolation", "chroot", "--network", "host", "--format", "docker"),
        *("--target", "cpu", "--build-arg", "BASE=localhost/base", "--tag", "curate-and-train:cpu"),
        *("--secret", f"id=pip,src={secret}"),
        *(word for place in places for word in ("--volume", f"{place}:{place}:ro")),
        *("--file", "containers/Dockerfile", "."),
    )


def pip_configuration(folder: Path) -> tuple[Path, list[str]]:
    """What pip is told here, as one file with a token in it, and the folders of this machine that it names."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = dict(re.findall(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", listed, flags=re.M))
    parser = configparser.RawConfigParser()
    parser["global"] = settings
    path = folder / "pip.conf"
    with path.open("w") as stream:
        stream.write(f"# {TOKEN}\n")
        parser.write(stream)
    words = [word for value in settings.values() for word in value.split()]
    indexes = [Path(word.removeprefix("file://")).parent for word in words if word.startswith("file://")]
    paths = [Path(word) for word in words if word.startswith("/")]
    places = {*indexes, *(place if place.is_dir() else place.parent for place in paths)}
    return path, sorted(str(place) for place in places if place.is_dir())


def check_configuration(config: dict[str, Any]) -> None:
    assert config["config"]["User"] == "app"
    assert config["config"]["Entrypoint"] == ["/usr/bin/tini", "--"]
    assert config["config"]["Healthcheck"]["Test"] == ["CMD", "python", "-m", "flows.health"]
    assert config["config"]["WorkingDir"] == "/app"


def check_versions(frozen: str) -> None:
    """Everything installed is of the version that the lock states."""
    lock = (ROOT / "requirements.lock").read_text()
    locked = {canonicalize_name(name): version for name, version in re.findall(r"^([\w.-]+)==(\S+)$", lock, flags=re.M)}
    found = re.findall(r"^([\w.-]+)==([^+\s]+)", frozen, flags=re.M)
    installed = {canonicalize_name(name): version for name, version in found}
    assert len(installed) > 60
    assert {name: version for name, version in installed.items() if locked.get(name) != version} == {}


def check_secrets(config: dict[str, Any], root: Path) -> None:
    assert TOKEN not in json.dumps(config)
    found = subprocess.run(
        ["grep", "--recursive", "--files-with-matches", "--fixed-strings", "--devices=skip", TOKEN, str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
