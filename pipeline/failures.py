"""Whatever goes wrong in a stage becomes one message; the traceback goes to the run's log."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from pipeline.errors import MachineError, ProjectError, StageError, cannot_write
from pipeline.run import RunDirectory

__all__ = ["explain", "explained", "full_disk", "masked"]

_ADDRESS = re.compile(r"[\w.+-]+(?:[@＠]|%40|&#64;)[\w-]+\.[\w.-]+")
_REPORT = "nobody expected this: please report it with logs/error.log; finished parts are kept"
_IP = re.compile(r"(?<![\w.])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4})(?![\w.])")
_BETWEEN = r"[ .:/()\u00a0\u2000-\u200a\u202f\u205f\u3000\u2010-\u2015\u2212-]"
"""What may part the digits of a number, typographic spaces and hyphens too."""
_NUMBER = re.compile(rf"\+?\d(?:{_BETWEEN}{{0,2}}\d){{6,}}")


@contextmanager
def explained(run: RunDirectory, stage: str) -> Iterator[None]:
    """Let the project's own messages through, and turn any other exception into one.

    The new error hides the old one (`from None`): whoever logs it, Prefect for one, would print the old one's
    message too, and that may quote a row. Signals (`KeyboardInterrupt` and every other `BaseException`) pass, so
    that clean-up runs and the caller decides.

    Raises:
        ProjectError: see `explain`.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, ProjectError) and error.__cause__ is None:
            raise
        raise explain(error, run, stage) from None


def explain(error: Exception, run: RunDirectory, stage: str) -> ProjectError:
    """The message for an exception that no stage expected; its traceback is appended to `logs/error.log`."""
    if full := full_disk(error, where=f"{stage} in {run.root}"):
        return full
    if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith(("pipeline", "sources")):
        return MachineError(
            f"{stage}: the package {error.name} is not installed",
            mend="run `make setup`, or install curate-and-train with its dependencies",
        )
    if isinstance(error, MemoryError):
        return MachineError(
            f"{stage}: out of memory",
            mend="lower ingest.part_bytes, train.micro_batch or evaluate.batch, or use fewer workers (cluster.workers)",
        )
    log = _append_to_log(error, run, stage)
    if isinstance(error, ProjectError):  # a failure of a part, say, that a stage has put in its own words
        return type(error)(masked(error.what), where=error.where or log, mend=error.mend or _REPORT)
    return StageError(masked(f"{stage} failed: {type(error).__name__}: {error}".rstrip(": ")), where=log, mend=_REPORT)


def full_disk(error: BaseException, where: str) -> MachineError | None:
    """The message for a full disk if that is anywhere behind `error`, else None."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and (full := cannot_write(seen, where)):
            return full
        seen = seen.__cause__ or seen.__context__
    return None


def masked(text: str) -> str:
    """Hide what may be personal: libraries quote a row's values in their messages, and logs leave the machine.

    Anything that looks like an e-mail address, or holds seven digits or more, is replaced. It hides more than
    personal data (a long number is a long number), which is the right side to err on in a log.
    """
    return _NUMBER.sub("<NUMBER>", _IP.sub("<IP>", _ADDRESS.sub("<EMAIL>", text)))


def _append_to_log(error: Exception, run: RunDirectory, stage: str) -> str:
    log = run.logs / "error.log"
    text = masked("".join(traceback.format_exception(error)))
    with suppress(OSError):  # a log that cannot be written must not hide what went wrong
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"--- {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {stage}\n{text}\n")
    return str(log)
