"""The tree of errors. Each says what is wrong, where, and how to mend it.

    ProjectError             exit code 1
    ├── RecipeError          2   the recipe is wrong; retrying cannot help
    ├── InputError           2   the data, a model or a tokenizer is wrong or missing
    ├── RunDirectoryError    2   the run directory is another recipe's, in use, or damaged
    ├── MachineError         2   the machine cannot do it: disk full, no such device, package missing
    ├── StageError           1   a stage failed for a reason of its own
    └── Preempted           75   stopped from outside with its work saved; run the same command again

A user's mistake is one message without a traceback: `cli` prints `str(error)` and exits with `exit_code`.
"""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable
from typing import ClassVar

__all__ = [
    "PASSING",
    "InputError",
    "MachineError",
    "Preempted",
    "ProjectError",
    "RecipeError",
    "RunDirectoryError",
    "StageError",
    "cannot_write",
    "did_you_mean",
    "plain_keys",
]


PASSING = frozenset(
    {
        *(errno.EAGAIN, errno.EBUSY, errno.EIO, errno.ESTALE, errno.ETIMEDOUT),
        *(errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH),
    }
)
"""Failures of a disk or a network that may pass, so that a retry helps; a missing file or permission does not."""


_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,39}")


class ProjectError(Exception):
    """What is wrong, where, and how to mend it."""

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.mend:
            lines.append(f"  mend:  {self.mend}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword arguments are lost by Exception's own pickling, and these cross process borders.
        return _rebuild, (type(self), self.what, self.where, self.mend)


def _rebuild(kind: type[ProjectError], what: str, where: str, mend: str) -> ProjectError:
    return kind(what, where=where, mend=mend)


class RecipeError(ProjectError):
    """The recipe is wrong."""

    exit_code = 2


class InputError(ProjectError):
    """A source, a model or a tokenizer is wrong or missing."""

    exit_code = 2


class RunDirectoryError(ProjectError):
    """The run directory belongs to another recipe, is in use, or is damaged."""

    exit_code = 2


class MachineError(ProjectError):
    """The machine cannot do what the recipe asks."""

    exit_code = 2


class StageError(ProjectError):
    """A stage failed."""


class Preempted(ProjectError):
    """Stopped from outside, with everything finished so far saved."""

    exit_code = 75


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the known word nearest to `word`, whatever the case, or an empty string."""
    words = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), list(words), n=1, cutoff=0.6)
    return f" (did you mean {words[near[0]]!r}?)" if near else ""


def plain_keys(keys: Iterable[str]) -> list[str]:
    """Those of a row's keys that a message may name: plain words. A key can hold anything, personal data too."""
    return [key for key in keys if _PLAIN_KEY.fullmatch(key)]


def cannot_write(error: OSError, where: str) -> MachineError | None:
    """The message for a full disk, an exhausted quota or a place that may not be written; None for another error."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return MachineError(
            "the disk is full",
            where=where,
            mend="free some space (or point `run:` at another disk) and run the same command again; "
            "finished parts are kept",
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return MachineError(
            f"it cannot be written: {error.strerror}",
            where=where,
            mend="give yourself the right to write there, or point `run:` at another folder",
        )
    return None
