"""A file is written once or not at all: write beside, fsync, rename, fsync the folder."""

from __future__ import annotations

import fcntl
import glob
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import cannot_write

__all__ = ["TEMPORARY", "atomic_file", "atomic_folder", "remove_temporaries", "sync", "write_json", "write_text"]

TEMPORARY = ".tmp-"
"""Prefix of files and folders that are being written; one that is left over belongs to a killed run."""


@contextmanager
def atomic_file(path: Path, *, synced: bool = True) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it becomes `path`, on failure it is removed.

    Args:
        path: of the file.
        synced: it is on the disk when the block ends; else only a process that is killed leaves it whole, and not a
            machine that loses power.

    Raises:
        MachineError: the disk is full.
    """
    if not os.path.isdir(path.parent):  # to ask is a third of the price of making it in vain
        path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield beside
        if synced:
            sync(beside)
        os.replace(beside, path)
        if synced:
            sync(path.parent)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise cannot_write(error, str(path)) or error from None
        raise


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path` to fill; on success it becomes `path` (replacing an older one).

    The older one is moved aside whole, and removed when the new one stands. A process that is killed between the two
    leaves nothing at `path`, and the older one beside it: whoever writes `path` next puts that back first.

    Raises:
        MachineError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _recover(path)
    home = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    home.mkdir()
    with _held(home):
        beside = home / _NEW
        beside.mkdir()
        try:
            yield beside
            for file in sorted(beside.rglob("*")):
                sync(file)
            sync(beside)
            if path.exists():
                os.replace(path, home / _OLD)
            os.replace(beside, path)
            sync(path.parent)
        except OSError as error:
            raise cannot_write(error, str(path)) or error from None
        finally:
            _put_back(home, path)
            shutil.rmtree(home, ignore_errors=True)


_NEW, _OLD = "new", "old"


def _recover(path: Path) -> None:
    """Put back what a killed process had moved aside of `path`, and remove what it left; leave a living one's alone."""
    for home in path.parent.glob(f"{TEMPORARY}{glob.escape(path.name)}-*"):
        ours = re.fullmatch(r"-\d+-[0-9a-f]{8}", home.name.removeprefix(f"{TEMPORARY}{path.name}"))
        if ours is None or not home.is_dir():
            continue
        try:
            with _held(home) as free:
                if free:
                    _put_back(home, path)
                    shutil.rmtree(home, ignore_errors=True)
        except FileNotFoundError:  # another process was quicker
            continue


def _put_back(home: Path, path: Path) -> None:
    if (home / _OLD).exists() and not path.exists():
        os.replace(home / _OLD, path)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold a folder for this process, and say whether nobody else does; the kernel lets go when a process ends."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another holds it, or the file system has no locks: then nothing is known
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_file(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, keys sorted so that equal values are equal bytes."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def remove_temporaries(folder: Path) -> None:
    """Remove what killed runs left half-written directly in `folder`."""
    for left in folder.glob(f"{TEMPORARY}*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the system write a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
