"""One mesh for every kind of parallelism: which ranks share data, positions, weights and heads."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from pipeline import config
from pipeline.train.parallel import Ranks

__all__ = ["Layout", "reads_together"]

_NAMES = ("replicate", "context", "shard", "tensor")
"""From the outermost: neighbours on a machine share what is exchanged most often."""


@dataclass(frozen=True)
class Layout:
    """A rank's place in the mesh; without a mesh where every rank holds a whole copy."""

    mesh: DeviceMesh | None
    data: int
    """Which share of a step's bins is this rank's …"""
    shares: int
    """… of so many."""
    place: tuple[int, int]
    """Its number among the ranks that share its bins' positions, and how many they are."""
    counts: bool
    """One rank of each share counts its tokens."""
    reports: bool
    """The loss is added up over these: of ranks that compute the same, one."""

    @classmethod
    def of(cls, parallel: config.Parallel, ranks: Ranks) -> Layout:
        """Lay out the ranks; every rank must call this."""
        copies = parallel.copies(ranks.world)
        if parallel.shard == parallel.context == parallel.tensor == 1:
            return cls(None, ranks.rank, ranks.world, (0, 1), True, True)
        sizes = (copies, parallel.context, parallel.shard, parallel.tensor)
        mesh = init_device_mesh(ranks.device.type, sizes, mesh_dim_names=_NAMES)
        replicate, context, shard, tensor = (mesh.get_local_rank(name) for name in _NAMES)
        return cls(
            mesh=mesh,
            data=replicate * parallel.shard + shard,
            shares=copies * parallel.shard,
            place=(context, parallel.context),
            counts=context == tensor == 0,
            reports=tensor == 0,
        )

    @property
    def sharded(self) -> bool:
        """Weights are DTensors, cut by FSDP or by tensor parallel."""
        return self.mesh is not None and self.mesh["shard"].size() * self.mesh["tensor"].size() > 1

    def fsdp(self) -> DeviceMesh:
        """Two dimensions: copies of the weights (shares of the bins or of their positions), and their shards."""
        assert self.mesh is not None
        self.mesh["replicate", "context"]._flatten("copies")
        return self.mesh["copies", "shard"]

    def tensor(self) -> DeviceMesh | None:
        """The ranks that share heads, or None."""
        return None if self.mesh is None or self.mesh["tensor"].size() == 1 else self.mesh["tensor"]

    def context(self) -> dist.ProcessGroup | None:
        """The ranks that share positions, or None."""
        return None if self.mesh is None or self.place[1] == 1 else self.mesh.get_group("context")


def reads_together(parallel: config.Parallel, device: torch.device) -> bool:
    """Whether all ranks read the model at once: where each keeps it whole, or where they cut it together by heads.

    Else the whole model is in a rank's memory only until it is cut or on a GPU, and ranks may take turns.
    """
    return parallel.tensor > 1 or (device.type == "cpu" and parallel.shard == 1)
