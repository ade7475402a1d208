"""OpenAI's contents that are lists of parts: `[{"type": "text", "text": "…"}, {"type": "image_url", …}]`."""

from __future__ import annotations

from typing import Any

from pipeline.errors import plain_keys
from pipeline.ingest.formats.values import object_of, text_at
from pipeline.ingest.rejected import Rejected

__all__ = ["text_of_parts"]

_TEXTS = ("text", "input_text", "output_text")


def text_of_parts(parts: list[Any], where: str) -> str:
    """The texts of the parts, one behind the other with nothing between them, as chat templates write them.

    Raises:
        Rejected: a part is no text; the reason names its type.
    """
    texts = []
    for number, part in enumerate(parts):
        here = f"{where}part {number + 1}: "
        kind = text_at(object_of(part, here), "type", here)
        if kind not in _TEXTS:
            (name,) = plain_keys([kind]) or ["of another type"]
            raise Rejected("not_text", f"{here}{name}, and only parts of type text can be read")
        texts.append(text_at(part, "text", here, blank=True))
    return "".join(texts)
