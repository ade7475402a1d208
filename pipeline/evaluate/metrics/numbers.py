"""The number that an answer to a problem in words ends with."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

__all__ = ["final_number", "marked_number", "numeric"]

_NUMBER = r"[-−+]?[$€£]?\s?[-−+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:[eE][-+]?\d{1,3})?"
_MARKED = re.compile(
    rf"####\s*({_NUMBER})|\\boxed\{{\s*({_NUMBER})\s*%?\s*\}}|\banswer\s*(?:is|:|=)\s*\**\s*({_NUMBER})", re.IGNORECASE
)
_ANY = re.compile(r"[-−+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?")

_LAST = 1 << 14
"""Characters at the end of an answer in which its number is looked for."""


def numeric(prediction: str, reference: str) -> float:
    r"""Whether an answer ends with the reference's number: 1,000 is 1000 and 1000.0.

    The last marked number (`#### 42`, `\boxed{42}`, `the answer is 42`) counts, else the last number at all, as
    lm-evaluation-harness has it for GSM8K (`flexible-extract`).
    """
    wanted, found = marked_number(reference), final_number(prediction)
    return float(wanted is not None and found == wanted)


def final_number(text: str) -> Decimal | None:
    """The marked number of a text, or the last one."""
    marked = marked_number(text)
    if marked is not None:
        return marked
    every = _ANY.findall(text[-_LAST:])
    return _decimal(every[-1]) if every else None


def marked_number(text: str) -> Decimal | None:
    """The last number that a text marks as its answer; a text that is nothing but a number marks it."""
    text = text[-_LAST:]
    for match in reversed(list(_MARKED.finditer(text))):
        number = next((group for group in match.groups() if group), "")
        if (value := _decimal(number)) is not None:
            return value
    return _decimal(text.strip()) if _ANY.fullmatch(text.strip()) else None


def _decimal(text: str) -> Decimal | None:
    try:
        value = Decimal(re.sub(r"[,$€£\s]", "", text).replace("−", "-"))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None
