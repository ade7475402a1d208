"""The ranks of a training run: who this process is, what it computes on, and what all of them agree on."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist

from pipeline.errors import MachineError
from pipeline.host_memory import available_memory

__all__ = ["Ranks", "check_gpus"]


T = TypeVar("T")


@dataclass(frozen=True)
class Ranks:
    """This process among `world` equal ones; a world of one needs no process group.

    Numbers on the host (counts, flags) go over gloo even where tensors go over NCCL: to agree on them must not
    wait for the GPU.
    """

    rank: int
    world: int
    device: torch.device
    local: int = 0
    """Its number among those of this machine …"""
    local_world: int = 1
    """… and how many these are, on every machine."""

    @classmethod
    @contextmanager
    def join(cls, device: Literal["auto", "cpu", "cuda"]) -> Iterator[Ranks]:
        """Join the process group that torchrun's environment variables describe, and leave it at the end.

        Raises:
            MachineError: there are fewer GPUs than ranks.
        """
        rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
        local, local_world = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        gpus = torch.cuda.device_count() if device != "cpu" and torch.cuda.is_available() else 0
        if device == "cuda" and gpus == 0:
            raise MachineError("torch sees no GPU", where="device: cuda", mend="set device: cpu, or auto")
        check_gpus(gpus, local_world)
        place = torch.device("cuda", local) if gpus else torch.device("cpu")
        if gpus:
            torch.cuda.set_device(place)
        if world > 1:
            dist.init_process_group("cpu:gloo,cuda:nccl" if gpus else "gloo")
        try:
            yield cls(rank, world, place, local, local_world)
        finally:
            if world > 1:
                dist.destroy_process_group()

    @property
    def is_main(self) -> bool:
        """The rank that prints and writes."""
        return self.rank == 0

    def sum_(self, tensor: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over all ranks, in place. For a given world the order of the sum is fixed."""
        if self.world > 1:
            dist.all_reduce(tensor)
        return tensor

    def totals(self, numbers: Sequence[int]) -> list[int]:
        """Sum each of some host integers over all ranks."""
        return [int(total) for total in self.sum_(torch.tensor(numbers, dtype=torch.int64))]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank; the same answer on all."""
        return self.totals([int(flag)])[0] > 0

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in the order of ranks, on every rank."""
        values: list[Any] = [value]
        if self.world > 1:
            values = [None] * self.world
            dist.all_gather_object(values, value)
        return values

    def broadcast_(self, tensors: Sequence[torch.Tensor]) -> None:
        """Overwrite tensors with rank 0's."""
        if self.world > 1:
            for tensor in tensors:
                dist.broadcast(tensor.detach(), src=0)

    def barrier(self) -> None:
        """Wait until every rank has come here."""
        if self.world > 1:
            self.any(False)

    def in_turns(self, make: Callable[[], tuple[T, int]], *, room: Callable[[], int] | None = None) -> T:
        """Have every machine's first rank make something, then as many of its others at a time as its memory holds.

        Args:
            make: gives it, and the bytes of the machine's memory that it took meanwhile; meets no other rank.
            room: bytes that are free on this machine; None asks the machine.
        """

        def one() -> tuple[T, int]:
            found = make()
            _return_freed()
            return found

        made, taken = one() if self.local == 0 else (None, 0)
        self.barrier()  # on the host, where it may take longer than the GPUs' patience
        free = available_memory() if room is None else room()
        at_once = max(1, min(self.gather(free)) * 9 // (10 * max(1, *self.gather(taken))))
        for first in range(1, self.local_world, at_once):
            if first <= self.local < first + at_once:
                made, _ = one()
            self.barrier()
        assert made is not None
        return made


def _return_freed() -> None:
    """Give freed memory back to the system; glibc keeps what was taken in pieces of less than 32 MiB."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


def check_gpus(gpus: int, ranks: int) -> None:
    """Refuse more ranks than there are GPUs on a machine that has any.

    Raises:
        MachineError: there are fewer.
    """
    if 0 < gpus < ranks:
        raise MachineError(
            f"{ranks} ranks, but {gpus} GPU{'s' * (gpus > 1)}",
            where=f"train.launch.nproc: {ranks}",
            mend=f"set train.launch.nproc to {gpus} at most, or device: cpu",
        )
