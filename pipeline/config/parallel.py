"""`train.parallel`: how a model and its data are laid out over the ranks."""

from __future__ import annotations

from pydantic import Field

from pipeline.config.section import Section

__all__ = ["Parallel"]


class Parallel(Section):
    """Ranks = replicate × context × shard × tensor."""

    replicate: int | None = Field(None, ge=1)
    """Copies of the model that share out a step's bins; null takes all ranks that the others leave."""
    shard: int = Field(1, ge=1)
    """Ranks that hold a copy's weights, gradients and optimiser states in shards (FSDP2), and share out bins too."""
    context: int = Field(1, ge=1)
    """Ranks that share each bin's positions; keys and values are gathered."""
    tensor: int = Field(1, ge=1)
    """Ranks that share the heads and the columns of each layer."""

    def copies(self, world: int) -> int:
        """How many copies of the model `world` ranks hold.

        Raises:
            ValueError: the sizes do not multiply to `world`.
        """
        each = self.shard * self.context * self.tensor
        copies = self.replicate or max(1, world // each)
        if copies * each != world:
            sizes = [self.replicate or 1, self.context, self.shard, self.tensor]
            raise ValueError(
                f"parallel: replicate × context × shard × tensor = {' × '.join(map(str, sizes))} "
                f"does not make up the {world} ranks of `launch`"
            )
        return copies

    def data_ranks(self, world: int) -> int:
        """How many shares a step's bins are cut into."""
        return self.copies(world) * self.shard
