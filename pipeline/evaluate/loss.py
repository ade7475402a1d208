"""Token loss over bins, example by example."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from pipeline.errors import StageError
from pipeline.evaluate.scores import LOSSES
from pipeline.pack.bins import Bin, Bins
from pipeline.train.data import MicroBatch, collate, collate_alone
from pipeline.train.isolation import isolate, probe_bins
from pipeline.train.learner import Learner
from pipeline.train.model import Tokenizer

__all__ = ["example_losses", "isolated", "target_bytes"]


def isolated(model: PreTrainedModel, tokenizer: Tokenizer, device: torch.device, *, length: int) -> Learner:
    """The model as training sees it, in evaluation mode: each example of a bin as if it were alone.

    Args:
        model: on `device`.
        tokenizer: that the bins were made with.
        device: of the model.
        length: of the longest bin, in tokens.

    Raises:
        StageError: the model is not causal.
    """
    learner = Learner(model).eval()
    with torch.inference_mode():
        learner.find_head(probe_bins(len(tokenizer)).to(device))
        isolate(learner, vocab_size=len(tokenizer), length=length, device=device, dtype=model.dtype)
    return learner


@torch.inference_mode()
def example_losses(
    learner: Learner,
    tokenizer: Tokenizer,
    bins: Bins,
    numbers: range,
    *,
    length: int,
    device: torch.device,
) -> pa.Table:
    """Measure a model on some bins, each example as if it were alone (isolation and labels are training's own).

    Args:
        learner: of `isolated`, on `device`.
        tokenizer: that the bins were made with.
        bins: of one split.
        numbers: the bins that go through the model at once.
        length: tokens that a bin is padded to.
        device: of the model.

    Returns:
        `LOSSES`, an example a row. A row that was split over bins has several.

    Raises:
        StageError: a loss is not finite; names the rows.
    """
    several = [bins.get(number) for number in numbers]
    # The padding's value is never seen: it is a segment of its own and has no label.
    alone = learner.isolation == "alone"
    packed = collate_alone(several, pad=0) if alone else collate(several, length=length, pad=0)
    each = learner(packed.to(device), each=True).double().cpu().numpy()
    owners = _owners(packed, several, alone=alone)
    nll = np.bincount(owners, weights=each, minlength=len(packed.rows))
    targets = np.bincount(owners, minlength=len(packed.rows)).astype(np.int64)
    if not np.isfinite(nll).all():
        odd = [packed.rows[at] for at in np.flatnonzero(~np.isfinite(nll))[:20]]
        raise StageError(
            f"self-check: the loss is {nll[~np.isfinite(nll)][0]}",
            where="rows " + ", ".join(odd),
            mend="look at these rows (`curate-and-train inspect RUN --row ID`), or lower the learning rate",
        )
    text = [count for one in several for count in target_bytes(tokenizer, one)]
    return pa.table({"id": list(packed.rows), "nll": nll, "targets": targets, "bytes": text}, schema=LOSSES)


def target_bytes(tokenizer: Tokenizer, one: Bin) -> list[int]:
    """UTF-8 bytes of the targets' text of each example of a bin, without control tokens."""
    tokens, loss, starts, _ = one
    ends = [*starts[1:].tolist(), len(tokens)]
    texts = tokenizer.batch_decode(
        [tokens[a:b][loss[a:b]].tolist() for a, b in zip(starts.tolist(), ends, strict=True)],
        skip_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )
    return [len(text.encode(errors="replace")) for text in texts]


def _owners(packed: MicroBatch, bins: list[Bin], *, alone: bool) -> NDArray[np.int64]:
    """The number of the example that each target belongs to, over all bins."""
    row: NDArray[np.int64]
    row, column = np.divmod(packed.targets.numpy(), packed.tokens.shape[1])
    if alone:
        return row
    examples = np.array([len(one.rows) for one in bins])
    first: NDArray[np.int64] = np.cumsum(examples) - examples
    segments: NDArray[np.int64] = packed.segments.numpy()[row, column]
    return first[row] + segments
