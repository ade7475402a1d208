"""Can this machine run the pipeline? One line a check; the output is also what a bug report needs.

Nothing heavy is imported here: torch is asked in a process of its own, which may crash without taking the
answer with it, and Prefect only over HTTP.
"""

from __future__ import annotations

import json
import locale
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from packaging.requirements import Requirement

from pipeline.addresses import without_secrets
from pipeline.gpus import choose, needs
from pipeline.host_memory import available_memory, total_memory

__all__ = ["Check", "examine"]

_DISTRIBUTION = "curate-and-train"
_LEAST_MEMORY = 4 << 30
_LEAST_DISK = 2 << 30
_LEAST_SHARED = 64 << 20
"""What Docker gives /dev/shm by default."""

_TORCH = """
import json, torch
devices = [
    {"name": p.name, "memory": p.total_memory, "capability": f"{p.major}.{p.minor}"}
    for p in map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
]
print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "devices": devices,
                  "gloo": torch.distributed.is_gloo_available(), "nccl": torch.distributed.is_nccl_available()}))
"""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at. `info` cannot fail, `warn` may bite, `fail` will."""

    name: str
    state: Literal["ok", "info", "warn", "fail"]
    found: str
    mend: str = ""


def examine(folder: Path) -> Iterator[Check]:
    """Yield every check; `folder` is where runs will be written."""
    yield _python()
    yield from _packages()
    yield _cores()
    yield _memory()
    yield _disk(folder)
    yield _writable(folder)
    yield _shared_memory()
    yield from _torch()
    yield from _curation()
    yield _encoding()
    yield _prefect()


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.release()} {platform.machine()}"
    return Check(name="python", state="ok", found=found)


def _packages() -> Iterator[Check]:
    """Installed versions against the requirements of the installed project."""
    try:
        requirements = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Check(name="packages", state="fail", found=f"{_DISTRIBUTION} is not installed", mend="run `make setup`")
        return
    for line in requirements:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name = f"package {requirement.name}"
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield Check(name=name, state="fail", found="not installed", mend="run `make setup`")
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield Check(name=name, state="ok", found=version)
        else:
            mend = f"needs {requirement.specifier}: run `make setup`"
            yield Check(name=name, state="fail", found=version, mend=mend)


def _cores() -> Check:
    cores = len(os.sched_getaffinity(0))
    quota = _first_line(Path("/sys/fs/cgroup/cpu.max")).split()
    if len(quota) == 2 and quota[0].isdigit() and (allowed := int(quota[0]) / int(quota[1])) < cores:
        mend = f"set cluster.workers: {max(1, int(allowed))}, for `auto` starts {cores}"
        return Check(name="cores", state="warn", found=f"{cores}, of which a quota allows {allowed:.1f}", mend=mend)
    return Check(name="cores", state="ok", found=str(cores))


def _memory() -> Check:
    total = total_memory()
    found = f"{_size(total)}, {_size(available_memory())} available"
    if total < _LEAST_MEMORY:
        mend = "lower ingest.part_bytes and cluster.workers"
        return Check(name="memory", state="warn", found=found, mend=mend)
    return Check(name="memory", state="ok", found=found)


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{_size(free)} free at {folder}"
    if free < _LEAST_DISK:
        return Check(name="disk", state="warn", found=found, mend="point `run:` at a disk with more room")
    return Check(name="disk", state="ok", found=found)


def _writable(folder: Path) -> Check:
    """Write, sync and rename, as every part of a run is written."""
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as trial:
            beside = Path(trial) / "beside"
            with beside.open("wb") as stream:
                stream.write(b"x")
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(beside, Path(trial) / "part")
    except OSError as error:
        mend = "run from a folder that you may write to"
        return Check(name="write access", state="fail", found=f"{folder}: {error.strerror}", mend=mend)
    return Check(name="write access", state="ok", found=str(folder))


def _shared_memory() -> Check:
    if not Path("/dev/shm").is_dir():
        return Check(name="/dev/shm", state="warn", found="missing", mend="ranks on one machine may need it")
    size = shutil.disk_usage("/dev/shm").total
    if size <= _LEAST_SHARED:
        mend = "start the container with --shm-size=8g where several GPUs train"
        return Check(name="/dev/shm", state="warn", found=_size(size), mend=mend)
    return Check(name="/dev/shm", state="ok", found=_size(size))


def _torch() -> Iterator[Check]:
    command = [sys.executable, "-c", _TORCH]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        yield Check(name="torch", state="fail", found=f"does not start: {last}", mend="run `make setup`")
        return
    except (subprocess.TimeoutExpired, ValueError) as error:
        yield Check(
            name="torch", state="fail", found=f"does not answer: {type(error).__name__}", mend="run `make setup`"
        )
        return
    backends = [name for name in ("gloo", "nccl") if found[name]]
    cuda = f"CUDA {found['cuda']}" if found["cuda"] else "CPU build"
    yield Check(name="torch", state="ok", found=f"{found['version']} ({cuda}; {', '.join(backends) or 'no backend'})")
    for number, device in enumerate(found["devices"]):
        shown = f"{device['name']}, {_size(device['memory'])}, compute capability {device['capability']}"
        yield Check(name=f"cuda:{number}", state="ok", found=shown)
    if not found["devices"]:
        yield Check(name="cuda", state="info", found="no device: `device: auto` trains on the CPU")


def _curation() -> Iterator[Check]:
    """What GPUs need to curate, and what `device: auto` makes of it."""
    every = needs()
    there = all(need.met for need in every if need.name in ("driver", "device"))
    for need in every:
        if need.met:
            yield Check(name=f"GPU curation: {need.name}", state="ok", found=need.found)
        else:  # half a stack is a mistake; none is a machine without a GPU
            state: Literal["warn", "info"] = "warn" if there else "info"
            yield Check(name=f"GPU curation: {need.name}", state=state, found=need.found, mend=need.mend)
    choice = choose("auto")
    yield Check(name="curation", state="ok", found=f"`device: auto` curates on {choice.device}: {choice.why}")


def _encoding() -> Check:
    names = {sys.getfilesystemencoding(), locale.getpreferredencoding(False), str(sys.stdout.encoding)}
    found = ", ".join(sorted(name.lower() for name in names))
    if {name.lower().replace("-", "") for name in names} - {"utf8"}:
        mend = "set LC_ALL=C.UTF-8 (or PYTHONUTF8=1)"
        return Check(name="encoding", state="warn", found=found, mend=mend)
    return Check(name="encoding", state="ok", found=found)


def _prefect() -> Check:
    """Only `prefect deployment run` needs a server, so this never fails."""
    url = os.environ.get("PREFECT_API_URL", "http://127.0.0.1:4200/api").rstrip("/")
    shown = without_secrets(url)
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=3) as answer:
            healthy = answer.status == 200
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "reason", error))
        mend = "for deployments: `prefect server start`, then set PREFECT_API_URL"
        return Check(
            name="Prefect API", state="info", found=f"no answer at {shown} ({without_secrets(reason)})", mend=mend
        )
    return Check(name="Prefect API", state="ok" if healthy else "info", found=f"answers at {shown}")


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"
