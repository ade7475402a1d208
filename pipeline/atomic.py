"""A file is written once or not at all: write beside, fsync, rename, fsync the folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import cannot_write

__all__ = ["TEMPORARY", "atomic_file", "atomic_folder", "remove_temporaries", "write_json", "write_text"]

TEMPORARY = ".tmp-"
"""Prefix of files and folders that are being written; one that is left over belongs to a killed run."""


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; on success it becomes `path`, on failure it is removed.

    Raises:
        MachineError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    try:
        yield beside
        _sync(beside)
        os.replace(beside, path)
        _sync(path.parent)
    except OSError as error:
        raise cannot_write(error, str(path)) or error from None
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path` to fill; on success it becomes `path` (replacing an older one).

    Raises:
        MachineError: the disk is full.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{TEMPORARY}{path.name}-{os.getpid()}-{secrets.token_hex(4)}")
    beside.mkdir()
    try:
        yield beside
        for file in sorted(beside.rglob("*")):
            _sync(file)
        _sync(beside)
        if path.exists():
            shutil.rmtree(path)
        os.replace(beside, path)
        _sync(path.parent)
    except OSError as error:
        raise cannot_write(error, str(path)) or error from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


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


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
