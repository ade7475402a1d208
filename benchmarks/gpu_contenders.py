"""Who trains in `gpu_training.py`: our own step, a plain loop over transformers and peft, TRL; all on the same rows."""

from __future__ import annotations

import argparse
import statistics
import sys
import sysconfig
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout is enough

SHAPES = {
    "tiny": (64, 128, 2, 4, 2, 512, True),
    "0.5B": (896, 4864, 24, 14, 2, 151936, True),  # Qwen2.5-0.5B
    "1B": (2048, 8192, 16, 32, 8, 128256, True),  # Llama-3.2-1B
    "3B": (3072, 8192, 28, 24, 8, 128256, True),  # Llama-3.2-3B
    "8B": (4096, 14336, 32, 32, 8, 128256, False),  # Llama-3.1-8B
}
"""Width, inner width, layers, heads, heads of keys, vocabulary, whether the embeddings are tied."""

WARM_UP = 3


def keys(arguments: argparse.Namespace) -> dict[str, Any]:
    width, inner, layers, heads, key_heads, vocab, tied = SHAPES[arguments.size]
    return {
        "model_type": "llama",
        "hidden_size": width,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "vocab_size": vocab,
        "tie_word_embeddings": tied,
        "max_position_embeddings": max(arguments.seq_length, 256),
    }


def rows(arguments: argparse.Namespace) -> list[tuple[Any, Any]]:
    """Tokens and which of them are learnt, of enough functions for all steps."""
    vocab = SHAPES[arguments.size][5]
    wanted = (arguments.steps + 1) * arguments.global_batch * arguments.seq_length
    found: list[tuple[Any, Any]] = []
    total = 0
    while total < wanted:
        for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
            for text in path.read_text(encoding="utf-8", errors="replace").split("\ndef ")[1:]:
                words = text.split()[: arguments.seq_length]
                if len(words) < 8:
                    continue
                tokens = np.array([zlib.crc32(word.encode()) % vocab for word in words], np.uint32)
                found.append((tokens, np.arange(len(words)) >= len(words) // 3))
                total += len(words)
            if total >= wanted:
                break
    return found


def packed(arguments: argparse.Namespace) -> list[Any]:
    from pipeline.pack.bins import Bin
    from pipeline.pack.solve import pack_lengths

    found = rows(arguments)
    packing, _ = pack_lengths(np.array([len(tokens) for tokens, _ in found], np.int64), arguments.seq_length)
    bins = []
    for number in range(packing.bins):
        items = packing.items[packing.first[number] : packing.first[number + 1]].tolist()
        lengths = [len(found[item][0]) for item in items]
        bins.append(
            Bin(
                np.concatenate([found[item][0] for item in items]),
                np.concatenate([found[item][1] for item in items]),
                (np.cumsum(lengths) - lengths).astype(np.uint32),
                [str(item) for item in items],
            )
        )
    return [bins[at] for at in np.random.default_rng(0).permutation(len(bins))]


def place() -> torch.device:
    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def told(arguments: argparse.Namespace, model: Any, steps: list[dict[str, float]]) -> dict[str, Any]:
    from pipeline.train.mfu import model_flops, peak_flops

    warm, device = steps[WARM_UP:], place()
    seconds = sum(step["seconds"] for step in warm)
    flops, peak = model_flops(model), peak_flops(device, torch.bfloat16)
    counted = {name: sum(int(step[name]) for step in warm) for name in ("tokens", "targets", "squares")}
    return {
        "seconds": statistics.median(step["seconds"] for step in warm),
        **{name: sum(step[name] for step in warm) / seconds for name in ("slots", "tokens", "targets")},
        "mfu": flops.of_step(**counted) / seconds / peak if flops and peak else None,
        "memory": torch.cuda.max_memory_allocated() / (1 << 30) if device.type == "cuda" else None,
    }


def clock() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def ours(arguments: argparse.Namespace) -> dict[str, Any]:
    from transformers import AutoConfig, AutoModelForCausalLM

    from pipeline.config import Recipe
    from pipeline.train.data import collate
    from pipeline.train.loop import train_step
    from pipeline.train.lora import add_adapters
    from pipeline.train.parallel import Ranks
    from pipeline.train.setup import engine_of

    recipe = Recipe.model_validate(
        {
            "run": "nowhere",
            "sources": [{"name": "s", "kind": "text", "format": "text", "path": "none"}],
            "pack": {"seq_length": arguments.seq_length},
            "train": {
                "model": {"config": keys(arguments)},
                "method": arguments.method,
                **({"lora": {"rank": 16}} if arguments.method == "lora" else {}),
                "steps": arguments.steps,
                "global_batch": arguments.global_batch,
                "micro_batch": arguments.micro_batch,
                "precision": "bf16",
                "activation_checkpointing": arguments.activation_checkpointing,
                "compile": arguments.compile,
            },
        }
    )
    ranks = Ranks(0, 1, place())
    torch.manual_seed(0)
    models: Any = AutoModelForCausalLM
    model = models.from_config(AutoConfig.for_model(**keys(arguments)), dtype=torch.float32)
    model = add_adapters(model, recipe.training.lora, seed=0) if arguments.method == "lora" else model
    engine = engine_of(lambda: model, recipe, ranks, vocab_size=keys(arguments)["vocab_size"])
    bins, steps = packed(arguments), []
    for step in range(arguments.steps):
        began = clock()
        mine = bins[step * arguments.global_batch : (step + 1) * arguments.global_batch]
        cut = [mine[at : at + arguments.micro_batch] for at in range(0, len(mine), arguments.micro_batch)]
        batches = [collate(part, length=arguments.seq_length, pad=0) for part in cut]
        done = train_step(engine, batches, step=step, train=recipe.training, seed=0, stop=threading.Event())
        assert done is not None
        ends = [np.append(one.starts, len(one.tokens)).astype(np.int64) for one in mine]
        lengths = [np.diff(one) for one in ends]
        steps.append(
            {
                "seconds": clock() - began,
                "slots": arguments.global_batch * arguments.seq_length,
                "tokens": done.tokens,
                "targets": done.target_tokens,
                "squares": sum(int(np.square(length).sum()) for length in lengths),
            }
        )
    return told(arguments, engine.learner.model, steps)


def peer_model(arguments: argparse.Namespace) -> Any:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    models: Any = AutoModelForCausalLM
    model = models.from_config(AutoConfig.for_model(**keys(arguments)), dtype=torch.bfloat16)
    if arguments.method == "lora":
        model.enable_input_require_grads()
        model = get_peft_model(model, LoraConfig(r=16, lora_alpha=16, target_modules="all-linear"))
    return model


def plain(arguments: argparse.Namespace) -> dict[str, Any]:
    """A loop as tutorials have it: rows padded to the longest of a batch, transformers' own loss."""
    device = place()
    model = peer_model(arguments).to(device).train()
    if arguments.activation_checkpointing != "off":
        model.gradient_checkpointing_enable()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, fused=True)
    found, steps, at = rows(arguments), [], 0
    for _ in range(arguments.steps):
        began = clock()
        counted = {"slots": 0, "tokens": 0, "targets": 0, "squares": 0}
        for _ in range(arguments.global_batch // arguments.micro_batch):
            batch: list[tuple[Any, Any]] = []
            while sum(len(row[0]) for row in batch) < arguments.micro_batch * arguments.seq_length // 2:
                batch.append(found[at % len(found)])
                at += 1
            longest = max(len(tokens) for tokens, _ in batch)
            tokens = np.zeros((len(batch), longest), np.int64)
            labels = np.full((len(batch), longest), -100, np.int64)
            mask = np.zeros((len(batch), longest), np.int64)
            for number, (ids, learnt) in enumerate(batch):
                tokens[number, : len(ids)], mask[number, : len(ids)] = ids, 1
                labels[number, : len(ids)] = np.where(learnt, ids.astype(np.int64), -100)
            inputs = {"input_ids": tokens, "attention_mask": mask, "labels": labels}
            model(**{name: torch.from_numpy(value).to(device) for name, value in inputs.items()}).loss.backward()
            counted["slots"] += tokens.size
            counted["tokens"] += int(mask.sum())
            counted["targets"] += int((labels[:, 1:] != -100).sum())
            counted["squares"] += int((mask.sum(axis=1) ** 2).sum())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        steps.append({"seconds": clock() - began, **counted})
    return told(arguments, model, steps)


def trl(arguments: argparse.Namespace) -> dict[str, Any]:
    try:
        from datasets import Dataset
        from trl.trainer.sft_config import SFTConfig
        from trl.trainer.sft_trainer import SFTTrainer
    except ImportError as error:
        return {"error": f"{error.name} is not installed"}
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast, TrainerCallback

    words = Tokenizer(models.WordLevel({"<eos>": 0}, unk_token="<eos>"))
    fast: Any = PreTrainedTokenizerFast
    tokenizer = fast(tokenizer_object=words, eos_token="<eos>", pad_token="<eos>")
    data = [
        {"input_ids": ids.tolist(), "completion_mask": learnt.astype(int).tolist()} for ids, learnt in rows(arguments)
    ]
    steps: list[dict[str, float]] = []
    counted = {"slots": 0, "tokens": 0, "targets": 0, "squares": 0}

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            counted.update(dict.fromkeys(counted, 0))
            self.began = clock()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            steps.append({"seconds": clock() - self.began, **counted})

    class Counted(SFTTrainer):
        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            counted["slots"] += inputs["input_ids"].numel()
            counted["tokens"] += inputs["input_ids"].numel()
            counted["targets"] += int((inputs["labels"][:, 1:] != -100).sum())
            return super().training_step(model, inputs, *args, **kwargs)  # type: ignore[no-untyped-call]

    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        settings = SFTConfig(
            output_dir=folder,
            max_length=arguments.seq_length,
            packing=True,
            completion_only_loss=True,
            per_device_train_batch_size=arguments.micro_batch,
            gradient_accumulation_steps=arguments.global_batch // arguments.micro_batch,
            max_steps=arguments.steps,
            bf16=torch.cuda.is_available(),
            use_cpu=not torch.cuda.is_available(),
            gradient_checkpointing=arguments.activation_checkpointing != "off",
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
        )
        trainer = Counted(
            model=peer_model(arguments),
            args=settings,
            train_dataset=Dataset.from_list(data),
            processing_class=tokenizer,
            callbacks=[Clock()],
        )
        trainer.train()
        return told(arguments, trainer.model, steps)


CONTENDERS = {"ours": ours, "transformers, padded": plain, "TRL, packed": trl}
