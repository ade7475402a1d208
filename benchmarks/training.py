"""Training on the CPU: target tokens a second beside TRL's SFTTrainer, and where a step's time goes.

    python benchmarks/training.py [ROWS.jsonl.gz] [--steps 12] [--seq-length 512] [--threads 2]

One model (a Llama of 7 million parameters, random weights), the same tokens (rows of short instructions, `prompt` and
`response`; only answers are learnt), the same threads, float32, no activation checkpointing. Contenders run one after
another, each in a process of its own; the first steps warm up, and the others' median counts. TRL trains packed (`bfd`)
and unpacked, in its default batches of 8 rows or others (`--rows-a-batch`); what it does before its first step
(tokenising, packing) is not counted, nor is ours.

The share outside is what remains of our steps without forward, backward, gradient norm and optimiser: bins read and
collated, counts agreed on, lines written.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parents[2] / "shared/data/instruct-dolly-hhrlhf-small/dolly_hhrlhf_train_small.jsonl.gz"
WARM_UP = 3
MODEL = {
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 768,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "tie_word_embeddings": True,
}


def main() -> None:
    arguments = parse()
    if arguments.contender:
        measure: Any = CONTENDERS[arguments.contender]
        print(json.dumps(measure(arguments, Path(arguments.folder))))
        return
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads), "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory() as folder:
        prepare(arguments, Path(folder))
        found: dict[str, dict[str, float]] = {}
        for name in CONTENDERS:
            command = [sys.executable, __file__, *sys.argv[1:], "--contender", name, "--folder", folder]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{name}: {done.stderr[-2000:]}")
            found[name] = json.loads(done.stdout.splitlines()[-1])
    ours = found["ours"]["targets"]
    print(f"{'':<16}{'s a step':>10}{'slots/s':>10}{'targets/s':>11}{'ours is':>9}")
    for name, numbers in found.items():
        print(
            f"{name:<16}{numbers['seconds']:>10.3f}{numbers['slots']:>10,.0f}{numbers['targets']:>11,.0f}"
            f"{ours / numbers['targets']:>8.2f}×"
        )
    print(f"share of our step outside forward, backward and optimiser: {found['ours']['outside']:.1%}")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", default=str(DATA))
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seq-length", type=int, default=512)
    parser.add_argument("--global-batch", type=int, default=8)
    parser.add_argument("--micro-batch", type=int, default=4, help="bins in a forward, ours and TRL's")
    parser.add_argument("--rows-a-batch", type=int, default=8, help="rows in a forward of TRL's, unpacked")
    parser.add_argument("--vocab-size", type=int, default=8192)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--contender", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


def prepare(arguments: argparse.Namespace, folder: Path) -> None:
    """Curate and pack the rows, as the product does; every contender gets these tokens."""
    from pipeline.recipe import load_recipe
    from pipeline.stages import hold, run_stage

    recipe = {
        "run": str(folder / "run"),
        "cluster": {"workers": 1},
        "sources": [
            {
                "name": "rows",
                "kind": "pair",
                "format": "completion",
                "path": str(Path(arguments.rows).resolve()),
                "columns": {"input": "prompt", "output": "response"},
            }
        ],
        "curate": {
            "clean": None,
            "rules": {"preset": "none"},
            "pii": None,
            "dedup": {"exact": False, "fuzzy": None},
            "split": {"train": 0.98, "validation": 0.01, "test": 0.01},
        },
        "pack": {"vocab_size": arguments.vocab_size, "seq_length": arguments.seq_length},
        "train": {
            "model": {"config": {**MODEL, "max_position_embeddings": arguments.seq_length}},
            "steps": arguments.steps,
            "global_batch": arguments.global_batch,
            "micro_batch": arguments.micro_batch,
            "checkpoint_every": 10**6,
        },
        "device": "cpu",
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe))
    loaded = load_recipe(str(path), [])
    with hold(loaded) as run:
        run_stage("curate", run, loaded)
        run_stage("pack", run, loaded)


def ours(arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    import torch

    from pipeline.run import RunDirectory
    from pipeline.train.parallel import Ranks
    from pipeline.train.setup import setup

    torch.set_num_threads(arguments.threads)
    run, recipe = RunDirectory.existing(str(folder / "run"))
    training = setup(run, recipe, Ranks(0, 1, torch.device("cpu")))
    engine = training.engine
    inside: list[float] = []

    def timed(call: Any) -> Any:
        def measured(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                inside.append(time.perf_counter() - began)

        return measured

    # The five calls of a step that are the model's and the optimiser's.
    engine.learner.forward = timed(engine.learner.forward)  # type: ignore[method-assign]
    torch.Tensor.backward = timed(torch.Tensor.backward)  # type: ignore[method-assign]
    engine.gradient.norm = timed(engine.gradient.norm)  # type: ignore[method-assign]
    engine.gradient.scale_ = timed(engine.gradient.scale_)  # type: ignore[method-assign]
    engine.optimizer.step = timed(engine.optimizer.step)  # type: ignore[method-assign]
    training._save = lambda state: None  # type: ignore[method-assign]
    training.fit(threading.Event())
    lines = [json.loads(line) for line in (run.logs / "train.jsonl").read_text().splitlines()]
    warm = lines[WARM_UP:]
    whole = sum(line["seconds"] for line in lines)
    seconds = statistics.median(line["seconds"] for line in warm)
    slots = arguments.global_batch * arguments.seq_length
    targets = sum(line["target_tokens"] for line in warm) / sum(line["seconds"] for line in warm)
    return {"seconds": seconds, "slots": slots / seconds, "targets": targets, "outside": 1 - sum(inside) / whole}


def trl(arguments: argparse.Namespace, folder: Path, *, packing: bool) -> dict[str, float]:
    import torch
    from datasets import Dataset
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    from pipeline.pack.bins import Bins

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(folder / "run/tokenizer")
    bins = Bins.open(folder / "run/packed/train")
    rows = []
    for number in range(len(bins)):
        tokens, loss, starts, _ = bins.get(number)
        ends = [*starts[1:].tolist(), len(tokens)]
        for begin, end in zip(starts.tolist(), ends, strict=True):
            mask = loss[begin:end].astype(int).tolist()
            rows.append({"input_ids": tokens[begin:end].astype(int).tolist(), "completion_mask": mask})
    keys = {**MODEL, "max_position_embeddings": arguments.seq_length, "vocab_size": len(tokenizer)}
    models: Any = AutoModelForCausalLM
    model = models.from_config(AutoConfig.for_model(**keys), dtype=torch.float32)
    # Unpacked, about as many rows, so targets, in a step as our bins hold.
    rows_of_step = arguments.global_batch * len(rows) / len(bins)
    batch = arguments.micro_batch if packing else arguments.rows_a_batch
    accumulation = max(1, round((arguments.global_batch if packing else rows_of_step) / batch))
    counted: list[tuple[float, int, int]] = []

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.began, self.targets, self.slots = time.perf_counter(), 0, 0

        def on_step_end(self, *_: Any, **__: Any) -> None:
            counted.append((time.perf_counter() - self.began, self.targets, self.slots))

    clock = Clock()

    class Counted(SFTTrainer):
        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            clock.targets += int((inputs["labels"][:, 1:] != -100).sum())
            clock.slots += inputs["input_ids"].numel()
            return super().training_step(model, inputs, *args, **kwargs)  # type: ignore[no-untyped-call]

    settings = SFTConfig(
        output_dir=str(folder / f"trl-{packing}"),
        max_length=arguments.seq_length,
        packing=packing,
        completion_only_loss=True,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
        max_steps=arguments.steps,
        learning_rate=1e-3,
        bf16=False,
        use_cpu=True,
        gradient_checkpointing=False,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        dataloader_num_workers=0,
    )
    trainer = Counted(
        model=model, args=settings, train_dataset=Dataset.from_list(rows), processing_class=tokenizer, callbacks=[clock]
    )
    trainer.train()
    warm = counted[WARM_UP:]
    seconds = sum(one[0] for one in warm)
    return {
        "seconds": statistics.median(one[0] for one in warm),
        "slots": sum(one[2] for one in warm) / seconds,
        "targets": sum(one[1] for one in warm) / seconds,
    }


CONTENDERS = {
    "ours": ours,
    "TRL, packed": lambda arguments, folder: trl(arguments, folder, packing=True),
    "TRL, unpacked": lambda arguments, folder: trl(arguments, folder, packing=False),
}

if __name__ == "__main__":
    main()
