"""Dask's keeper of a worker process, with patience for the end of a worker that it has killed."""

from __future__ import annotations

from distributed import Nanny

__all__ = ["PatientNanny"]

_PATIENCE = 60
"""Seconds that a process which got SIGKILL may take to end: it frees gigabytes, and the machine may be busy."""


class PatientNanny(Nanny):
    """Waits for a killed worker to end.

    Dask's own gives a worker five seconds to leave and to die together. On a busy machine that ends a cluster whose
    work is done with a `TimeoutError`, and leaves the scheduler behind.
    """

    async def kill(self, timeout: float = 5, reason: str = "nanny-kill") -> None:
        """End the worker process: ask, after `timeout` seconds kill, then wait.

        Raises:
            TimeoutError: the kernel does not end it.
        """
        process = self.process
        try:
            await super().kill(timeout=timeout, reason=reason)
        except TimeoutError:
            if process is not None and process.process is not None:
                await process.process.join(_PATIENCE)  # type: ignore[no-untyped-call]
