"""How far back each layer of a model sees: sliding windows, as transformers' configurations give them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Windows"]

_FULL, _SLIDING, _CHUNKED = "full_attention", "sliding_attention", "chunked_attention"
"""Names of `layer_types`, by which transformers tells the layers of one model apart."""


@dataclass(frozen=True)
class Windows:
    """The windows of a model's layers over sequences of a given length, in tokens; None sees all that came before.

    A position sees itself and the `window - 1` before it, as `sliding_window_overlay` of transformers has it.
    """

    layers: tuple[int | None, ...]
    """Of each layer, in their order."""
    kinds: dict[str, int | None] | None = None
    """Of each of `layer_types`, where they differ; such a model takes a mask for each."""

    @classmethod
    def of(cls, config: Any, length: int) -> Windows | None:
        """Those of a model, by its configuration; None where a layer sees in a way that is not known here.

        Args:
            config: of transformers.
            length: of the sequences, in tokens: a window that is no shorter hides nothing.
        """
        text = config.get_text_config(decoder=True)
        given = getattr(text, "sliding_window", None)
        window = given if given is not None and getattr(text, "use_sliding_window", True) else None
        chunk = getattr(text, "attention_chunk_size", None)
        if not isinstance(window, int | None) or not isinstance(chunk, int | None):
            return None
        layers = int(getattr(text, "num_hidden_layers", 0))
        types = getattr(text, "layer_types", None) or [_FULL if window is None else _SLIDING] * layers
        known = {_FULL: None, _SLIDING: window if window is not None and window < length else None}
        if chunk is None or chunk >= length:
            known[_CHUNKED] = None
        if not known.keys() >= {*types}:
            return None
        kinds = {kind: known[kind] for kind in types}
        return cls(tuple(known[kind] for kind in types), kinds if len({*kinds.values()}) > 1 else None)

    def told(self, windows: Sequence[int | None], length: int) -> bool:
        """Whether layers ask their attention for these windows, layer by layer, in one pass or several."""
        short = [None if window is None or window >= length else window for window in windows]
        if not any(self.layers):
            return not any(short)
        return short == [*self.layers] * (len(short) // len(self.layers))

    def counted(self) -> Counter[int | None]:
        """How many layers have which window."""
        return Counter(self.layers or (None,))
