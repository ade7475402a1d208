"""Token loss over bins, in streaming sums: nothing grows with the number of rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from pipeline.errors import StageError
from pipeline.pack.bins import Bins
from pipeline.train.data import collate, collate_alone
from pipeline.train.isolation import isolate, probe_bins
from pipeline.train.learner import Learner
from pipeline.train.model import Tokenizer

__all__ = ["LOSSES", "SplitLoss", "split_loss", "target_bytes"]

LOSSES = ("loss", "perplexity", "bits_per_byte")

_MAX_EXPONENT = 700.0
"""exp of more is not a finite float64."""


@dataclass(frozen=True, kw_only=True)
class SplitLoss:
    """What a model makes of the target tokens of a split.

    Args:
        nll: negative log-likelihood in nats, summed over the targets.
        targets: target tokens.
        bytes: UTF-8 bytes of the text of the targets.
    """

    nll: float
    targets: int
    bytes: int

    def metrics(self) -> dict[str, float | None]:
        """Nats a target token; its exponential; bits a byte of target text. None where there is no target.

        Bits a byte do not depend on how a tokenizer cuts the text, so models with different tokenizers compare.
        """
        loss = self.nll / self.targets if self.targets else None
        return {
            "loss": loss,
            "perplexity": math.exp(loss) if loss is not None and loss < _MAX_EXPONENT else None,
            "bits_per_byte": self.nll / math.log(2) / self.bytes if self.bytes else None,
        }


@torch.inference_mode()
def split_loss(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    bins: Bins,
    *,
    batch: int,
    length: int,
    device: torch.device,
    on_bins: Callable[[int], None],
) -> SplitLoss:
    """Measure a model on every bin, each example as if it were alone (isolation and loss are training's own).

    Args:
        model: in evaluation mode, on `device`.
        tokenizer: that the bins were made with.
        bins: of one split; may be empty.
        batch: bins that go through the model at once.
        length: tokens that a bin is padded to.
        device: of the model.
        on_bins: called with the number of bins after each batch.

    Raises:
        StageError: a loss is not finite; names the rows.
    """
    learner = Learner(model).eval()
    learner.find_head(probe_bins(len(tokenizer)).to(device))
    way = isolate(learner, vocab_size=len(tokenizer), device=device, dtype=model.dtype)
    total, targets, text = 0.0, 0, 0
    for first in range(0, len(bins), batch):
        numbers = range(first, min(first + batch, len(bins)))
        # The padding's value is never seen: it is a segment of its own and has no label.
        taken = [bins.get(number) for number in numbers]
        packed = collate_alone(taken, pad=0) if way == "alone" else collate(taken, length=length, pad=0)
        value = float(learner(packed.to(device)))
        if not math.isfinite(value):
            raise StageError(
                f"self-check: the loss is {value}",
                where="rows " + ", ".join(packed.rows[:20]),
                mend="look at these rows (`curate-and-train inspect RUN --row ID`), or lower the learning rate",
            )
        total += value
        targets += packed.num_targets
        text += sum(target_bytes(tokenizer, bins, number) for number in numbers)
        on_bins(len(numbers))
    return SplitLoss(nll=total, targets=targets, bytes=text)


def target_bytes(tokenizer: Tokenizer, bins: Bins, number: int) -> int:
    """UTF-8 bytes of the targets' text in one bin, without control tokens, decoded example by example."""
    tokens, loss, starts, _ = bins.get(number)
    ends = [*starts[1:].tolist(), len(tokens)]
    texts = tokenizer.batch_decode(
        [tokens[a:b][loss[a:b]].tolist() for a, b in zip(starts.tolist(), ends, strict=True)],
        skip_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )
    return sum(len(text.encode(errors="replace")) for text in texts)
