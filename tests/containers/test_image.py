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
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]

TOKEN = "this-token-of-an-index-must-not-stay-in-the-image"
MIRROR = "http://deb.debian.org/debian"


class Buildah:
    """Images and containers in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._storage = ["--root", str(folder / "store"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]

    def __call__(self, *arguments: str, fails: int | None = None) -> str:
        done = subprocess.run(
            ["buildah", *self._storage, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == (fails or 0), f"{' '.join(arguments)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        return done.stdout


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
    build(buildah, tmp_path)
    config = json.loads(buildah("inspect", "--type", "image", "curate-and-train:cpu"))["Docker"]
    check_configuration(config)

    container = buildah("from", "curate-and-train:cpu").strip()
    runs = tmp_path / "runs"
    runs.mkdir()
    shutil.chown(runs, 10001, 10001)

    def inside(*command: str, fails: int | None = None) -> str:
        place = ["--isolation", "chroot", "--user", "app", "--volume", f"{runs}:/app/runs"]
        return buildah("run", *place, container, "--", *command, fails=fails)

    assert inside("id", "-u").strip() == "10001"
    check_versions(inside("pip", "freeze", "--disable-pip-version-check", "--exclude-editable"))
    inside(*config["config"]["Healthcheck"]["Test"][1:])

    entry = config["config"]["Entrypoint"]
    inside(*entry, "curate-and-train", "run", "data/tiny.yaml", "run=runs/tiny")
    assert (runs / "tiny" / "report.html").stat().st_uid == 10001
    assert json.loads((runs / "tiny" / "evaluation" / "metrics.json").read_text())["test"]["loss"]["after"]

    # SIGTERM to the container's init, in the middle of a training: a checkpoint, and the code that asks for a retry.
    again = ["curate-and-train", "run", "data/tiny.yaml", "run=runs/tiny", "train.steps=1000000"]
    for _ in range(2):
        inside("timeout", "--preserve-status", "--signal", "TERM", "60", *entry[:1], "-s", *entry[1:], *again, fails=75)
    steps = [json.loads(line)["step"] for line in (runs / "tiny" / "logs" / "train.jsonl").read_text().splitlines()]
    assert steps == list(range(1, len(steps) + 1)), "the second run went on where the first was stopped"

    check_secrets(config, Path(buildah("mount", container).strip()))


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
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "requirements.lock").read_text(), flags=re.M))
    installed = dict(re.findall(r"^([\w.-]+)==([^+\s]+)", frozen, flags=re.M))
    assert len(installed) > 60
    names = {name.lower().replace("_", "-"): version for name, version in installed.items()}
    assert {name: version for name, version in names.items() if locked.get(name) != version} == {}


def check_secrets(config: dict[str, Any], root: Path) -> None:
    assert TOKEN not in json.dumps(config)
    found = subprocess.run(
        ["grep", "--recursive", "--files-with-matches", "--fixed-strings", "--devices=skip", TOKEN, str(root)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stdout == ""
