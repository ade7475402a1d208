"""Run what a model wrote: a process of its own with limits on time, memory, files, processes and network.

Where the kernel allows namespaces (Linux, unprivileged) the program is alone in them: no network, not even loopback; no
process of outside; every file system read-only, home folders and temporary folders empty; 16 MiB of its own in memory.
Everywhere: a clean environment, no standard input, output thrown away, no core file, and limits on processor time,
time on the clock, address space, file size, open files and processes. When it ends, or is ended, all that it started
ends with it.

What it does not protect from: a defect of the kernel (it is no virtual machine); reading files outside home folders
that everyone, or the user who runs it, may read; use of processor and memory within the limits; a program hostile to
its *tests*, which it shares a process with, and so may declare itself passed.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pipeline.errors import MachineError
from pipeline.evaluate.jail import NO_FILTER, NO_NAMESPACES, NOT_STARTED

__all__ = ["passes", "run"]

_CLOCK = 3
"""Seconds on the clock for each of processor time: a busy machine must not fail an answer."""
_DISK_MB = 16
_PROCESSES = 32
_OPEN_FILES = 64

_REFUSALS = {
    NO_NAMESPACES: (
        "the kernel refuses unprivileged namespaces",
        "allow them (sysctl kernel.unprivileged_userns_clone=1; a container needs a seccomp profile that lets "
        "`unshare` and `mount` pass), or leave evaluate.unit_tests out",
    ),
    NO_FILTER: (
        f"no seccomp filter is known, or allowed, on {platform.machine()}",
        "evaluate on x86_64 or aarch64, with a kernel that has CONFIG_SECCOMP_FILTER, or leave evaluate.unit_tests out",
    ),
    NOT_STARTED: (
        "a program could not be started in it",
        "look whether processes, memory and /tmp are short here, or leave evaluate.unit_tests out",
    ),
}

_LONGEST = 1 << 20
"""Characters of a program; a longer one is not run."""


def passes(program: str, *, seconds: float, memory_mb: int) -> bool:
    """Whether a Python program runs to its end, and not merely ends with code 0: it might have left before its tests.

    Args:
        program: its text; the standard library alone is there.
        seconds: of processor time; three times as much on the clock.
        memory_mb: address space.

    Raises:
        MachineError: the machine allows no namespaces, or no filter of calls.
    """
    token = secrets.token_hex(16)
    with _pipe() as (reading, writing):
        # Under another name than any that the program uses; the descriptor is the only thing that is inherited.
        end = f"\n\n__import__('os').write({writing}, b'{token}')\n"
        code = run(
            [_interpreter(), "-I", "-B", "main.py"],
            {"main.py": program + end},
            seconds=seconds,
            memory_mb=memory_mb,
            keep=[writing],
        )
        with contextlib.suppress(BlockingIOError):
            return code == 0 and os.read(reading, 1 << 16).endswith(token.encode())
        return False


def run(
    argv: Sequence[str],
    files: Mapping[str, str],
    *,
    seconds: float,
    memory_mb: int,
    keep: Sequence[int] = (),
    required: bool = True,
) -> int:
    """Run a command in the sandbox and return its exit code: 128 + the signal that ended it, -1 where time ran out.

    Args:
        argv: the command; its first word is a path.
        files: texts that lie in its working directory, by name.
        seconds: of processor time; three times as much on the clock.
        memory_mb: address space.
        keep: file descriptors that it inherits.
        required: whether to refuse where there are no namespaces. Without, the limits and the clean environment stay.

    Raises:
        MachineError: there are none, or no filter of calls, and they are required.
    """
    if sum(map(len, files.values())) > _LONGEST:
        return -1
    with tempfile.TemporaryDirectory(prefix="curate-and-train-") as folder, _pipe() as (refused, refusing):
        os.chmod(folder, 0o777)  # the program may run as another user
        job = {
            "argv": list(argv),
            "files": dict(files),
            "folder": folder,
            "required": required,
            "disk_mb": _DISK_MB,
            "hidden": _hidden(),
            "bind": _bind(),
            "refusal": refusing,
            "number": os.getpid() * 131 + secrets.randbelow(1 << 20),
            "limits": {
                "RLIMIT_CPU": max(1, round(seconds)),
                "RLIMIT_AS": memory_mb << 20,
                "RLIMIT_FSIZE": _DISK_MB << 20,
                "RLIMIT_NOFILE": _OPEN_FILES,
                "RLIMIT_NPROC": _PROCESSES,
                "RLIMIT_CORE": 0,
            },
        }
        refusal = b""
        process = subprocess.Popen(
            [_interpreter(), "-I", "-B", "-c", _jail()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            start_new_session=True,
            pass_fds=[*keep, refusing],
        )
        try:
            process.communicate(json.dumps(job).encode(), timeout=_CLOCK * seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            code = -1
        finally:
            # The jail dies, and the kernel kills what it started: its child by the death signal, and, as that was the
            # first process of its namespace, all others. Without namespaces the group is what can be reached.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        with contextlib.suppress(BlockingIOError):
            refusal = os.read(refused, 64)
    if refusal:
        what, mend = _REFUSALS[refusal]
        raise MachineError(f"this machine allows no sandbox: {what}", where="evaluate.unit_tests", mend=mend)
    return code


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    """Descriptors to read from, without waiting, and to write to."""
    reading, writing = os.pipe()
    try:
        os.set_blocking(reading, False)
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


def _jail() -> str:
    return Path(__file__).with_name("jail.py").read_text(encoding="utf-8")


def _interpreter() -> str:
    """The interpreter without the virtual environment: the program gets the standard library only."""
    return os.path.realpath(getattr(sys, "_base_executable", sys.executable))


def _hidden() -> list[str]:
    """Places that are covered: home folders, and where this process works."""
    return sorted({"/root", "/home", "/run", "/var/tmp", "/dev/shm", str(Path.home()), os.getcwd()} - {"/", "/tmp"})


def _bind() -> str | None:
    """The interpreter's installation, if it lies in one of them."""
    own = Path(_interpreter()).parents[1]
    return str(own) if any(own.is_relative_to(place) for place in _hidden()) else None
