"""The run's tokenizer: trained on the train split, or copied; always saved with the chat template that is used."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import fingerprint
from pipeline.config import Pack
from pipeline.errors import InputError, did_you_mean
from pipeline.pack.examples import END_OF_DOCUMENT, Renderer
from pipeline.pack.seal import tokenizer_hashes
from pipeline.pack.shipped import NAMES
from pipeline.pack.targets import Targets
from pipeline.pack.template import check_template, choose_template, read_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["describe_tokenizer", "load_tokenizer", "make_tokenizer", "open_tokenizer", "tokenizer_inputs"]

PAD, OPEN, CLOSE = "<|pad|>", "<|im_start|>", "<|im_end|>"
_READ_BY_TRANSFORMERS = (
    *("tokenizer*", "vocab*", "merges*", "special_tokens_map.json", "added_tokens.json"),
    *("chat_template*", "*.model", "*.tiktoken", "config.json"),
)
_HUB_SECONDS = 5.0
_CONTROL_TOKEN = re.compile(r"<\|[\w.-]+\|>|<[a-z]+_[a-z_]+>|\[/?[A-Z_]+\]")
"""How models write them: <|im_end|>, <end_of_turn>, [INST]."""


def make_tokenizer(pack: Pack, contents: Callable[[], Iterator[str]], folder: Path) -> None:
    """Train or copy the tokenizer that `pack` asks for into the empty `folder`.

    Args:
        pack: the recipe's section.
        contents: yields the train split's texts; called only if a tokenizer is trained.
        folder: `AutoTokenizer.from_pretrained` reads what is written there.

    Raises:
        InputError: no such tokenizer, or no template fits it.
    """
    tokenizer = _train(contents(), pack.vocab_size) if pack.tokenizer is None else _find(pack.tokenizer)
    tokenizer.chat_template = choose_template(pack.template, tokenizer)
    check_template(Renderer(tokenizer, Targets.of(pack)))
    tokenizer.save_pretrained(folder)


def open_tokenizer(pack: Pack, *, alone: bool = False) -> PreTrainedTokenizerBase:
    """The tokenizer that `pack` asks for, with its template, untried; one that would be trained has bytes only.

    Args:
        pack: the recipe's section.
        alone: the template is looked at without a tokenizer: bytes, and the control tokens that it names.

    Raises:
        InputError: no such tokenizer or template.
    """
    tokenizer = _train(iter([]), 300) if pack.tokenizer is None else _find(pack.tokenizer)
    if alone:
        text = read_template(pack.template)
        named = {token: None for token in _CONTROL_TOKEN.findall(text) if token not in tokenizer.get_vocab()}
        tokenizer.add_special_tokens({"extra_special_tokens": list(named)})
        if "bos_token" in text:
            tokenizer.add_special_tokens({"bos_token": "<s>"})
    tokenizer.chat_template = choose_template(pack.template, tokenizer)
    return tokenizer


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer in a folder of this machine.

    Raises:
        InputError: transformers cannot read it, or it is not one of the fast (Rust) kind.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerBase

    try:
        with _quiet():
            tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers raises OSError, ValueError, KeyError, … for what a folder lacks
        raise InputError(
            f"the tokenizer cannot be read: {str(error).strip().splitlines()[0]}",
            where=str(folder),
            mend="give a folder that AutoTokenizer reads: one with a tokenizer.json and a tokenizer_config.json",
        ) from None
    return _fast(tokenizer, str(folder)) if isinstance(tokenizer, PreTrainedTokenizerBase) else tokenizer


def describe_tokenizer(tokenizer: PreTrainedTokenizerBase, targets: Targets | None = None) -> dict[str, Any]:
    """What the manifests say of it; `stop_ids` are the tokens at which generation ends.

    Args:
        tokenizer: with its chat template.
        targets: what is learnt, which the template has to allow; None where nothing is trained.

    Raises:
        InputError: the template cannot be trained.
    """
    renderer = Renderer(tokenizer, targets or Targets(loss="all"))
    eos = tokenizer.eos_token_id
    verdict = check_template(renderer)
    end = tokenizer.convert_tokens_to_ids(renderer.end_of_document) if renderer.end_of_document else eos
    stop_ids = sorted({token for token in (*verdict.stops, eos, end) if token is not None})
    return {
        **tokenizer_hashes(tokenizer),
        "lint": verdict.to_json(),
        "vocab_size": len(tokenizer),
        "pad_id": tokenizer.pad_token_id if tokenizer.pad_token_id is not None else stop_ids[0],
        "bos_id": tokenizer.bos_token_id,
        "eos_id": eos if eos is not None else stop_ids[0],
        "stop_ids": stop_ids,
    }


def tokenizer_inputs(pack: Pack) -> dict[str, Any]:
    """Fingerprints of the tokenizer's and the template's files, as inputs of the stage.

    A name on the hub stands for itself: give a folder to pin its content.

    Raises:
        InputError: the folder is not there, or the template is not there or marks nothing.
    """
    inputs: dict[str, Any] = {}
    if pack.tokenizer is not None:
        folder = _folder(pack.tokenizer)
        if folder is None:
            inputs["tokenizer"] = pack.tokenizer
        else:
            files = {file for pattern in _READ_BY_TRANSFORMERS for file in folder.glob(pattern) if file.is_file()}
            inputs["tokenizer"] = {file.name: fingerprint.of_file(file) for file in sorted(files)}
    if pack.template != "default":
        named = pack.template in NAMES
        inputs["template"] = pack.template if named else fingerprint.of_bytes(read_template(pack.template).encode())
    return inputs


def _train(texts: Iterator[str], vocab_size: int) -> PreTrainedTokenizerBase:
    """A byte-level BPE: every byte has a token, so every text comes back as it was."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, OPEN, CLOSE, END_OF_DOCUMENT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=CLOSE,  # what ends an answer, so that `generate` stops with no further settings
        extra_special_tokens=[OPEN, END_OF_DOCUMENT],
        clean_up_tokenization_spaces=False,
    )


def _find(name: str) -> PreTrainedTokenizerBase:
    """A tokenizer by folder or by name: the hub's cache first, then the hub."""
    folder = _folder(name)
    if folder is not None:
        return load_tokenizer(folder)
    from huggingface_hub import HfApi
    from transformers import AutoTokenizer

    try:
        with _quiet():
            return _fast(AutoTokenizer.from_pretrained(name, local_files_only=True, trust_remote_code=False), name)
    except OSError:  # it is not there
        offline = os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "ON", "YES", "TRUE"}
        why = "HF_HUB_OFFLINE is set and the name is not in the cache" if offline else ""
    except InputError:
        raise
    except Exception as error:  # it is there and damaged
        why = _said(error)
    try:
        # Asked once, with a short wait: transformers would ask for file after file, and try each again.
        if not why:
            HfApi().model_info(name, timeout=_HUB_SECONDS)
            return _fast(AutoTokenizer.from_pretrained(name, trust_remote_code=False), name)
    except InputError:
        raise
    except Exception as error:
        why = _said(error)
    raise InputError(
        f"there is no folder {name!r} here, and the hub does not give a tokenizer of that name ({why})",
        where=f"pack.tokenizer: {name}",
        mend="correct the path or the name, or download the tokenizer and give its folder; null trains one",
    )


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no answer'}"


def _folder(name: str) -> Path | None:
    """The folder that `name` means, or None for a name on the hub.

    Raises:
        InputError: it can only be a path, and there is no folder.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return path
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        what = "is a file, not a folder" if path.exists() else "is not there"
        siblings = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(
            f"the tokenizer's folder {what}{did_you_mean(path.name, siblings)}",
            where=f"pack.tokenizer: {name}",
            mend="give the folder of a Hugging Face tokenizer, relative to the working directory; null trains one",
        )
    return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from printing what the error that follows says better."""
    from transformers.utils import logging as transformers_logging

    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)


def _fast(tokenizer: PreTrainedTokenizerBase, name: str) -> PreTrainedTokenizerBase:
    if not tokenizer.is_fast:
        raise InputError(
            "the tokenizer has no fast (Rust) form",
            where=f"pack.tokenizer: {name}",
            mend="convert it to a tokenizer.json",
        )
    return tokenizer
