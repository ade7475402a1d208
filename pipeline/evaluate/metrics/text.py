"""Text against text: exact match, F1 of words, ROUGE-L. The last two are torchmetrics' own."""

from __future__ import annotations

import re

from torchmetrics.functional.text import rouge_score, squad

__all__ = ["exact_match", "f1", "rouge_l"]

_MAX_WORDS = 2000
"""ROUGE-L is quadratic in the words; a longer text is scored by its first 2,000."""

_LONGEST = 1 << 16
"""Characters of a text that are looked at for words."""


def exact_match(prediction: str, reference: str) -> float:
    """Whether both are the same text, without surrounding blanks."""
    return float(prediction.strip() == reference.strip())


def f1(prediction: str, reference: str) -> float:
    """F-measure of the words that both have, in the normal form of SQuAD: no case, no articles, no punctuation.

    Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250.
    """
    scores = squad(
        [{"prediction_text": prediction[:_LONGEST], "id": "0"}],
        [{"answers": {"answer_start": [0], "text": [reference[:_LONGEST]]}, "id": "0"}],
    )
    return float(scores["f1"]) / 100


def rouge_l(prediction: str, reference: str) -> float:
    """F-measure of the longest common subsequence of words (Lin 2004, https://aclanthology.org/W04-1013/).

    Words are runs of letters and digits of any script, and single characters where a text has no word.
    """
    scores = rouge_score(
        prediction, reference, rouge_keys="rougeL", normalizer=_normalise, tokenizer=str.split, use_stemmer=False
    )
    return float(scores["rougeL_fmeasure"])


def _normalise(text: str) -> str:
    # The library's own normaliser drops every character beyond a-z and 0-9: a Greek copy would score 0.
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+", text[:_LONGEST].lower()) or text[:_LONGEST].split() or [""]
    return words[:_MAX_WORDS]
