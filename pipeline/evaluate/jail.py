"""What runs a program in a sandbox. Started with `python -I -c <this text>` and a JSON job on standard input.

It knows the standard library alone. The order matters: namespaces, mounts and limits are taken while this process still
may, and the last steps, another user and `exec`, give up every right that was needed for them.
"""

import ctypes
import json
import os
import pathlib
import resource
import signal
import struct
import sys
from typing import NoReturn

_NEWNS, _NEWIPC, _NEWUTS = 0x00020000, 0x08000000, 0x04000000
_NEWUSER, _NEWPID, _NEWNET = 0x10000000, 0x20000000, 0x40000000
_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _READ_ONLY = 442, -100, 0x8000, 1
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_PRIVATE = 2, 4, 8, 4096, 1 << 18
_PDEATHSIG, _NO_NEW_PRIVS, _SECCOMP, _FILTER = 1, 38, 22, 2
_UNCOUNTED = {
    "x86_64": (0xC000003E, (29, 64, 68, 165, 319, 430)),
    "aarch64": (0xC00000B7, (194, 190, 186, 40, 279, 430)),
}
"""Machine → its number in the kernel's audit, and there: shmget, semget, msgget, mount, memfd_create, fsopen. What they
make is memory that no limit of a process counts; a loop of them would take all that the machine has."""
_STRANGERS = range(60_000, 65_000)
"""Users that nobody is: the kernel counts processes by user, and does not hold root to any number."""

NO_NAMESPACES = b"namespaces"
NO_FILTER = b"filter"
NOT_STARTED = b"start"
"""Goes into the pipe `refusal` where the kernel allows no namespaces; or takes no filter of calls, or none is known for
this kind of machine; or the program could not be started for another reason.
Not an exit code: programs may end with any."""

PYTHON = "/tmp/.python"
"""Where the interpreter's installation is seen inside, if it lies in a place that is covered."""


def main() -> int:
    """Run the program that standard input describes and exit with its code, or 128 + the signal that ended it."""
    job = json.load(sys.stdin)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    user, group, root = os.getuid(), os.getgid(), os.getuid() == 0
    own_user = 0 if root else _NEWUSER
    isolated = libc.unshare(own_user | _NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS) == 0
    os.set_inheritable(job["refusal"], False)  # the program has none of it
    if not isolated and job["required"]:
        _refuse(job, NO_NAMESPACES)
    if isolated and not root:  # who is not mapped cannot own a file
        try:
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                pathlib.Path(f"/proc/self/{name}").write_text(text)
        except OSError:  # namespaces without rights in them: AppArmor, on some systems
            _refuse(job, NO_NAMESPACES)
    child = os.fork()
    if child == 0:
        try:
            libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _enter(libc, job, root, isolated)
        finally:  # `exec` does not return
            if job["required"]:  # an answer must not be blamed for what failed before it
                _refuse(job, NOT_STARTED)
            os._exit(1)
    return _ended(child)


def _enter(libc: ctypes.CDLL, job: dict, root: bool, isolated: bool) -> None:  # type: ignore[type-arg]
    folder = "/tmp" if isolated else job["folder"]
    if isolated:
        _shut(libc, job)
    os.chdir(folder)
    for name, text in job["files"].items():
        pathlib.Path(name).write_text(text, encoding="utf-8", errors="replace")
    for limit, value in job["limits"].items():
        resource.setrlimit(getattr(resource, limit), (value, value))
    if isolated and (program := os.fork()):
        # The first process of a namespace cannot be killed from within, so not by its limits either: it only waits.
        os._exit(_ended(program))
    if root:
        stranger = _STRANGERS[job["number"] % len(_STRANGERS)]
        os.setgroups([])
        os.setresgid(stranger, stranger, stranger)
        os.setresuid(stranger, stranger, stranger)
    libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)  # forgotten when the user changes
    libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    if not _refuse_uncounted(libc) and job["required"]:
        _refuse(job, NO_FILTER)
    argv = job["argv"]
    if isolated and job["bind"]:
        argv = [word.replace(job["bind"], PYTHON, 1) for word in argv]
    os.execve(argv[0], argv, {"PATH": "/usr/bin:/bin", "HOME": folder, "LANG": "C.UTF-8"})


def _refuse_uncounted(libc: ctypes.CDLL) -> bool:
    """Have the kernel refuse (EPERM) the calls of `_UNCOUNTED`, and every call of another instruction set; or False."""
    if os.uname().machine not in _UNCOUNTED:
        return False
    audit, calls = _UNCOUNTED[os.uname().machine]
    load, equal, at_least, give, allowed, refused = 0x20, 0x15, 0x35, 0x06, 0x7FFF0000, 0x00050001
    # Classic BPF: operation, instructions to skip if true and if false, operand. The call's number is at 0, what it is
    # a number of at 4; from 1 << 30 on they are x32's.
    steps = [(load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, refused), (load, 0, 0, 0), (at_least, 0, 1, 1 << 30)]
    steps.append((give, 0, 0, refused))
    for call in calls:
        steps += [(equal, 0, 1, call), (give, 0, 0, refused)]
    steps.append((give, 0, 0, allowed))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(steps), ctypes.addressof(code)))
    return int(libc.prctl(_SECCOMP, _FILTER, program, 0, 0)) == 0


def _shut(libc: ctypes.CDLL, job: dict) -> None:  # type: ignore[type-arg]
    """Every file system read-only; empty ones, in memory, over the places of people and of temporary files."""
    attributes = (ctypes.c_uint64 * 4)(_READ_ONLY, 0, _MS_PRIVATE, 0)  # private: nothing is seen outside
    _must(job, libc.syscall(_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, ctypes.byref(attributes), 32))
    flags = _MS_NOSUID | _MS_NODEV
    # Where the container masks parts of /proc this is refused; then it is the one of outside, read-only.
    libc.mount(b"proc", b"/proc", b"proc", flags | _MS_NOEXEC, None)
    size = f"size={job['disk_mb']}m,nr_inodes=1024,mode=777".encode()
    _must(job, libc.mount(b"tmpfs", b"/tmp", b"tmpfs", flags, size))
    if job["bind"]:
        os.mkdir(PYTHON)
        _must(job, libc.mount(job["bind"].encode(), PYTHON.encode(), None, _MS_BIND, None))
    for place in job["hidden"]:
        if os.path.isdir(place):
            _must(job, libc.mount(b"tmpfs", place.encode(), b"tmpfs", flags, b"size=64k,nr_inodes=2,mode=755"))


def _ended(child: int) -> int:
    status = os.waitpid(child, 0)[1]
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _must(job: dict, result: int) -> None:  # type: ignore[type-arg]
    if result != 0:
        _refuse(job, NO_NAMESPACES)


def _refuse(job: dict, what: bytes) -> NoReturn:  # type: ignore[type-arg]
    os.write(job["refusal"], what)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
