"""From an exception to a message and an exit code: the only place that decides."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from pipeline.errors import ProjectError

__all__ = ["Terminated", "exit_code"]

Command = Callable[[argparse.Namespace], int]

INTERRUPTED = 130
"""128 + SIGINT, as shells have it."""
TERMINATED = 75
"""EX_TEMPFAIL rather than 128 + SIGTERM: a supervisor that retries on 75 goes on from the finished parts."""
BROKEN_PIPE = 141
"""128 + SIGPIPE: the reader (`head`, say) has left; nothing is wrong."""


class Terminated(BaseException):
    """SIGTERM, raised in the main thread so that `with` and `finally` clean up (workers, torchrun, the lock).

    Not an `Exception`: code that survives errors must not survive this.
    """


def exit_code(command: Command, arguments: argparse.Namespace, *, debug: bool = False) -> int:
    """Run `command`, print what went wrong on stderr, and return the exit code."""
    _never_fail_to_print()
    try:
        with _sigterm_raises():
            code = command(arguments)
            sys.stdout.flush()
            return code
    except ProjectError as error:
        if debug:
            _say(_traceback(error))
        _say(f"error: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted: finished parts are kept; the same command goes on from there")
        return INTERRUPTED
    except Terminated:
        _say("terminated: finished parts are kept; the same command goes on from there")
        return TERMINATED
    except BrokenPipeError:
        # Python flushes stdout once more at exit; without this it would complain then.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        return _unexpected(error, debug)


def _unexpected(error: Exception, debug: bool) -> int:
    from pipeline.failures import full_disk, masked

    if full := full_disk(error, where=str(getattr(error, "filename", None) or os.getcwd())):
        _say(f"error: {full}")
        return full.exit_code
    if debug:
        _say(_traceback(error))
    _say(masked(f"error: {type(error).__name__}: {error}".rstrip(": ")))
    if not debug:
        _say("  mend:  nobody expected this: run it again with --debug and report what it prints")
    return 1


def _traceback(error: Exception) -> str:
    """Of the error and of what it hides; see `pipeline.failures`."""
    from pipeline.failures import masked

    hidden = error.__context__ if error.__suppress_context__ else None
    lines = traceback.format_exception(hidden) if hidden else []
    return masked("".join([*lines, *traceback.format_exception(error)]))


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Raise `Terminated` on the first SIGTERM; later ones do not disturb the clean-up."""

    def handler(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Terminated

    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _never_fail_to_print() -> None:
    """A terminal that is not UTF-8 gets escapes instead of a `UnicodeEncodeError`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
