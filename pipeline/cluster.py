"""A Dask client for the recipe, and parts run over it with bounded submission and clear failures."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.config import Cluster
from pipeline.errors import MachineError, ProjectError, StageError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["dask_client", "lazy_client", "result_of", "run_graph", "run_parts"]

_PATIENCE = 30
"""Seconds to wait for a scheduler's first worker."""

_LOOK = 1.0
"""Seconds between two looks at whether a worker is left."""

Job = TypeVar("Job")
Result = TypeVar("Result")


@contextmanager
def dask_client(cluster: Cluster, *, gpus: bool = False) -> Iterator[Client]:
    """Start local worker processes, or join the scheduler at `cluster.address` or of `cluster.scheduler_file`.

    Args:
        cluster: of the recipe.
        gpus: start a worker for each GPU, with a pool of its memory; the processes end with the context, and so does
            their hold on the GPUs.

    Raises:
        MachineError: no scheduler answers.
    """
    # A job's failure is raised here as one message; workers inherit this and do not print it a second time.
    os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "critical")
    import dask
    from distributed import Client, LocalCluster

    settings = {
        "distributed.worker.memory.terminate": 0.95,
        "distributed.scheduler.allowed-failures": 2,
        # One heap a worker: one of a thread's own is cut into 64 MiB, which are each given back when empty (`heap`).
        "distributed.nanny.pre-spawn-environ.MALLOC_ARENA_MAX": 1,
    }
    with dask.config.set(settings):
        if cluster.joined:
            key = "address" if cluster.address is not None else "scheduler_file"
            place = f"cluster.{key}: {getattr(cluster, key)}"
            try:
                client = Client(**{key: getattr(cluster, key)}, timeout=10)  # type: ignore[no-untyped-call]
            except (OSError, ValueError) as error:
                raise MachineError(
                    f"no Dask scheduler answers: {error}",
                    where=place,
                    mend=f"start it (`dask scheduler`), or set cluster.{key} to null for local workers",
                ) from None
            with client:
                try:
                    client.wait_for_workers(1, timeout=_PATIENCE)
                except TimeoutError:
                    raise MachineError(
                        f"the Dask scheduler has had no worker for {_PATIENCE} s",
                        where=place,
                        mend="start workers (`dask worker ADDRESS`) in this environment that see the run directory",
                    ) from None
                yield client
            return
        from pipeline.nanny import PatientNanny

        options: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        options["worker_class"] = PatientNanny
        start: Callable[..., Any] = LocalCluster
        if gpus:
            from dask_cuda import LocalCUDACluster

            start = LocalCUDACluster
            options |= gpu_options(cluster)
        else:
            options["n_workers"] = _workers(cluster)
        with ExitStack() as stack:
            stack.enter_context(_environment_kept())
            try:
                local = stack.enter_context(start(**options))
                client = stack.enter_context(Client(local))  # type: ignore[no-untyped-call]
            except (RuntimeError, TimeoutError) as error:  # what Dask raises, by where the time ran out
                raise MachineError(
                    f"the local Dask workers did not start: {error}",
                    where=f"cluster.workers: {cluster.workers}",
                    mend="the machine may be too busy: run the same command again, or lower cluster.workers; "
                    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT sets how long one waits for an answer (30s)",
                ) from error
            yield client


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Undo what Dask sets for its workers in this process's environment: a later stage's threads are not theirs."""
    import dask

    names = [*dask.config.get("distributed.nanny.pre-spawn-environ"), "PYTHONHASHSEED"]
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def gpu_options(cluster: Cluster) -> dict[str, Any]:
    """What a `LocalCUDACluster` is started with: a worker a GPU, a pool for cuDF and the kernels, spilling by cuDF."""
    return {
        "n_workers": None if cluster.workers == "auto" else cluster.workers,
        "rmm_pool_size": cluster.pool,
        "enable_cudf_spill": True,
        "protocol": "tcp",
        "pre_import": "cudf",
    }


def _workers(cluster: Cluster) -> int:
    return len(os.sched_getaffinity(0)) if cluster.workers == "auto" else cluster.workers


@contextmanager
def lazy_client(cluster: Cluster, *, gpus: bool = False) -> Iterator[Callable[[], Client]]:
    """Yield a function that returns the client: workers start when a stage first has work, and once only."""
    with ExitStack() as stack:
        yield cache(lambda: stack.enter_context(dask_client(cluster, gpus=gpus)))


def run_parts(
    client: Client,
    function: Callable[[Job], Result],
    jobs: Iterable[Job],
    *,
    stage: str,
    on_done: Callable[[Result], Any] = lambda _: None,
) -> list[Result]:
    """Run `function` on every job, a few in flight for each worker, and return results in the jobs' order.

    A `ProjectError` raised by a job stops the rest and is raised here as it is; any other failure becomes a
    `StageError` that names the job. A worker that is lost, or silent for longer than the scheduler's `worker-ttl`, has
    its jobs done by the others.

    Raises:
        MachineError: all workers are gone.
    """
    from distributed import as_completed

    waiting = list(enumerate(jobs))[::-1]
    results: dict[int, Result] = {}
    running: dict[Any, int] = {}
    width = 2 * max(1, len(client.scheduler_info(n_workers=-1)["workers"]))
    completed = as_completed()  # type: ignore[no-untyped-call]

    def submit() -> None:
        number, job = waiting.pop()
        future = client.submit(function, job, pure=False, key=f"{stage}-{number:05d}-{os.urandom(4).hex()}")
        running[future] = number
        completed.add(future)  # type: ignore[no-untyped-call]

    try:
        while waiting and len(running) < width:
            submit()
        for future in _finished(completed, client, stage):
            number = running.pop(future)
            result: Result = result_of(future, stage, f"part {number}")
            results[number] = result
            on_done(result)
            if waiting:
                submit()
    finally:
        client.cancel(list(running), force=True)  # type: ignore[no-untyped-call]
    return [results[number] for number in sorted(results)]


def run_graph(client: Client, tasks: Iterable[Any], *, stage: str) -> None:
    """Compute delayed tasks with all that they need, and forget their results.

    Failures are those of `run_parts`.
    """
    from distributed import as_completed

    futures = client.compute(list(tasks))  # type: ignore[no-untyped-call]
    try:
        for number, future in enumerate(_finished(as_completed(futures), client, stage)):  # type: ignore[no-untyped-call]
            result_of(future, stage, f"share {number}")
    finally:
        client.cancel(futures, force=True)  # type: ignore[no-untyped-call]


def _finished(completed: Any, client: Client, stage: str) -> Iterator[Any]:
    """Futures as they finish. Dask itself would wait for ever for a worker where none is left."""
    since = time.monotonic()
    while not completed.is_empty():
        with completed.thread_condition:
            if not completed.has_ready():
                completed.thread_condition.wait(timeout=_LOOK)
        if completed.has_ready():
            yield next(completed)
            since = time.monotonic()
        elif client.scheduler_info(n_workers=1)["workers"]:
            since = time.monotonic()
        elif time.monotonic() - since > _PATIENCE:
            raise MachineError(
                f"{stage}: the Dask scheduler has had no worker for {_PATIENCE} s",
                mend="start workers again and run the same command: finished parts are kept",
            )


def result_of(future: Any, stage: str, what: str) -> Any:
    """The result of a task, or its failure as one error.

    Raises:
        ProjectError: the one that the task raised.
        StageError: anything else.
    """
    from distributed import KilledWorker

    try:
        return future.result()
    except ProjectError:
        raise
    except KilledWorker:
        raise StageError(
            f"{stage}: {what} killed its worker again and again, most likely for want of memory",
            mend="lower ingest.part_bytes, or use fewer workers (cluster.workers)",
        ) from None
    except Exception as error:
        raise StageError(f"{stage}: {what} failed: {type(error).__name__}: {error}") from error
