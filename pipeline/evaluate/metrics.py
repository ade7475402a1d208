"""Scores of a generated answer against its reference, and the controls that the scores must pass."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from torchmetrics.functional.text import rouge_score

from pipeline.errors import StageError

__all__ = ["SCORES", "Score", "check_controls", "code_of", "is_python", "join", "mean_scores", "score"]

SCORES = ("exact_match", "rouge_l", "parses")

_MAX_WORDS = 2000
"""ROUGE-L is quadratic in the words; a longer text is scored by its first 2,000."""

_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Score:
    """Scores of one answer, each in [0, 1]; `parses` is None where the reference is not Python."""

    exact_match: float
    rouge_l: float
    parses: float | None


def score(prediction: str, reference: str, *, python: bool) -> Score:
    """Score one answer.

    Exact match compares the texts without surrounding blanks. ROUGE-L is the F-measure of the longest common
    subsequence of words (Lin 2004, https://aclanthology.org/W04-1013/), by torchmetrics; words are runs of
    letters and digits of any script, and single characters where a text has no word.

    Args:
        prediction: the generated text.
        reference: the text of the row.
        python: whether the reference is Python, see `is_python`; then `parses` tells whether the prediction is.
    """
    return Score(
        exact_match=float(prediction.strip() == reference.strip()),
        rouge_l=_rouge_l(prediction, reference),
        parses=float(_compiles(code_of(prediction))) if python else None,
    )


def mean_scores(scores: Sequence[Score]) -> dict[str, float | None]:
    """The mean of each score over the rows that have it; None where no row has."""
    means: dict[str, float | None] = {}
    for name in SCORES:
        values = [value for value in (getattr(one, name) for one in scores) if value is not None]
        means[name] = fmean(values) if values else None
    return means


def is_python(reference: str) -> bool:
    """Whether a reference is Python code: it parses, and it is more than prose that happens to parse.

    `Yes`, `pass` and `Answer: 12` all parse. A fenced block that parses is code; text without a fence is code
    where it holds a definition, an import, an assignment, a compound statement or a call.
    """
    code = code_of(reference)
    tree = _parse(code)
    if tree is None or not tree.body:
        return False
    return code != reference or any(_is_telling(node) for node in tree.body)


def code_of(text: str) -> str:
    """The code in an answer: the content of its fenced blocks, or all of it where it has none."""
    blocks = _FENCE.findall(text)
    return "\n".join(blocks) if blocks else text


def join(predictions: Mapping[str, str], references: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Join predictions and references by row id, never by position; returns (id, prediction, reference) by id.

    Raises:
        StageError: a row has a prediction and no reference, or a reference and no prediction.
    """
    if predictions.keys() != references.keys():
        odd = sorted(predictions.keys() ^ references.keys())
        raise StageError(
            f"{len(odd)} rows have a prediction or a reference, but not both",
            where=f"row {odd[0]}",
            mend="this is a defect of the project: please report it with the run's manifests",
        )
    return [(key, predictions[key], references[key]) for key in sorted(predictions)]


def check_controls(references: Mapping[str, str], python: Mapping[str, bool]) -> dict[str, dict[str, float | None]]:
    """Score exact copies of the references, aligned and shuffled: the scorer must tell them apart.

    Returns:
        The mean scores of both controls, for the report.

    Raises:
        StageError: an exact copy scores below 1.0 on any metric, or shuffled copies score no lower than aligned ones.
    """
    ids = sorted(references)
    aligned = [
        score(prediction, reference, python=python[key])
        for key, prediction, reference in join(dict(references), references)
    ]
    for key, one in zip(ids, aligned, strict=True):
        for name in SCORES:
            value = getattr(one, name)
            if value is not None and value != 1.0:
                raise StageError(
                    f"self-check: an exact copy of the reference scores {name} {value}", where=f"row {key}"
                )
    others = dict(zip(ids, [references[key] for key in [*ids[1:], *ids[:1]]], strict=True))
    shuffled = [
        score(prediction, reference, python=python[key]) for key, prediction, reference in join(others, references)
    ]
    copies, rotated = mean_scores(aligned), mean_scores(shuffled)
    # Told without the scorer's own words, which are what is under suspicion.
    distinct = {
        "exact_match": len({text.strip() for text in references.values()}) > 1,
        "rouge_l": len({"".join(filter(str.isalnum, text.lower())) for text in references.values()}) > 1,
    }
    for name, can_tell in distinct.items():
        low, high = rotated[name], copies[name]
        if can_tell and (low is None or high is None or low >= high):
            raise StageError(f"self-check: shuffled references score {name} {low}, aligned ones {high}")
    return {"copies": copies, "shuffled": rotated}


def _rouge_l(prediction: str, reference: str) -> float:
    scores = rouge_score(
        prediction, reference, rouge_keys="rougeL", normalizer=_normalise, tokenizer=str.split, use_stemmer=False
    )
    return float(scores["rougeL_fmeasure"])


def _normalise(text: str) -> str:
    # The library's own normaliser drops every character beyond a-z and 0-9: a Greek copy would score 0.
    return " ".join(_words(text))


def _words(text: str) -> list[str]:
    words = re.findall(r"[^\W_]+", text.lower()) or text.split() or [""]
    return words[:_MAX_WORDS]


def _is_telling(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.AnnAssign):
        return node.value is not None
    return not isinstance(node, ast.Pass | ast.Break | ast.Continue | ast.Return | ast.Global | ast.Nonlocal)


def _compiles(code: str) -> bool:
    tree = _parse(code)
    return tree is not None and bool(tree.body)


def _parse(code: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning: an invalid escape is the generated code's affair
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
