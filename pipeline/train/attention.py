"""Examples of one bin do not see each other: an explicit mask, and a probe that the model obeys it.

Boundaries are passed to the model as a 4-D mask and as position ids, never inferred by it. What a model does with
them differs between architectures and attention backends, and a leak is silent; so every training starts with
a probe.
"""

from __future__ import annotations

from typing import Any

import torch

from pipeline.errors import StageError
from pipeline.train.data import MicroBatch

__all__ = ["block_causal_mask", "logits_of", "probe_isolation"]


def logits_of(model: torch.nn.Module, batch: MicroBatch) -> torch.Tensor:
    """The logits (B, L, V) of a packed batch, each example as if it were alone."""
    output: Any = model(
        input_ids=batch.tokens,
        attention_mask=block_causal_mask(batch.segments),
        position_ids=batch.positions,
        use_cache=False,
    )
    return output.logits  # type: ignore[no-any-return]


def block_causal_mask(segments: torch.Tensor) -> torch.Tensor:
    """The additive mask (B, 1, L, L), float32: 0 where position i may look at j ≤ i of its own segment.

    Elsewhere the least finite number and not -inf: a row of nothing but -inf is NaN after softmax. A mask
    of floats and not of booleans, because the eager attention of transformers adds it to the scores.

    Args:
        segments: (B, L), the segment that each position belongs to.
    """
    length = segments.shape[1]
    same = segments[:, :, None] == segments[:, None, :]
    causal = torch.ones(length, length, dtype=torch.bool, device=segments.device).tril()
    hidden = torch.finfo(torch.float32).min
    return torch.zeros(same.shape, device=segments.device).masked_fill(~(same & causal), hidden)[:, None]


@torch.no_grad()
def probe_isolation(model: torch.nn.Module, *, vocab_size: int, device: torch.device) -> None:
    """Edit one example of a bin and require every logit but its own later ones to be the same bits.

    Raises:
        StageError: the model lets examples of a bin see each other, or sees the future, or takes no mask.
    """
    batch = _probe_bin(vocab_size).to(device)
    edited = batch.tokens.clone()
    # The second half of the middle example, in both bins of the batch.
    at = (batch.segments == 1) & (batch.positions >= 4)
    edited[at] = (edited[at] + 1) % vocab_size
    training = model.training
    model.eval()
    try:
        before = logits_of(model, batch)
        after = logits_of(model, MicroBatch(**{**vars(batch), "tokens": edited}))
    except TypeError as error:
        raise StageError(
            f"the model takes no attention mask or no position ids, so packed rows cannot be kept apart: {error}",
            where="train.model",
            mend="choose an architecture with attention",
        ) from None
    finally:
        model.train(training)
    changed = (before != after).any(dim=-1)
    if bool(changed[~at].any()):
        raise StageError(
            "the model lets rows of one bin see each other: an edit of one row changed the logits of another",
            where=f"train.model: {type(model).__name__}",
            mend="choose an architecture whose attention obeys a 4-D mask; training it unpacked is not supported yet",
        )
    if not bool(changed[at].all()):
        raise StageError(
            "the model's logits do not depend on its input",
            where=f"train.model: {type(model).__name__}",
            mend="check the model's weights",
        )


def _probe_bin(vocab_size: int) -> MicroBatch:
    """Two bins of three examples and padding, cut at different places."""
    lengths = torch.tensor([[6, 9, 5, 4], [3, 8, 11, 2]])
    segments = torch.stack([torch.repeat_interleave(torch.arange(4), row) for row in lengths])
    positions = torch.stack([torch.cat([torch.arange(int(n)) for n in row]) for row in lengths])
    tokens = (torch.arange(segments.numel()).reshape(segments.shape) * 7919) % vocab_size
    return MicroBatch(
        tokens=tokens,
        labels=torch.full_like(tokens, -100),
        positions=positions,
        segments=segments,
        rows=(),
        num_tokens=tokens.numel(),
        num_targets=0,
    )
