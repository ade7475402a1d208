"""The model that is trained: random weights from a configuration, or a Hugging Face model by folder or name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
)

from pipeline import config
from pipeline.errors import InputError, RecipeError, did_you_mean
from pipeline.pack.tokenizer import describe_tokenizer
from pipeline.train.lora import check_tokens
from pipeline.train.origin import model_folder
from pipeline.train.quantize import keep_as_loaded, quantization
from pipeline.train.text import freeze_unread

__all__ = [
    "Tokenizer",
    "bare_model",
    "check_causal",
    "check_positions",
    "load_model",
    "load_tokenizer",
    "random_config",
]

_CONFIG = "train.model.config"

_HUB_SECONDS = 5.0
"""How long the hub has to answer."""

_TOKENIZER = ("*token*", "vocab*", "merges*", "*.model", "tekken*")
"""Names of files that make a tokenizer."""

Tokenizer = Any
"""A fast tokenizer of transformers, which types it differently for each model."""


def load_tokenizer(folder: Path) -> Tokenizer:
    """The run's tokenizer.

    Raises:
        InputError: there is none at `folder`.
    """
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the tokenizer cannot be read: {_first_line(error)}",
            where=str(folder),
            mend="run `curate-and-train pack RECIPE` again",
        ) from None


def load_model(
    model: config.Model,
    tokenizer: Tokenizer,
    *,
    seed: int,
    seq_length: int,
    weights: Path | None = None,
    frozen: bool = False,
    quantize: str | None = None,
    compute: torch.dtype = torch.float32,
) -> PreTrainedModel:
    """The model in float32 on the CPU, its vocabulary and special tokens the tokenizer's.

    Args:
        model: what the recipe says.
        tokenizer: its length is the least number of embeddings.
        seed: of random weights, and of the rows that a larger vocabulary adds.
        seq_length: the longest position that it must take.
        weights: a folder of weights of this very model, written by a checkpoint, to use in place of those that
            the recipe names.
        frozen: the weights will not be trained (LoRA).
        quantize: how the frozen weights are held (`nf4`, `fp4`, `int8`); None in float32.
        compute: the type in which products with 4-bit weights are taken.

    Raises:
        InputError: no such model, one with fewer positions than a bin, or another vocabulary.
        RecipeError: a key of `train.model.config` that the architecture does not have.
    """
    torch.manual_seed(seed)
    if weights is not None:
        loaded = _pretrained(str(weights), local=True, trust=model.trust_remote_code)
    elif model.path is not None:
        name, local = _find(model.path)
        loaded = _pretrained(name, local=local, trust=model.trust_remote_code, quantize=quantize, compute=compute)
        _check_vocabulary(name, tokenizer, local=local)
    else:
        loaded = _random(model.config or {}, tokenizer)
    check_positions(loaded.config, seq_length)
    vocab_size = _embeddings(loaded).num_embeddings
    if len(tokenizer) > vocab_size:
        # Only ever larger: a vocabulary padded to a round number is the model's own affair.
        if frozen:
            check_tokens(len(tokenizer), vocab_size)
        torch.manual_seed(seed)
        loaded.resize_token_embeddings(len(tokenizer))
    freeze_unread(loaded)
    # Padding is masked by position, so no token needs to be kept from learning, least of all one that is also EOS.
    _embeddings(loaded).padding_idx = None
    text = loaded.config.get_text_config(decoder=True)  # of a model of text and images; else all of it
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if (value := getattr(tokenizer, name)) is not None:
            setattr(text, name, value)
    if loaded.generation_config is not None:
        facts = describe_tokenizer(tokenizer)
        loaded.generation_config.bos_token_id = text.bos_token_id
        loaded.generation_config.eos_token_id = facts["stop_ids"]  # `generate` stops where the bins' answers end
        loaded.generation_config.pad_token_id = facts["pad_id"]
    return loaded


def _find(path: str) -> tuple[str, bool]:
    """What transformers is to load, and whether it is on this machine, as a folder or in the hub's cache."""
    if (folder := model_folder(path)) is not None:
        return str(folder), True
    try:
        if try_to_load_from_cache(path, "config.json") is not None:
            return path, True
        # Asked once, with a short wait: transformers would ask for file after file, and try each again.
        HfApi().model_info(path, timeout=_HUB_SECONDS)
    except Exception as error:  # each of the layers below has errors of its own
        raise InputError(
            f"there is no folder {path!r} here, and the hub gives no model of that name "
            f"({type(error).__name__}: {_first_line(error)})",
            where=f"train.model.path: {path}",
            mend="correct the path or the name, or download the model and give its folder",
        ) from None
    return path, False


def _pretrained(
    name: str, *, local: bool, trust: bool, quantize: str | None = None, compute: torch.dtype = torch.float32
) -> PreTrainedModel:
    held = {"quantization_config": quantization(quantize, compute)} if quantize else {}
    try:
        loaded = AutoModelForCausalLM.from_pretrained(
            name,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=trust,
            local_files_only=local,
            **held,
        )
    except (OSError, ValueError, ImportError, RuntimeError, SafetensorError) as error:
        what = _first_line(error)
        if isinstance(error, RuntimeError):
            if "ignore_mismatched_sizes" not in str(error):
                raise
            what = "its weights have other shapes than its config.json says"
        raise InputError(
            f"the model cannot be loaded: {what}",
            where=f"train.model.path: {name}",
            mend="give a folder with config.json and model.safetensors, or the name of a model on the hub "
            "that needs no code of its own; code that you have read runs with train.model.trust_remote_code: true",
        ) from None
    if quantize:
        keep_as_loaded(loaded)
    return loaded


def _random(keys: dict[str, Any], tokenizer: Tokenizer) -> PreTrainedModel:
    """A model with random weights; `vocab_size` is the tokenizer's unless the configuration wants more."""
    # No pad id while the weights are made: it would zero the row of a token, which may be EOS.
    special = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None}
    made = random_config(keys, vocab_size=len(tokenizer), special=special)
    with _explained(made.model_type):
        return AutoModelForCausalLM.from_config(made, dtype=torch.float32)  # type: ignore[no-any-return, no-untyped-call]


def random_config(keys: dict[str, Any], *, vocab_size: int, special: dict[str, Any]) -> PretrainedConfig:
    """The configuration that `train.model.config` describes.

    Args:
        keys: of the recipe.
        vocab_size: of the tokenizer.
        special: ids of the tokenizer, for what `keys` leaves out.

    Raises:
        RecipeError: no such architecture, a key that it does not have, or a value that it refuses.
    """
    kind, keys = str(keys["model_type"]), {key: value for key, value in keys.items() if key != "model_type"}
    if kind not in CONFIG_MAPPING:
        near = did_you_mean(kind, CONFIG_MAPPING.keys())
        raise RecipeError(
            f"no architecture is called {kind!r}{near}", where=f"{_CONFIG}.model_type", mend="see transformers' list"
        )
    with _explained(kind):
        usual = CONFIG_MAPPING[kind]()
    known, text = usual.to_dict(), usual.get_text_config(decoder=True)
    if type(text) is not type(usual):
        raise RecipeError(
            f"{kind} is a model of text and something else",
            where=f"{_CONFIG}.model_type",
            mend=f"give the keys of its model of text: `model_type: {text.model_type}`",
        )
    unknown = [f"{key}{did_you_mean(key, known)}" for key in keys if key not in known]
    if unknown:
        raise RecipeError(f"{kind} has no key {', '.join(unknown)}", where=_CONFIG, mend="correct or remove it")
    keys.setdefault("vocab_size", vocab_size)
    if keys["vocab_size"] < vocab_size:
        raise RecipeError(
            f"vocab_size {keys['vocab_size']} is below the tokenizer's {vocab_size}",
            where=f"{_CONFIG}.vocab_size",
            mend="remove it, to take the tokenizer's",
        )
    with _explained(kind):
        return AutoConfig.for_model(kind, **{**special, **keys})


def bare_model(made: PretrainedConfig, *, trust: bool = False) -> PreTrainedModel:
    """The model of a configuration on the meta device: its layers and their shapes, and no weight.

    Args:
        made: the configuration.
        trust: whether code that comes with the model may run.

    Raises:
        RecipeError: transformers cannot make one of it.
    """
    with torch.device("meta"), _explained(made.model_type):
        return AutoModelForCausalLM.from_config(  # type: ignore[no-any-return, no-untyped-call]
            made, trust_remote_code=trust
        )


@contextmanager
def _explained(kind: str) -> Iterator[None]:
    try:
        yield
    except (
        *(ValueError, TypeError, KeyError, AttributeError, ZeroDivisionError, RuntimeError),
        StrictDataclassError,
    ) as error:
        raise RecipeError(
            f"transformers cannot make a {kind} model from it: {' '.join(str(error).split()) or type(error).__name__}",
            where=_CONFIG,
            mend="correct the keys; their meaning is in transformers' documentation of the architecture",
        ) from None


def _check_vocabulary(name: str, tokenizer: Tokenizer, *, local: bool) -> None:
    """Raise where the model has a tokenizer of its own that gives other ids: its weights would mean nothing."""
    folder = Path(name)
    if folder.is_dir() and not any(any(folder.glob(pattern)) for pattern in _TOKENIZER):
        return  # without one; some families would be given an empty one
    try:
        own = AutoTokenizer.from_pretrained(name, trust_remote_code=False, local_files_only=local)
    except (OSError, ValueError, ImportError):
        return  # it comes without one
    ours = tokenizer.get_vocab()
    strangers = sum(1 for token, number in own.get_vocab().items() if ours.get(token) != number)
    if strangers:
        raise InputError(
            f"the run's tokenizer is not the model's: {strangers} of the model's {len(own)} tokens have other ids",
            where=f"train.model.path: {name}",
            mend=f"set pack.tokenizer: {name}",
        )


def check_positions(made: Any, seq_length: int) -> None:
    """Raise where a model has fewer positions than a bin.

    Raises:
        InputError: it has fewer.
    """
    made = made.get_text_config(decoder=True)
    limit = getattr(made, "max_position_embeddings", None)
    if limit is not None and limit < seq_length:
        raise InputError(
            f"the model takes {limit} positions, and bins have {seq_length}",
            where="pack.seq_length",
            mend=f"set pack.seq_length to {limit} or less",
        )


def check_causal(model: PreTrainedModel) -> None:
    """Refuse an encoder, which sees later tokens; by its configuration, for it may have no weights.

    Transformers gives encoders as causal models too, and leaves it to `is_decoder` whether they are.

    Raises:
        InputError: it is one.
    """
    if getattr(model.config, "is_decoder", None) is not False:
        return  # it is a decoder, or its family has nothing else
    ways = {module.is_causal for module in model.modules() if isinstance(getattr(module, "is_causal", None), bool)}
    if ways == {False} or (not ways and type(model.config) in MODEL_FOR_MASKED_LM_MAPPING):
        raise InputError(
            f"{model.config.model_type} is an encoder: its logits depend on tokens that come later",
            where="train.model",
            mend="choose a causal language model; with `is_decoder: true` in its configuration this one sees none",
        )


def _embeddings(model: PreTrainedModel) -> torch.nn.Embedding:
    return cast(torch.nn.Embedding, model.get_input_embeddings())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
