"""Runs that are packed and not yet trained: a byte-level tokenizer, a tiny Llama, bins of real small sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from transformers import AutoTokenizer

from pipeline.config import Pack, Recipe
from pipeline.pack.seal import tokenizer_hashes
from pipeline.pack.tokenizer import load_tokenizer, make_tokenizer
from pipeline.run import RunDirectory, Stage
from pipeline.schema import BINS

torch.set_num_threads(1)  # see tests/conftest.py; torch may have been imported before

SHARED = Path(__file__).resolve().parents[2].parent / "shared/data"
STORIES = SHARED / "model-stories260k"
SEQ_LENGTH = 64
TINY_LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}
TEXTS = ["cat? The cat sat.", "dog? The dog ran..", "girl? The old man sang and the sun fell."]

MakeRun = Callable[..., tuple[RunDirectory, Recipe]]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """`make_run(name="a", tokenizer=None, launch=…, **train)`: a run directory with `packed/` and `tokenizer/`."""

    def make(*, name: str = "run", tokenizer: Path | None = None, **train: Any) -> tuple[RunDirectory, Recipe]:
        return write_run(tmp_path / name, tokenizer=tokenizer, **train)

    return make


@pytest.fixture(scope="session")
def stories() -> Path:
    """A real trained model with its own tokenizer."""
    if not STORIES.is_dir():
        pytest.skip("shared/data/model-stories260k is not on this machine")
    return STORIES


def write_run(root: Path, *, tokenizer: Path | None = None, **train: Any) -> tuple[RunDirectory, Recipe]:
    settings: dict[str, Any] = {
        "model": {"config": TINY_LLAMA},
        "steps": 12,
        "global_batch": 4,
        "learning_rate": 0.01,
        "warmup": 2,
        "checkpoint_every": 4,
        **train,
    }
    recipe = Recipe.model_validate(
        {
            "run": str(root),
            "device": "cpu",
            "sources": [{"name": "s", "kind": "text", "format": "text", "path": "none"}],
            "pack": {"seq_length": SEQ_LENGTH},
            "train": settings,
        }
    )
    run = RunDirectory.open(recipe)
    tokens = Stage(run=run, name="tokens", version=1, config={}, inputs={}, folders=("tokens", "tokenizer"))
    tokens.begin()
    run.path("tokenizer").mkdir()
    if tokenizer is None:
        byte_tokenizer(run.path("tokenizer"))
    else:
        make_tokenizer(Pack(tokenizer=str(tokenizer)), lambda: iter(()), run.path("tokenizer"))
    tokens.commit("tokenizer", {f"tokenizer/{path.name}": 0 for path in run.path("tokenizer").iterdir()}, {})
    tokens.finish()
    packed = Stage(run=run, name="packed", version=1, config={}, inputs={}, folders=("packed",))
    packed.begin()
    found = examples(AutoTokenizer.from_pretrained(run.path("tokenizer")))
    write_bins(run.path("packed/train"), found)
    packed.commit("train", {"packed/train/bins-00000.arrow": 0}, {})
    targets = {"splits": {"train": {"targets": sum(sum(loss) for _, loss in found)}}}
    packed.finish(summary={**tokenizer_hashes(load_tokenizer(run.path("tokenizer"))), **targets})
    return run, recipe


def byte_tokenizer(folder: Path) -> Any:
    """The smallest that `pack` trains: a token for each byte, ChatML's, and a few merges."""
    folder.mkdir(parents=True, exist_ok=True)
    make_tokenizer(Pack(vocab_size=300), lambda: iter(TEXTS), folder)
    return AutoTokenizer.from_pretrained(folder)


def examples(tokenizer: Any) -> list[tuple[list[int], list[bool]]]:
    """Token ids and loss masks: a question that is not learnt, and its answer that is."""
    subjects, verbs = ["cat", "dog", "sun", "old man", "girl"], ["sat", "ran", "sang", "fell"]
    found = []
    for number in range(100):
        subject, verb = subjects[number % 5], verbs[number * 7 % 4]
        prompt = tokenizer.encode(f"{subject}?", add_special_tokens=False)
        answer = tokenizer.encode(f" The {subject} {verb}" + "." * (number % 3), add_special_tokens=False)
        found.append((prompt + answer + [tokenizer.eos_token_id], [False] * len(prompt) + [True] * (len(answer) + 1)))
    return found


def write_bins(folder: Path, found: list[tuple[list[int], list[bool]]], *, length: int = SEQ_LENGTH) -> None:
    """Next-fit: enough for tests."""
    bins: list[dict[str, Any]] = []
    for number, (ids, loss) in enumerate(found):
        if not bins or len(bins[-1]["tokens"]) + len(ids) > length:
            bins.append({"tokens": [], "loss": [], "starts": [], "rows": []})
        last = bins[-1]
        last["starts"].append(len(last["tokens"]))
        last["tokens"] += ids
        last["loss"] += loss
        last["rows"].append(f"s/file#{number}")
    folder.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_file(folder / "bins-00000.arrow", BINS) as writer:
        writer.write_table(pa.Table.from_pylist(bins, schema=BINS))


def assert_isclose(left: float, right: float, *, within: float = 1e-6) -> None:
    assert np.isfinite(left)
    assert abs(left - right) <= within * max(abs(left), abs(right)), (left, right)
