"""Whether GPUs can curate on this machine, and if not, what is missing. Nothing is initialised on a device.

Training asks torch for itself. Curation needs a driver, a device that is visible, and the packages of the extra `gpu`.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from functools import cache
from importlib import util
from typing import Literal

from pipeline.errors import MachineError

__all__ = ["Choice", "Need", "choose", "needs"]

_EXTRA = "pip install 'curate-and-train[gpu]'"
_PACKAGES = {"numba-cuda": "numba_cuda", "cudf": "cudf", "dask-cuda": "dask_cuda", "dask-cudf": "dask_cudf"}


@dataclass(frozen=True)
class Need:
    """One thing that curation on GPUs needs.

    Attributes:
        name: What it is.
        met: Whether it is there.
        found: What was found in its place, or of it.
        mend: How to get it.
    """

    name: str
    met: bool
    found: str
    mend: str


@dataclass(frozen=True)
class Choice:
    """What curates, and why."""

    device: Literal["cpu", "cuda"]
    why: str

    @property
    def said(self) -> str:
        """One line for whoever runs it."""
        return f"curation runs on {'the CPU' if self.device == 'cpu' else 'GPUs'}: {self.why}"


def choose(device: str) -> Choice:
    """Choose what curates.

    Args:
        device: `cpu`; `auto`, which is the GPU where all that it needs is there; `cuda`, which must be.

    Raises:
        MachineError: `cuda`, and something is missing.
    """
    if device == "cpu":
        return Choice("cpu", "the recipe says so")
    every = needs()
    missing = [need for need in every if not need.met]
    if not missing:
        return Choice("cuda", ", ".join(need.found for need in every))
    why = "; ".join(need.found for need in missing)
    if device == "auto":
        # What a package would need besides itself, nobody without a GPU asked for.
        alone = missing[0].name in ("driver", "device")
        return Choice("cpu", missing[0].found if alone else f"{why} ({_EXTRA})")
    mends = list(dict.fromkeys(need.mend for need in missing))
    raise MachineError(
        f"GPUs cannot curate on this machine: {why}",
        where=f"device: {device}",
        mend=f"{'; '.join(mends)}; or set `device: auto` (and `cluster.kind: local`), with which the CPU curates",
    )


@cache
def needs() -> tuple[Need, ...]:
    """Everything that curation on GPUs needs, in the order in which it is got."""
    driver = _library("libcuda.so.1") is not None
    visible = _visible() if driver else 0
    hidden = "CUDA_VISIBLE_DEVICES" in os.environ
    return (
        Need("driver", driver, "a CUDA driver" if driver else "no CUDA driver", "install NVIDIA's driver"),
        Need(
            "device",
            visible > 0,
            f"{visible} GPU{'' if visible == 1 else 's'}" if visible else "no GPU",
            "set CUDA_VISIBLE_DEVICES to a GPU that is there" if hidden else "run where there is a GPU",
        ),
        *(_package(name, module) for name, module in _PACKAGES.items()),
    )


def _package(name: str, module: str) -> Need:
    met = util.find_spec(module) is not None
    return Need(name, met, name if met else f"{name} is not installed", _EXTRA)


def _visible() -> int:
    """How many GPUs this process may use, by NVML, which needs no context on any."""
    nvml = _library("libnvidia-ml.so.1")
    count = ctypes.c_uint(0)
    if nvml is None or nvml.nvmlInit_v2() != 0:
        return 0
    try:
        if nvml.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            return 0
    finally:
        nvml.nvmlShutdown()
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return count.value
    # As the driver reads it: up to the first that is none; a UUID is taken on trust.
    usable = 0
    for name in (part.strip() for part in chosen.split(",")):
        if not name or (name.lstrip("-").isdigit() and not 0 <= int(name) < count.value):
            break
        usable += 1
    return usable


def _library(name: str) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(name)
    except OSError:
        return None
