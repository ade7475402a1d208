"""The chat templates that come with the project: names, files, and the tokens that each needs.

They follow the models' published formats and mark what the assistant writes. Each writes a turn in the same way
wherever it stands: where a model's own template drops the reasoning of earlier turns, or moves tools to the last
question, ours does not, so that a row of many turns is trained as it would be served.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import InputError

__all__ = ["NAMES", "PASSTHROUGH", "fitting", "shipped"]

_FOLDER = Path(__file__).parent / "templates"
_CHATML = ("<|im_start|>", "<|im_end|>")
_TOKENS: dict[str, tuple[str, ...]] = {
    "qwen3": (*_CHATML, "<think>", "</think>"),
    "qwen2.5": _CHATML,
    "chatml": _CHATML,
    "llama3": ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    "gemma": ("<start_of_turn>", "<end_of_turn>"),
    "mistral": ("[INST]", "[/INST]"),
    "phi": ("<|user|>", "<|assistant|>", "<|end|>"),
    "plain": (),
}
"""Those that are the more particular come first."""
NAMES = (*_TOKENS, "passthrough")
PASSTHROUGH = (_FOLDER / "passthrough.jinja").read_text(encoding="utf-8")
"""Contents as they are: what looks like a control token in them is one."""


def shipped(name: str, vocabulary: Iterable[str]) -> str:
    """The text of one of our templates.

    Raises:
        InputError: the vocabulary lacks a token that it needs.
    """
    known = set(vocabulary)
    if missing := [token for token in _TOKENS.get(name, ()) if token not in known]:
        others = ", ".join(fitting(known))
        raise InputError(
            f"the tokenizer has no token {', '.join(missing)}, which the template {name} is made of",
            where=f"pack.template: {name}",
            mend=f"choose one whose tokens it has: {others}; or the model's own tokenizer",
        )
    return (_FOLDER / f"{name}.jinja").read_text(encoding="utf-8")


def fitting(vocabulary: Iterable[str]) -> list[str]:
    """Those of our templates whose tokens a vocabulary has, the most particular first."""
    known = set(vocabulary)
    return [name for name, tokens in _TOKENS.items() if known.issuperset(tokens)]
