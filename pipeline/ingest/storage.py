"""Files wherever they lie: local paths, and any URL that fsspec opens (`s3://`, `https://`, `hf://`, `memory://` …)."""

from __future__ import annotations

import errno
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from pipeline.errors import PASSING, InputError, MachineError, ProjectError, StageError

__all__ = ["cannot_reach", "fingerprint_of", "is_remote", "matching", "open_file", "reading", "root_of", "size_of"]

_PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "http": "aiohttp",
    "https": "aiohttp",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "az": "adlfs",
    "abfs": "adlfs",
    "hf": "huggingface_hub",
}
"""Protocol → the package that speaks it; the extra `remote` has those of s3 and https."""

_VERSION_KEYS = ("ETag", "etag", "blob_id", "LastModified", "mtime", "last_commit", "generation", "created")
"""What a store says about a file that changes with its content."""


def is_remote(location: str) -> bool:
    """Whether it is a URL."""
    return "://" in location


def open_file(location: str) -> BinaryIO:
    """Open a file for reading, from any position where the store allows that.

    Raises:
        OSError: it cannot be opened.
        MachineError: the package for its protocol is missing.
    """
    if not is_remote(location):
        return Path(location).open("rb")
    files, path = _filesystem(location)
    return cast(BinaryIO, files.open(path, "rb"))


def size_of(location: str) -> int:
    """Its bytes as it lies there; 0 where the store does not say."""
    if not is_remote(location):
        return os.path.getsize(location)
    files, path = _filesystem(location)
    return int(files.info(path).get("size") or 0)


def fingerprint_of(location: str) -> str | None:
    """What the store of a remote file says about its version, so that nobody must read it; None if that is nothing."""
    if not is_remote(location):
        return None
    files, path = _filesystem(location)
    known = files.info(path)
    said = [f"{key}={known[key]}" for key in _VERSION_KEYS if known.get(key) is not None]
    return ";".join([*said, str(known.get("size"))]) if said else None


def matching(pattern: str) -> list[str]:
    """The files that a path, URL or glob names, in the order of their names.

    Raises:
        StageError: its server cannot be reached.
    """
    if not is_remote(pattern):
        return sorted(path for path in set(glob.glob(pattern, recursive=True)) if os.path.isfile(path))
    try:
        return _remote_matching(pattern)
    except ProjectError:
        raise
    except OSError as error:
        if error.errno not in PASSING:
            raise
        raise cannot_reach(pattern, error) from error
    except Exception as error:  # botocore's and httpx's are no OSErrors
        raise cannot_reach(pattern, error) from OSError(errno.ECONNABORTED, "no answer")


def _remote_matching(pattern: str) -> list[str]:
    files, path = _filesystem(pattern)
    if not _has_magic(pattern):
        try:
            return [pattern] if files.info(path).get("type") == "file" else []
        except FileNotFoundError as error:  # what fsspec says of HTTP whatever went wrong; the cause tells
            if error.__cause__ is None or getattr(error.__cause__, "status", None) in (401, 403, 404, 410):
                return []
            raise cannot_reach(pattern, error.__cause__) from OSError(errno.ECONNABORTED, "no answer")
    found = files.glob(path, detail=True)
    return sorted(files.unstrip_protocol(name) for name, known in found.items() if known.get("type") == "file")


def root_of(pattern: str) -> str:
    """The folders of a glob before its first wildcard; of a plain path its folder."""
    parts = pattern.split("/") if is_remote(pattern) else list(Path(pattern).parts)
    magic = _has_magic if is_remote(pattern) else glob.has_magic
    fixed = next((number for number, part in enumerate(parts) if magic(part)), len(parts) - 1)
    return "/".join(parts[:fixed]) if is_remote(pattern) else str(Path(*parts[:fixed]))


@contextmanager
def reading(location: str) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an error for people; what may pass is left to be tried again.

    Raises:
        InputError: it cannot be read.
    """
    try:
        yield
    except OSError as error:
        if error.errno in PASSING:
            raise
        why = str(error.strerror or error).strip().splitlines()[0]
        if (getattr(getattr(error, "response", None), "status_code", None) or 0) >= 500:
            raise OSError(errno.EIO, why, location) from None
        raise InputError(f"cannot be read: {why}", where=location, mend="check the file and its rights") from None


def cannot_reach(where: str, error: BaseException) -> StageError:
    """The error for a server that does not answer. Raise it from an `OSError` of `PASSING`: trying again may help."""
    status = getattr(error, "status", None)
    lines = str(getattr(error, "strerror", None) or error).strip().splitlines()
    why = f"it answers {status}" if status else f"{type(error).__name__}: {lines[0] if lines else 'no answer'}"
    return StageError(
        f"the server cannot be reached ({why})",
        where=where,
        mend="check the network and the name of the server, and try again; or copy the files here and name their path",
    )


def _has_magic(pattern: str) -> bool:
    return "*" in pattern or "[" in pattern  # a `?` begins the query of a URL


def _filesystem(location: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs

    protocol = location.partition("://")[0]
    try:
        return cast(tuple[Any, str], url_to_fs(location))
    except ImportError:
        package = _PACKAGES.get(protocol, f"fsspec's package for {protocol}")
        extra = " (`pip install 'curate-and-train[remote]'`)" if package in ("s3fs", "aiohttp") else ""
        raise MachineError(
            f"{protocol}:// needs the package {package}, which is not installed",
            where=location,
            mend=f"install {package}{extra}, or copy the files here",
        ) from None
    except ValueError as error:
        raise InputError(
            f"no such protocol: {protocol}://", where=location, mend=f"write a path or another URL ({error})"
        ) from None
