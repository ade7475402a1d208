"""`train`: what is trained, and how."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from pipeline.config.lora import Lora
from pipeline.config.parallel import Parallel
from pipeline.config.section import Section
from pipeline.config.watch import Spikes, Track, Validation

__all__ = ["Launch", "Model", "Train"]


class Model(Section):
    """What is trained."""

    path: str | None = None
    """A Hugging Face causal language model, by folder or name."""
    config: dict[str, Any] | None = None
    """Or the keys of a transformers configuration (`model_type: llama`, …) for a model with random weights."""
    trust_remote_code: bool = False
    """Run the Python that comes with the model in `path`. Read it first: it can do whatever you can."""

    @model_validator(mode="after")
    def _one_origin(self) -> Model:
        if (self.path is None) == (self.config is None):
            raise ValueError("give either `path` (a trained model) or `config` (random weights)")
        if self.config is not None and "model_type" not in self.config:
            raise ValueError("`config` needs a `model_type`, such as llama")
        if self.config is not None and self.trust_remote_code:
            raise ValueError("`trust_remote_code` goes with `path`: a `config` has no code")
        return self


class Launch(Section):
    """How torchrun is started."""

    nproc: int = Field(1, ge=1)
    """Ranks on each machine."""
    nodes: int = Field(1, ge=1)
    """Machines that train together; each runs the command, with a `node_rank` of its own."""
    node_rank: int = Field(0, ge=0)
    """Of this machine; 0 writes the run directory, which all of them see."""
    rdzv_endpoint: str | None = None
    """Where they meet: host:port of machine 0, the same on all; an IPv6 address in brackets."""
    rdzv_timeout: int = Field(900, ge=1)
    """Seconds that a machine waits for the others."""
    grace: float = Field(15.0, gt=0)
    """Seconds that ranks have to save and leave after SIGTERM; below the 30 s after which Prefect kills."""

    @field_validator("rdzv_endpoint")
    @classmethod
    def _host_and_port(cls, given: str | None) -> str | None:
        if given is None:
            return None
        found = re.fullmatch(r"([\w.-]+|\[([\da-fA-F:.]+(?:%[\w.-]+)?)\]):(\d{1,5})", given, re.ASCII)
        if found is None or (found[2] is not None and not _is_ipv6(found[2])):
            raise ValueError(f"{given!r} is no host:port, such as node0:29500, 10.0.0.1:29500 or [fd00::1]:29500")
        if not 0 < int(found[3]) < 1 << 16:
            raise ValueError(f"{given!r}: a port is a number from 1 to 65535")
        return given

    @model_validator(mode="after")
    def _meets(self) -> Launch:
        if self.nodes > 1 and self.rdzv_endpoint is None:
            raise ValueError(f"{self.nodes} nodes need `rdzv_endpoint`: host:port of the one with node_rank 0")
        if self.node_rank >= self.nodes:
            raise ValueError(f"node_rank {self.node_rank} is not below nodes {self.nodes}")
        return self

    @property
    def world(self) -> int:
        """Ranks on all machines."""
        return self.nproc * self.nodes


def _is_ipv6(text: str) -> bool:
    try:
        return bool(IPv6Address(text))
    except ValueError:
        return False


class Train(Section):
    """The training run."""

    model: Model
    method: Literal["full", "lora"] = "full"
    lora: Lora = Lora()
    steps: int = Field(200, ge=1)
    micro_batch: int = Field(1, ge=1)
    """Bins that a rank puts through the model at once."""
    global_batch: int = Field(8, ge=1)
    """Bins in one optimiser step, over all ranks."""
    precision: Literal["fp32", "bf16", "float8"] = "fp32"
    """What the model computes in. The optimiser's weights are float32 always; float8 is for the products of linear
    layers on a GPU that has it (torchao), all else is bf16 then."""
    parallel: Parallel = Parallel()
    activation_checkpointing: Literal["off", "selective", "full"] = "off"
    """What is computed a second time instead of kept: nothing, half of each layer, all of it."""
    compile: bool = False
    """Compile each layer (torch.compile): minutes at the start, quicker steps on a GPU."""
    optimizer: Literal["adamw", "adamw8bit"] = "adamw"
    """`adamw8bit`: moments of 8 bits, by torchao where it is installed."""
    balance: bool = True
    """Bins of like attention cost share a step, so that no rank waits for another."""
    reshuffle: bool = True
    """Examples of equal length change places between bins each epoch: other companions, the same density."""
    learning_rate: float = Field(1e-3, gt=0)
    schedule: Literal["cosine", "linear", "constant", "wsd"] = "cosine"
    """How the learning rate falls after the warm-up; `wsd` is warm-up, stable, decay."""
    warmup: int = Field(10, ge=0)
    """Steps of linear warm-up."""
    decay: float = Field(0.1, gt=0, le=1)
    """`wsd`: the share of the steps in which the learning rate falls, at the end."""
    final_learning_rate: float = Field(0.1, ge=0, le=1)
    """Where it ends, as a share of `learning_rate`; `constant` stays at the peak."""
    weight_decay: float = Field(0.1, ge=0)
    clip: float = Field(1.0, gt=0)
    """Global gradient norm."""
    checkpoint_every: int = Field(50, ge=1)
    keep_last: int = Field(2, ge=1)
    """Older checkpoints are removed."""
    validation: Validation | None = None
    """null measures nothing before the end of training."""
    spikes: Spikes | None = Spikes()
    """null looks for none."""
    track: Track = Track()
    launch: Launch = Launch()

    @model_validator(mode="after")
    def _divides(self) -> Train:
        world = self.launch.world
        shares = self.parallel.data_ranks(world)
        if self.global_batch % (self.micro_batch * shares):
            what = "the ranks that share out bins (replicate × shard)"
            if shares == world:
                what = "launch.nproc" + (" × launch.nodes" if self.launch.nodes > 1 else "")
            raise ValueError(
                f"global_batch {self.global_batch} is not a multiple of micro_batch × {what} = "
                f"{self.micro_batch} × {shares}"
            )
        return self

    @model_validator(mode="after")
    def _quantized(self) -> Train:
        if self.method == "lora" and self.lora.quantize is not None and self.model.path is None:
            raise ValueError("`lora.quantize` needs `model.path`: there is no use in quantised random weights")
        return self

    @model_validator(mode="after")
    def _goes_together(self) -> Train:
        """Combinations that nothing here can serve, each with its reason."""
        tensor, context = self.parallel.tensor, self.parallel.context
        cut = tensor * self.parallel.shard > 1
        for refused, reason in (
            (tensor > 1 and self.method == "lora", "parallel.tensor with method lora: adapters are not cut by heads"),
            (
                cut and self.method == "lora" and self.lora.dtype is not None,
                "parallel.shard with lora.dtype: FSDP casts all that it gathers to one type",
            ),
            (
                cut and self.method == "lora" and self.lora.quantize is not None,
                "parallel.shard with lora.quantize: quantised weights are not cut",
            ),
            (context > 1 and self.micro_batch > 1, "parallel.context with micro_batch above 1: ranks share one bin"),
            (context > 1 and self.compile, "parallel.context with compile: what a rank gathers is read on the host"),
            (cut and self.precision == "float8", "parallel.shard or tensor with precision float8: not served yet"),
            (
                self.compile and self.activation_checkpointing == "selective",
                "compile with activation_checkpointing selective: the compiler chooses what it keeps; use off or full",
            ),
            (self.precision == "float8" and not self.compile, "precision float8 without compile: slower than bf16"),
        ):
            if refused:
                raise ValueError(reason)
        return self
