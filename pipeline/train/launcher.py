"""Start ranks under torchrun in a process of their own, pass on their output, and leave nobody behind.

The contract:

- The agent (torchrun) runs in a session of its own; its ranks each in theirs. Nothing of torch is imported here. A rank
  that is alone meets nobody: it is started without an agent, which would take seconds, and takes its place here.
- On SIGTERM, on Ctrl-C, on any exception: SIGTERM to the agent, which passes it to the ranks. They have `grace`
  seconds to save and leave; `_MARGIN` later the agent and every rank still alive are killed, each by itself:
  a rank is not in the agent's process group, and is no longer its child once the agent is dead.
- If this process is killed outright, the kernel kills the agent and the ranks (`pipeline.train.lifetime`).
- A rank's `ProjectError` is raised here as if it had been raised here. Anything else is a `StageError`.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from pipeline.config import Launch
from pipeline.errors import Preempted, StageError
from pipeline.train.cause import Cause, machine_missing, port_taken
from pipeline.train.lifetime import OUTCOME, PARENT, read_outcome

__all__ = ["launch"]

_MARGIN = 5.0
"""Seconds after `grace` at which the agent, and not only its ranks, is taken for hung."""

_ALONE = {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}
"""What torchrun would tell a rank that is alone; said, for this command may itself run under torchrun."""

_POLL = 0.2
"""Seconds between looks at whether the agent has ended or SIGTERM has come."""

_MEMORY = "lower train.micro_batch, pack.seq_length or evaluate.batch, or take a machine with more memory"
_MEET = (
    "start the same command on every machine, each with its own train.launch.node_rank; where one takes longer than "
    "that, raise train.launch.rdzv_timeout; else see that the port of rdzv_endpoint is open from the others"
)
_PORT = (
    "choose another port in train.launch.rdzv_endpoint, the same on all machines; "
    "or end the program that has it (`ss -ltnp` names it), which may be an earlier training"
)
_AGAIN = "run the same command again: ranks of one machine meet at a port that is free"
_REPORT = "the log holds the traceback; run the same command again to go on from the last checkpoint"


def launch(
    module: str,
    arguments: Sequence[str],
    *,
    nproc: int,
    grace: float,
    log: Path,
    on_line: Callable[[str], None] = lambda _: None,
    nodes: Launch | None = None,
) -> None:
    """Run `python -m module arguments…` as `nproc` ranks on this machine and wait for them.

    Args:
        module: the ranks' module; its `__main__` calls `pipeline.train.lifetime.run_rank`.
        arguments: its command line.
        nproc: ranks.
        grace: seconds that ranks have after SIGTERM.
        log: file to which every line of the ranks and the agent is appended.
        on_line: called with each line.
        nodes: where other machines take part: how many, which this is, where they meet.

    Raises:
        Preempted: SIGTERM came to this process, or the ranks were stopped and had saved their work.
        ProjectError: the one that a rank raised.
        StageError: a rank failed otherwise; says the root cause.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    cause = Cause()
    with (
        tempfile.TemporaryDirectory(prefix="curate-and-train-") as scratch,
        log.open("a", encoding="utf-8") as stream,
        _terminable() as terminated,
    ):

        def take(line: str) -> None:
            stream.write(line + "\n")
            stream.flush()
            cause.take(line)
            on_line(line)

        outcome, failure = Path(scratch, "outcome.json"), Path(scratch, "failure.json")
        alone = nproc == 1 and (nodes is None or nodes.nodes == 1)
        torchrun = [
            *(sys.executable, "-m", "pipeline.train.agent"),
            *_rendezvous(nodes),
            *(f"--nproc-per-node={nproc}", "--max-restarts=0", f"--log-dir={scratch}"),
        ]
        agent = subprocess.Popen(
            [*([sys.executable] if alone else torchrun), "-m", module, *arguments],
            env=_environment(nproc, grace, outcome, failure) | (_ALONE if alone else {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _pump(agent, take, until=terminated)
        finally:
            code = _stop(agent, grace if alone else grace + _MARGIN, take)
        if alone and code < 0:
            take(f"Signal {-code} ({signal.Signals(-code).name}) received by PID {agent.pid}")  # as torchrun says it
        error = read_outcome(outcome)
        if error is not None:
            raise error
        if terminated.is_set():
            raise Preempted("stopped by SIGTERM", where=str(log), mend="run the same command again: it resumes")
        if code != 0:
            told = cause.told(failure, f"{'the rank' if alone else 'torchrun'} ended with exit code {code}")
            if nodes is not None and (missing := machine_missing(told, nodes)):
                raise StageError(missing, where=str(log), mend=_MEET)
            if port := port_taken(told):
                many = nodes is not None and nodes.nodes > 1
                at = f", of train.launch.rdzv_endpoint: {nodes.rdzv_endpoint}" if many and nodes is not None else ""
                raise StageError(
                    f"port {port}{at} is taken by another program on this machine",
                    where=str(log),
                    mend=_PORT if many else _AGAIN,
                )
            raise StageError(
                f"{module.rpartition('.')[2]}: {told}", where=str(log), mend=_MEMORY if "memory" in told else _REPORT
            )


def _rendezvous(nodes: Launch | None) -> list[str]:
    """Torchrun's options; a static rendezvous, so that rank 0 is on the machine with `node_rank` 0, each time."""
    if nodes is None or nodes.nodes == 1:
        # Else ranks meet at the host's name, which need not resolve: in a container, on a laptop that changes networks.
        return ["--standalone", "--local-addr=127.0.0.1"]
    return [
        f"--nnodes={nodes.nodes}",
        f"--node-rank={nodes.node_rank}",
        "--rdzv-backend=static",
        f"--rdzv-endpoint={nodes.rdzv_endpoint}",
        f"--rdzv-conf=timeout={nodes.rdzv_timeout}",
    ]


@contextlib.contextmanager
def _terminable() -> Iterator[threading.Event]:
    """Turn SIGTERM into an event, unless the program has a handler of its own, as Prefect has."""
    terminated = threading.Event()
    # Only the main thread may set handlers; where another one launches, stopping it is the program's affair.
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if ours:
        signal.signal(signal.SIGTERM, lambda _number, _frame: terminated.set())
    try:
        yield terminated
    finally:
        if ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _environment(nproc: int, grace: float, outcome: Path, failure: Path) -> dict[str, str]:
    environment = {
        **os.environ,
        PARENT: str(os.getpid()),
        OUTCOME: str(outcome),
        "TORCHELASTIC_ERROR_FILE": str(failure),
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(math.ceil(grace)),
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # deterministic matrix products on CUDA
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }
    # A fixed share of the cores: the order of sums, and so the bits, depend on the number of threads.
    environment.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // nproc)))
    return environment


def _pump(
    agent: subprocess.Popen[bytes],
    take: Callable[[str], None],
    *,
    until: threading.Event | None = None,
    deadline: float = math.inf,
) -> None:
    """Pass on lines until the agent has ended, `until` is set or the deadline is past."""
    assert agent.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(agent.stdout, selectors.EVENT_READ)
        rest = b""
        while time.monotonic() < deadline and not (until and until.is_set()):
            if selector.select(timeout=_POLL):
                block = os.read(agent.stdout.fileno(), 1 << 16)
                *lines, rest = (rest + block).split(b"\n")
                for line in lines:
                    take(line.decode(errors="replace").rstrip("\r"))
                if block:
                    continue
                with contextlib.suppress(subprocess.TimeoutExpired):  # the output ended: so does the agent
                    agent.wait(timeout=_POLL)
            if agent.poll() is not None:
                break
        if rest:
            take(rest.decode(errors="replace"))


def _stop(agent: subprocess.Popen[bytes], patience: float, take: Callable[[str], None]) -> int:
    """End the agent, if it has not ended, and its ranks: by SIGTERM and patience (in seconds), then by SIGKILL.

    Returns:
        The agent's exit code, with the agent and all ranks dead.
    """
    family = _descendants(agent.pid)
    try:
        if agent.poll() is None:
            agent.terminate()
            # Their output must be read on: a full pipe would hold the ranks up while they save.
            _pump(agent, take, deadline=time.monotonic() + patience)
    finally:
        # Before the agent is killed, while its children still are its children.
        family |= _descendants(agent.pid)
        agent.kill()
        code = agent.wait()
        for process in family:
            _kill(process)
        psutil.wait_procs(family, timeout=_MARGIN)
        if agent.stdout is not None:
            agent.stdout.close()
    return code


def _descendants(pid: int) -> set[psutil.Process]:
    try:
        return set(psutil.Process(pid).children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _kill(process: psutil.Process) -> None:
    """SIGKILL a rank's process group, or the process alone where it leads none."""
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        if not process.is_running():  # false too when the id now belongs to another process
            return
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
