"""Token loss over bins, example by example."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.errors import StageError
from pipeline.evaluate.scores import LOSSES
from pipeline.pack.bins import Bin, Bins
from pipeline.train.attention import logits_of
from pipeline.train.data import IGNORED, MicroBatch, collate
from pipeline.train.model import Tokenizer

__all__ = ["example_losses", "target_bytes"]


@torch.inference_mode()
def example_losses(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    bins: Bins,
    numbers: range,
    *,
    length: int,
    device: torch.device,
) -> pa.Table:
    """Measure a model on some bins, each example as if it were alone (mask, positions and labels are training's own).

    Args:
        model: in evaluation mode, on `device`.
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
    packed = collate(several, length=length, pad=0).to(device)
    logits = logits_of(model, packed).float()
    lost = cross_entropy(logits.flatten(0, 1), packed.labels.flatten(), ignore_index=IGNORED, reduction="none")
    nll, targets = _by_example(lost.view_as(packed.labels), packed, several)
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


def _by_example(
    lost: torch.Tensor, packed: MicroBatch, bins: list[Bin]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Sums over the segments of (B, L) losses, in float64; the padding behind the last example is left out."""
    nll, targets = [], []
    for b, one in enumerate(bins):
        segments = packed.segments[b].cpu().numpy()
        counted = (packed.labels[b] != IGNORED).cpu().numpy()
        examples = len(one.rows)
        values = lost[b].double().cpu().numpy()
        nll.append(np.bincount(segments, weights=values, minlength=examples)[:examples])
        targets.append(np.bincount(segments, weights=counted, minlength=examples)[:examples].astype(np.int64))
    return np.concatenate(nll), np.concatenate(targets)
