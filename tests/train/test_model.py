"""A model fits the run's tokenizer and bins, or the recipe's mistake is told in one message."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.config import Model
from pipeline.errors import InputError, RecipeError
from pipeline.pack.template import choose_template
from pipeline.train.model import load_model, load_tokenizer
from pipeline.train.origin import model_fingerprint, model_folder

from .conftest import TINY_LLAMA, byte_tokenizer

Load = Callable[..., Any]


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    trained = byte_tokenizer(tmp_path_factory.mktemp("tokenizer"))

    def load_(*, seed: int = 0, seq_length: int = 64, tokenizer: Any = None, frozen: bool = False, **model: Any) -> Any:
        return load_model(Model(**model), tokenizer or trained, seed=seed, seq_length=seq_length, frozen=frozen)

    return load_


def test_random_weights_are_a_function_of_the_seed_and_fit_the_tokenizer(load: Load, tmp_path: Path) -> None:
    byte_tokenizer(tmp_path)
    first, again, other = (load(config=TINY_LLAMA, seed=seed) for seed in (0, 0, 1))
    equal = [torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True)]
    assert all(equal)
    assert not torch.equal(first.get_input_embeddings().weight, other.get_input_embeddings().weight)
    tokenizer = load_tokenizer(tmp_path)
    assert first.config.vocab_size == len(tokenizer) < 300
    assert first.config.eos_token_id == tokenizer.eos_token_id
    assert set(first.generation_config.eos_token_id) == set(
        tokenizer.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])
    )
    # No row of the embedding is zeroed or kept from learning for being the padding.
    assert first.get_input_embeddings().padding_idx is None
    assert bool(first.get_input_embeddings().weight.any(dim=1).all())
    assert load(config={**TINY_LLAMA, "vocab_size": 320}).config.vocab_size == 320


@pytest.mark.parametrize(
    ("keys", "attention"),
    [({}, "sdpa"), ({"model_type": "gemma2"}, "eager"), ({"model_type": "gpt_oss", "num_local_experts": 2}, "eager")],
    ids=["llama", "gemma2", "gpt_oss"],
)
def test_a_family_without_sdpa_takes_its_own_attention(
    keys: dict[str, Any], attention: str, load: Load, tmp_path: Path
) -> None:
    model = load(config={**TINY_LLAMA, "head_dim": 16, **keys})
    assert model.config._attn_implementation == attention
    model.save_pretrained(tmp_path)
    assert load(path=str(tmp_path)).config._attn_implementation == attention


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"model_type": "lama"}, "did you mean 'llama'"),
        ({**TINY_LLAMA, "hiden_size": 64}, "hiden_size (did you mean 'hidden_size'?)"),
        ({**TINY_LLAMA, "vocab_size": 100}, "vocab_size 100 is below the tokenizer's"),
        ({**TINY_LLAMA, "hidden_act": "reluu"}, "cannot make a llama model"),
    ],
)
def test_a_wrong_configuration_is_one_message(keys: dict[str, Any], message: str, load: Load) -> None:
    with pytest.raises(RecipeError) as caught:
        load(config=keys)
    assert message in str(caught.value)
    assert "train.model.config" in caught.value.where


def test_bins_that_the_model_cannot_take_are_refused(load: Load) -> None:
    with pytest.raises(InputError, match="takes 128 positions, and bins have 256"):
        load(config=TINY_LLAMA, seq_length=256)


def test_a_path_is_a_folder_or_a_name_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: Load) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/llama").mkdir(parents=True)
    assert model_folder("someone/llama-3") is None
    with pytest.raises(InputError, match="no model folder at this path"):
        model_folder("./models/lama")
    with pytest.raises(InputError, match="did you mean 'llama'"):
        model_folder(str(tmp_path / "models/lama"))
    with pytest.raises(InputError, match=r"it has no config.json"):
        model_folder("models/llama")
    (tmp_path / "models/llama/config.json").write_text("{}")
    with pytest.raises(InputError, match=r"holds no \*\.safetensors\n"):
        model_folder("models/llama")
    (tmp_path / "models/llama/model.safetensors").write_bytes(b"")
    assert model_folder("models/llama") == Path("models/llama")
    before = model_fingerprint(Model(path="models/llama"))
    (tmp_path / "models/llama/config.json").write_text('{"a": 1}')
    assert before != model_fingerprint(Model(path="models/llama"))
    assert model_fingerprint(Model(config=TINY_LLAMA)) is None
    with pytest.raises(InputError, match="the model cannot be loaded"):
        load(path="models/llama")
    with pytest.raises(InputError, match="the tokenizer cannot be read"):
        load_tokenizer(tmp_path / "models")


def test_weights_that_are_no_safetensors_are_refused(tmp_path: Path, load: Load) -> None:
    load(config=TINY_LLAMA).save_pretrained(tmp_path)
    torch.save(AutoModelForCausalLM.from_pretrained(tmp_path).state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    for refused in (lambda: load(path=str(tmp_path)), lambda: model_fingerprint(Model(path=str(tmp_path)))):
        with pytest.raises(InputError, match=r"pickled weights \(pytorch_model.bin\) are not read"):
            refused()


def test_weights_that_were_cut_off_are_one_message(tmp_path: Path, load: Load) -> None:
    load(config=TINY_LLAMA).save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    with pytest.raises(InputError, match="the model cannot be loaded"):
        load(path=str(tmp_path))


def test_weights_of_another_shape_are_one_message(tmp_path: Path, load: Load) -> None:
    load(config=TINY_LLAMA).save_pretrained(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 64', '"hidden_size": 32'))
    with pytest.raises(InputError, match="other shapes than its config"):
        load(path=str(tmp_path))


def test_a_trained_model_keeps_its_weights_and_grows_for_new_tokens(stories: Path, load: Load) -> None:
    tokenizer = AutoTokenizer.from_pretrained(stories)
    tokenizer.chat_template = choose_template("default", tokenizer)
    plain = AutoModelForCausalLM.from_pretrained(stories, dtype=torch.float32)
    model = load(path=str(stories), tokenizer=tokenizer)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]), name
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|turn|>"]})
    grown = load(path=str(stories), tokenizer=tokenizer)
    assert grown.get_input_embeddings().weight.shape == (513, 64)
    assert torch.equal(grown.get_input_embeddings().weight[:512], plain.get_input_embeddings().weight)
    with pytest.raises(InputError, match="LoRA would leave the new ones untrained"):
        load(path=str(stories), tokenizer=tokenizer, frozen=True)


def test_a_tokenizer_that_is_not_the_models_is_refused(stories: Path, tmp_path: Path, load: Load) -> None:
    shutil.copytree(stories, tmp_path / "model")
    with pytest.raises(InputError, match="not the model's") as caught:
        load(path=str(tmp_path / "model"))
    assert f"pack.tokenizer: {tmp_path / 'model'}" in caught.value.mend
