"""Examples of one bin do not see each other: every training begins with a probe that the model keeps to it.

What a model does with bounds, masks and positions differs between architectures and attention backends, and a leak is
silent. One that keeps to neither bounds nor a mask is given its examples one to a row.
"""

from __future__ import annotations

import torch

from pipeline.errors import StageError
from pipeline.train.attention import Unserved, use_packed, windows_asked
from pipeline.train.data import MicroBatch, segment_bounds
from pipeline.train.learner import Isolation, Learner
from pipeline.train.windows import Windows

__all__ = ["isolate", "keeps_apart", "probe_bins"]

_ROUNDING = 1e-5
"""Of the greatest logit: float32 rounds at 1e-7 of it, and an example that is seen changes logits by a hundredth."""


def isolate(learner: Learner, *, vocab_size: int, length: int, device: torch.device, dtype: torch.dtype) -> Isolation:
    """Have a learner keep examples apart in the quickest way that its model obeys; one example to a row is the last.

    Args:
        learner: on `device`; whole, or cut by FSDP: then every rank must call this.
        vocab_size: tokens that may be tried.
        length: of the longest bin, in tokens. The probe's examples are short; what a layer with a window shorter than
            this would do with a longer one is told by the window that it asks for.
        device: of the model.
        dtype: of its activations.

    Returns:
        The way, which the learner takes from now on.

    Raises:
        StageError: the model sees the future, or does not look at its input.
    """
    plain = learner.plain
    own = getattr(plain.config, "_attn_implementation", None)
    learner.windows = Windows.of(plain.config, length)
    ways: tuple[Isolation, ...] = ("bounds", "mask", "alone")
    for way in ways:
        if learner.windows is None and way != "alone":
            continue  # rows by themselves see as the model was made to see
        if way == "bounds":
            # Flash attention on CUDA takes no float32.
            if (device.type != "cpu" and dtype == torch.float32) or not use_packed(plain):
                continue
        elif own is not None and plain.config._attn_implementation != own:
            plain.set_attn_implementation(own)
        learner.isolation = way
        with windows_asked() as asked:
            apart = keeps_apart(learner, vocab_size=vocab_size, device=device)
        if apart and way == "bounds" and learner.windows is not None and not learner.windows.told(asked, length):
            learner.windows = None  # the layers ask for others than the configuration gives
        elif apart:
            return way
    raise StageError(
        "the model's logits depend on tokens that come later, or not on those before them",
        where=f"train.model: {type(plain).__name__}",
        mend="choose a causal language model",
    )


@torch.no_grad()
def keeps_apart(learner: Learner, *, vocab_size: int, device: torch.device) -> bool:
    """Edit one example of a bin: is every logit but its own later ones the same, and are those other ones?

    The same but for rounding: how many tokens an expert has changes in what order it sums.

    For a learner that takes examples one to a row: are, of each row, the logits before the edit the same?
    """
    batch = probe_bins(vocab_size).to(device)
    # The second half of the middle example, in both bins of the batch; of whole rows, what they end with.
    at = (batch.segments == 1) & (batch.positions >= 4) if learner.isolation != "alone" else _tail(batch)
    edited = batch.tokens.clone()
    edited[at] = (edited[at] + 1) % vocab_size
    training = learner.training
    learner.eval()
    try:
        before = learner(batch, logits=True)
        after = learner(MicroBatch(**{**vars(batch), "tokens": edited}), logits=True)
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, AttributeError, LookupError, RuntimeError, Unserved):
        if learner.isolation == "alone":  # plain rows: what fails now is no matter of packing
            raise
        return False  # it takes no mask of these dimensions or kinds or no positions, or wants another attention
    finally:
        learner.train(training)
    if not bool(before.isfinite().all()):
        return True  # nothing can be told of such a model; its loss will stop it
    changed = ((before - after).abs() > _ROUNDING * before.abs().max()).any(dim=-1)
    return not bool(changed[~at].any()) and bool(changed[at].all())


def _tail(batch: MicroBatch) -> torch.Tensor:
    places = torch.arange(batch.tokens.shape[1], device=batch.tokens.device)
    return (places >= batch.tokens.shape[1] // 2).expand(batch.tokens.shape)


def probe_bins(vocab_size: int) -> MicroBatch:
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
        bounds=segment_bounds(segments),
        targets=tokens.new_empty(0),
        rows=(),
        num_tokens=tokens.numel(),
        num_targets=0,
    )
