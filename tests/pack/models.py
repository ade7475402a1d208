"""Tokenizers as the models have them: real ones of `shared/data`, or a BPE with their control tokens."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from pipeline.config import Pack
from pipeline.pack.template import choose_template
from pipeline.pack.tokenizer import load_tokenizer, make_tokenizer

from .sentencepiece import read_model

CONTROL: dict[str, list[str]] = {
    "chatml": ["<|im_start|>", "<|im_end|>"],
    "qwen2.5": ["<|im_start|>", "<|im_end|>"],
    "qwen3": ["<|im_start|>", "<|im_end|>"],
    "llama3": ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>"],
    "gemma": ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"],
    "mistral": [
        *("<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]"),
        *("[TOOL_CALLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
    ],
    "phi": ["<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"],
}
NORMAL = {"qwen3": ["<think>", "</think>"]}
"""Added tokens that are not special: a row's text may hold them."""
STOPS = {
    **dict.fromkeys(["chatml", "qwen2.5", "qwen3"], "<|im_end|>"),
    "llama3": "<|eot_id|>",
    "gemma": "<end_of_turn>",
    "mistral": "</s>",
    "phi": "<|end|>",
}
_EOS = {"gemma": "<eos>", "phi": "<|endoftext|>"}
_BOS = {"llama3": "<|begin_of_text|>", "gemma": "<bos>", "mistral": "<s>"}


def with_control(tokenizer: PreTrainedTokenizerBase, name: str) -> PreTrainedTokenizerBase:
    """Give a tokenizer the control tokens of a model family, and the family's training template."""
    missing = [token for token in CONTROL[name] if token not in tokenizer.get_vocab()]
    tokenizer.add_special_tokens(
        {
            "extra_special_tokens": missing,  # type: ignore[dict-item]
            "eos_token": _EOS.get(name, STOPS[name]),
            **({"bos_token": _BOS[name]} if name in _BOS else {}),
        }
    )
    tokenizer.add_tokens(NORMAL.get(name, []))
    tokenizer.chat_template = choose_template(name, tokenizer)
    return tokenizer


def trained(folder: Path, text: str) -> PreTrainedTokenizerBase:
    """A byte-level BPE of 600 pieces, trained on a text."""
    folder.mkdir(parents=True, exist_ok=True)
    make_tokenizer(Pack(vocab_size=600), lambda: iter([text]), folder)
    return load_tokenizer(folder)


def gpt2(data: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(data / "tokenizers/gpt2")


def gpt_neox(data: Path) -> PreTrainedTokenizerBase:
    packed = (data / "tokenizers/gpt-neox/tokenizer.json.gz").read_bytes()
    core = Tokenizer.from_str(gzip.decompress(packed).decode())
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|endoftext|>")  # type: ignore[no-untyped-call]


@cache
def mistral(data: Path) -> PreTrainedTokenizerBase:
    return read_model(data / "tokenizers/mistral-v3/tokenizer.model")
