"""Cut a model over the mesh: heads and columns by tensor parallel, then each decoder layer by FSDP2."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from transformers import PreTrainedModel

from pipeline.errors import RecipeError
from pipeline.train.learner import Learner
from pipeline.train.mesh import Layout

__all__ = ["decoder_layers", "shard", "tensor_plan"]

_STYLES = {"colwise": ColwiseParallel, "rowwise": RowwiseParallel}
_BY_HEADS = "replicated_with_grad_allreduce"
"""transformers' word for a whole weight that each rank applies to its own heads."""


def shard(learner: Learner, layout: Layout, *, dtype: torch.dtype) -> list[str]:
    """Cut the weights of a learner over the mesh, in place; they are DTensors afterwards, in float32.

    Args:
        learner: whole, equal on every rank, in float32.
        layout: of a mesh.
        dtype: of the computation; gradients are summed in float32.

    Returns:
        The names of the weights whose gradients tensor parallel leaves in parts.

    Raises:
        RecipeError: the model cannot be cut so.
    """
    plain = learner.plain
    tensor = layout.tensor()
    partial = [] if tensor is None else _cut_heads(plain, tensor)
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
    mesh = layout.fsdp()
    for layer in decoder_layers(plain):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(learner, mesh=mesh, mp_policy=policy)
    for module in learner.modules():
        if isinstance(module, FSDPModule):
            # The loss is a sum over all targets of the step already: gradients are summed, not averaged.
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    return partial


def decoder_layers(model: PreTrainedModel) -> Sequence[torch.nn.Module]:
    """The repeated blocks: the module list with most weights.

    Raises:
        RecipeError: the model has none.
    """
    lists: list[Sequence[torch.nn.Module]] = [
        module for module in model.modules() if isinstance(module, torch.nn.ModuleList) and len(module)
    ]
    if not lists:
        raise RecipeError(
            f"{type(model).__name__} has no list of layers to cut", where="train.parallel", mend="set shard to 1"
        )
    return max(lists, key=lambda layers: sum(_numel(layer) for layer in layers))


def _numel(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def tensor_plan(made: Any, size: int) -> dict[str, str]:
    """What transformers says of each linear layer of an architecture: the pattern of its name, and how it is cut.

    Args:
        made: a transformers configuration.
        size: ranks of the tensor dimension.

    Raises:
        RecipeError: there is no such plan, it has a way of cutting that is not served here, or heads do not divide.
    """
    where = f"train.parallel.tensor: {size}"
    plan = dict(getattr(made, "base_model_tp_plan", None) or {})
    if not plan:
        raise RecipeError(
            f"transformers has no tensor-parallel plan for {made.model_type}", where=where, mend="use shard instead"
        )
    for style in sorted({*plan.values()} - {*_STYLES, _BY_HEADS}):
        raise RecipeError(
            f"{made.model_type} would be cut by {style!r}, which is not served", where=where, mend="use shard instead"
        )
    heads = made.num_attention_heads
    for name, count in (
        ("num_attention_heads", heads),
        ("num_key_value_heads", getattr(made, "num_key_value_heads", None) or heads),
        ("intermediate_size", getattr(made, "intermediate_size", size)),
    ):
        if count % size:
            raise RecipeError(
                f"{name} {count} of {made.model_type} is no multiple of {size}",
                where=where,
                mend="choose a size that divides it, or use shard instead",
            )
    return plan


def _cut_heads(plain: PreTrainedModel, mesh: DeviceMesh) -> list[str]:
    plan = tensor_plan(plain.config, mesh.size())
    base = plain.base_model
    for name, module in base.named_modules():
        style = next((style for pattern, style in plan.items() if fnmatchcase(name, pattern)), None)
        if style in _STYLES:
            parallelize_module(module, mesh, _STYLES[style]())
    prefix = f"{plain.base_model_prefix}." if base is not plain else ""
    by_heads = [pattern for pattern, style in plan.items() if style == _BY_HEADS]
    return [
        prefix + name
        for name, _ in base.named_parameters()
        if any(fnmatchcase(name.rpartition(".")[0], pattern) for pattern in by_heads)
    ]
