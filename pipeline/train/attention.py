"""Attention within segments: each example of a bin by itself, by bounds that are given and never inferred.

`PACKED` is an attention of transformers' interface, so every family that uses the interface has it. It is handed the
bounds of the segments in the place of a mask: transformers passes anything with four dimensions on as it is. So they
reach the layer as an explicit argument, also when activation checkpointing computes it a second time.

    CPU     one causal attention a segment: Σ length² and not (Σ length)², 3 to 7 times as fast as a mask at 512-2048;
            of a segment longer than the layer's window, one a block of queries
    CUDA    variable-length flash attention: torch's own, else flash-attn's
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from pipeline.errors import MachineError
from pipeline.train.context import gather_sequence

__all__ = [
    "PACKED",
    "Unserved",
    "attend_packed",
    "block_causal_mask",
    "share_sequence",
    "use_packed",
    "windows_asked",
]

PACKED = "curate_and_train_packed"
"""The name in transformers' interface. Given any other mask, or none, this attention is transformers' `sdpa`."""

_BLOCK = 256
"""The least number of queries that attend together over a window: fewer are slower than what they save."""

_CHANGES = ("softcap", "s_aux", "sinks", "position_bias")
"""Arguments of the interface that change the scores, and that a segment's attention here does not know."""


Attend = Callable[..., Any]


class Unserved(Exception):
    """The model asks of its attention what `PACKED` does not do."""


def use_packed(model: PreTrainedModel) -> bool:
    """Have the model attend by `PACKED`; False where its family does not take its attention from the interface."""
    AttentionInterface.register(PACKED, attend_packed)
    AttentionMaskInterface.register(PACKED, sdpa_mask)
    if not model._can_set_attn_implementation():
        return False
    model.set_attn_implementation(PACKED)
    return bool(model.config._attn_implementation == PACKED)


def block_causal_mask(
    segments: torch.Tensor, dtype: torch.dtype = torch.float32, *, window: int | None = None
) -> torch.Tensor:
    """The additive mask (B, 1, L, L): 0 where position i may look at j ≤ i of its own segment, and within its window.

    Elsewhere the least finite number and not -inf: a row of nothing but -inf is NaN after softmax. A mask
    of floats and not of booleans, because the eager attention of transformers adds it to the scores.

    Args:
        segments: (B, L), the segment that each position belongs to.
        dtype: of the model's activations.
        window: how many positions i sees, itself among them; None for all.
    """
    length = segments.shape[1]
    same = segments[:, :, None] == segments[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    if window is not None:
        causal = causal.triu(1 - window)
    hidden = torch.finfo(dtype).min
    return torch.zeros(same.shape, dtype=dtype, device=segments.device).masked_fill(~(same & causal), hidden)[:, None]


_group: dist.ProcessGroup | None = None


def share_sequence(group: dist.ProcessGroup | None) -> None:
    """From now on each rank of `group` holds an equal share of every sequence, in the order of ranks; None ends it."""
    global _group
    _group = group


_asked: list[int | None] | None = None


@contextmanager
def windows_asked() -> Iterator[list[int | None]]:
    """The windows that layers ask for while this is open, one an attention within bounds, in their order."""
    global _asked
    found: list[int | None] = []
    _asked = found
    try:
        yield found
    finally:
        _asked = None


def attend_packed(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of transformers' interface.

    Args:
        module: the attention layer.
        query: (B, H, L, D).
        key: (B, K, L, D), H a multiple of K.
        value: as `key`.
        attention_mask: what `segment_bounds` gave; anything else goes to `sdpa`.
        scaling: of the scores; None for D^-½.
        dropout: of the weights.
        settings: other arguments of the interface, of them `sliding_window`.

    Returns:
        (B, L, H, D) and no weights.

    Raises:
        Unserved: scores would have to be changed otherwise.
    """
    if attention_mask is None or attention_mask.dtype != torch.int32:
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **settings)
    for name in _CHANGES:
        if settings.get(name) is not None:
            raise Unserved(f"attention with {name}")
    window = settings.get("sliding_window")
    if _asked is not None:
        _asked.append(window)
    if query.device.type == "meta":  # only asked whether it would do
        return value.new_empty(query.shape[0], query.shape[2], query.shape[1], value.shape[3]), None
    if _group is not None:
        key, value = gather_sequence(key, value, _group)
    batch, heads, length, _ = query.shape
    query, key, value = (part.transpose(1, 2).flatten(0, 1) for part in (query, key, value))  # (tokens, heads, D)
    attend = _segment_by_segment if query.device.type == "cpu" else _flash()
    out = attend(query, key, value, attention_mask[0, :, 0], scaling, dropout, window)
    return out.view(batch, length, heads, value.shape[-1]), None


def _segment_by_segment(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bounds: torch.Tensor,
    scaling: float | None,
    dropout: float,
    window: int | None,
) -> torch.Tensor:
    """Attention over (tokens, heads, D), segment by segment."""
    queries, keys = bounds.tolist()
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    begin, end = keys[0], keys[-1]
    lengths = [b - a for a, b in pairwise(queries)]
    seen = [b - a for a, b in pairwise(keys)]
    parts = zip(
        torch.split(query.transpose(0, 1)[None], lengths, dim=2),
        torch.split(key[begin:end].transpose(0, 1)[None], seen, dim=2),
        torch.split(value[begin:end].transpose(0, 1)[None], seen, dim=2),
        strict=True,
    )
    out = []
    for part in parts:
        for some in _blocks(*part, window):
            mask = _last(some[0].shape[2], some[1].shape[2], window, query)
            out.append(
                scaled_dot_product_attention(
                    *some, attn_mask=mask, dropout_p=dropout, is_causal=mask is None, scale=scaling
                )
            )
    return torch.cat(out, dim=2)[0].transpose(0, 1)


def _blocks(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, window: int | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """A segment whole; one longer than the window in blocks of queries, each with the keys that these see."""
    queries, keys = query.shape[2], key.shape[2]
    if window is None or window >= keys:
        yield query, key, value
        return
    for first in range(0, queries, size := max(window, _BLOCK)):
        last = min(first + size, queries)
        # The segment's last query goes with its last key.
        seen = slice(max(0, first + keys - queries + 1 - window), last + keys - queries)
        yield query[:, :, first:last], key[:, :, seen], value[:, :, seen]


def _last(queries: int, keys: int, window: int | None, like: torch.Tensor) -> torch.Tensor | None:
    """The mask of the last `queries` of `keys` positions; None where all of them see all that came before."""
    if queries == keys and (window is None or window >= keys):
        return None
    mask = torch.ones(queries, keys, dtype=torch.bool, device=like.device).tril(keys - queries)
    return mask if window is None else mask.triu(keys - queries + 1 - window)


def _flash() -> Attend:
    """Variable-length flash attention of this machine.

    Raises:
        MachineError: there is none.
    """
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        try:
            from flash_attn import flash_attn_varlen_func  # type: ignore[import-not-found]
        except ImportError:
            raise MachineError(
                "neither torch.nn.attention.varlen nor flash-attn is here",
                where=f"torch {torch.__version__}",
                mend="install torch 2.10 or newer, or flash-attn; or set train.precision: fp32",
            ) from None
        return _by_flash_attn(flash_attn_varlen_func)
    return _by_torch(varlen_attn)


def _by_torch(varlen_attn: Attend) -> Attend:
    shares_heads = "enable_gqa" in inspect.signature(varlen_attn).parameters  # torch 2.11 has no such word

    def attend(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bounds: torch.Tensor,
        scaling: float | None,
        dropout: float,
        window: int | None,
    ) -> torch.Tensor:
        if dropout:
            raise Unserved("attention with dropout by torch.nn.attention.varlen")
        key, value = _covered(key, value, bounds)
        groups = query.shape[1] // key.shape[1]
        if groups > 1 and not shares_heads:
            key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
        out: torch.Tensor = varlen_attn(
            query,
            key,
            value,
            bounds[0],
            bounds[1] - bounds[1, 0],
            len(query),
            len(key),
            scale=scaling,
            window_size=(-1 if window is None else window - 1, 0),
            **({"enable_gqa": True} if groups > 1 and shares_heads else {}),
        )
        return out

    return attend


def _by_flash_attn(flash_attn_varlen_func: Attend) -> Attend:
    def attend(
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bounds: torch.Tensor,
        scaling: float | None,
        dropout: float,
        window: int | None,
    ) -> torch.Tensor:
        out: torch.Tensor = flash_attn_varlen_func(
            query,
            *_covered(key, value, bounds),
            bounds[0],
            bounds[1] - bounds[1, 0],
            len(query),
            len(key),
            dropout_p=dropout,
            softmax_scale=scaling,
            causal=True,
            window_size=(-1 if window is None else window - 1, 0),
        )
        return out

    return attend


def _covered(key: torch.Tensor, value: torch.Tensor, bounds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The keys and values that the bounds speak of: all, but where each rank holds a share of the sequence."""
    if _group is None:
        return key, value
    begin, end = int(bounds[1, 0]), int(bounds[1, -1])
    return key[begin:end], value[begin:end]
