"""A model as training sees it: a micro batch in, its summed loss out, whole logits nowhere."""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from peft import PeftModel
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.train.attention import block_causal_mask
from pipeline.train.chunked_loss import each_nll, summed_nll
from pipeline.train.data import MicroBatch
from pipeline.train.windows import Windows

__all__ = ["Isolation", "Learner"]

Isolation = Literal["bounds", "mask", "alone"]
"""What keeps the examples of a bin apart: the bounds of segments, given to `attention.PACKED`; a 4-D mask, given to
the model's own attention; or that each of them has a row to itself."""


class Learner(torch.nn.Module):
    """Computes on micro batches that were made for its `isolation`.

    A module, for FSDP: within its `forward`, and nowhere else, the weights of the head are whole.
    """

    def __init__(self, model: PreTrainedModel | PeftModel) -> None:
        super().__init__()
        self.model = model
        self.isolation: Isolation = "mask"
        """See `pipeline.train.isolation.isolate`."""
        self.windows: Windows | None = None
        """Of the model's layers, where they are known; masks keep to them."""
        self.chunked = False
        """The loss is taken from the decoder's output and the head's weights: see `find_head`."""

    def forward(self, batch: MicroBatch, *, logits: bool = False, each: bool = False) -> torch.Tensor:
        """Negative log-likelihood in nats, summed over the batch's targets; or of each target; or the logits (B, L, V).

        Args:
            batch: T targets, at `batch.targets`.
            logits: return all of them.
            each: do not sum but return (T,), without gradients.
        """
        inputs: dict[str, Any] = {"input_ids": batch.tokens, "use_cache": False}
        if self.isolation == "bounds":
            inputs |= {"attention_mask": batch.bounds, "position_ids": batch.positions}
        elif self.isolation == "mask":
            inputs |= {"attention_mask": self._mask(batch), "position_ids": batch.positions}
        if logits:
            return cast(torch.Tensor, self.model(**inputs).logits)
        wanted = batch.labels.flatten()[batch.targets]
        if not self.chunked:
            whole = self.model(**inputs).logits.flatten(0, 1)[batch.targets].float()
            return cross_entropy(whole, wanted, reduction="none" if each else "sum")
        hidden = self.plain.base_model(**inputs).last_hidden_state.flatten(0, 1)[batch.targets]
        head = cast(torch.nn.Linear, self.plain.get_output_embeddings())  # type: ignore[no-untyped-call]
        return (each_nll if each else summed_nll)(hidden, head.weight, head.bias, wanted)

    @property
    def plain(self) -> PreTrainedModel:
        """The model, below its adapters if it has any."""
        return cast(PreTrainedModel, self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model)

    @torch.no_grad()
    def find_head(self, batch: MicroBatch) -> None:
        """Take the loss in chunks from now on, if the logits are those of a linear head and nothing else.

        Some families scale or cap them, and only the logits tell; so they are compared bit by bit on a batch, without
        dropout, which would draw others for each. To be called while the weights are whole.
        """
        head = self.plain.get_output_embeddings()  # type: ignore[no-untyped-call]
        if type(head) is not torch.nn.Linear or not hasattr(self.plain, "base_model"):
            return
        inputs = {"input_ids": batch.tokens, "position_ids": batch.positions, "use_cache": False}
        training = self.training
        self.eval()
        try:
            decoder: Any = self.plain.base_model(**inputs)
            hidden = decoder.last_hidden_state
            whole: Any = self.plain(**inputs)
        except (TypeError, AttributeError):
            return
        finally:
            self.train(training)
        self.chunked = torch.equal(head(hidden), whole.logits)

    def _mask(self, batch: MicroBatch) -> torch.Tensor | dict[str, torch.Tensor]:
        """One mask, or one for each of the model's `layer_types`."""

        def mask(window: int | None) -> torch.Tensor:
            return block_causal_mask(batch.segments, self.plain.dtype, window=window)

        if self.windows is None:
            return mask(None)
        if self.windows.kinds is not None:
            return {kind: mask(window) for kind, window in self.windows.kinds.items()}
        return mask(next(iter(self.windows.layers), None))
