"""Which rank ended a launch, and why: read from what torchrun's agent says and leaves behind.

torchelastic takes the failure with the least time stamp for the root cause, in whole seconds: of a rank that was
killed and of those that the agent stopped for it within the same second, it may name any. What the agent says that
it has sent to whom tells them apart.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.config import Launch

__all__ = ["Cause", "machine_missing", "port_taken"]

_SENT = re.compile(r"(?:Sending process|Unable to shutdown process) (\d+) ")
"""The agent ends a rank because another one has failed."""

_SIGNAL = re.compile(r"Signal \d+ \((SIG\w+)\) received by PID (\d+)")

_CONSEQUENCE = "SIGABRT"
"""Communication libraries abort when a peer is gone: told only where no rank has told more."""

_ALONE = re.compile(r"DistStoreError: Timed out after \d+ seconds waiting for clients\. (\d+)/\d+ clients joined")
_NOBODY = re.compile(
    r"DistNetworkError: The client socket has (?:timed out|failed)\b.* (?:while trying to )?connect to "
)
"""Of the store at which the machines' agents meet: what the machine with rank 0 says, and what the others say."""

_TAKEN = re.compile(r"socket has failed to (?:listen|bind)\b.* port: (\d+)\b.*\bEADDRINUSE\b")


class Cause:
    """Take every line of a launch, keep what may tell the cause, say it at the end."""

    def __init__(self) -> None:
        self._sent: set[str] = set()
        self._signals: dict[str, tuple[str, str]] = {}  # process id → signal's name, the agent's words
        self._last = "no output"

    def take(self, line: str) -> None:
        """Look at a line of the agent or of a rank."""
        if line.strip(" -="):
            self._last = line.strip()
        if sent := _SENT.search(line):
            self._sent.add(sent[1])
        if signal := _SIGNAL.search(line):
            self._signals[signal[2]] = signal[1], signal[0]

    def told(self, failure: Path, ended: str) -> str:
        """The root cause of a failure.

        A signal that a rank got from elsewhere, else the exception in torchelastic's error file, else any signal, else
        the last line of the output.

        Args:
            failure: torchelastic's error file; it need not exist.
            ended: who ended with which exit code.
        """
        own = [found for pid, found in self._signals.items() if pid not in self._sent]
        return (
            _killed(found for found in own if found[0] != _CONSEQUENCE)
            or _raised(failure)
            or _killed(own)
            or _killed(self._signals.values())
            or f"{ended}: {self._last}"
        )


def _killed(found: Iterable[tuple[str, str]]) -> str:
    """One of the signals, the kernel's own for want of memory first; empty where there is none."""
    found = sorted(found, key=lambda one: one[0] != "SIGKILL")
    if not found:
        return ""
    name, words = found[0]
    return words + (": most likely for want of memory" if name == "SIGKILL" else "")


def _raised(failure: Path) -> str:
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        message = json.loads(failure.read_text(encoding="utf-8"))["message"]
        return str(message["message"] if isinstance(message, dict) else message)
    return ""


def machine_missing(told: str, nodes: Launch) -> str:
    """Which machine has not come to the meeting, where that is what a launch has failed for; else empty.

    Args:
        told: the cause, as `Cause.told` gives it.
        nodes: how many were to meet, and where.
    """
    if found := _ALONE.match(told):
        who = f"{found[1]} of {nodes.nodes} machines came to {nodes.rdzv_endpoint}"
    elif _NOBODY.match(told):
        who = f"no machine with node_rank 0 answered at {nodes.rdzv_endpoint}"
    else:
        return ""
    return f"{who} within {nodes.rdzv_timeout} s"


def port_taken(told: str) -> str:
    """The port at which ranks or machines cannot meet because another program has it; else empty.

    Args:
        told: the cause, as `Cause.told` gives it.
    """
    found = _TAKEN.search(told)
    return found[1] if found else ""
