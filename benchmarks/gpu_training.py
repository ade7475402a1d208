"""Training on one GPU: tokens a second, MFU and peak memory, full and LoRA, beside transformers + peft (and TRL).

    python benchmarks/gpu_training.py [--sizes 0.5B 1B 3B 8B] [--seq-length 4096] [--steps 10]
    python benchmarks/gpu_training.py --tiny            # on any machine: does the script work?

Models have random weights and the shapes of known ones; nothing is downloaded. The text is real: the functions of
Python's standard library, a token for each word; the first third of a function is the prompt, the rest is learnt. Ours
is the product's own step (`pipeline.train.loop.train_step`) on packed bins, with `train.precision: bf16`. The peers get
the same rows: a plain loop over transformers' own loss and, with LoRA, peft, rows padded to the longest of their batch,
bf16, fused AdamW, the same activation checkpointing; TRL's SFTTrainer, packed, where `trl` is installed.

Each contender has a process of its own. MFU is by the formula of `pipeline.train.mfu`, on tokens without padding. What
does not fit the device is told, and the next one runs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from typing import Any

import torch
from gpu_contenders import CONTENDERS, SHAPES, WARM_UP


def main() -> None:
    arguments = parse()
    if arguments.contender:
        try:
            print(json.dumps(CONTENDERS[arguments.contender](arguments)))
        except torch.OutOfMemoryError:
            print(json.dumps({"error": "does not fit"}))
        return
    sizes = ["tiny"] if arguments.tiny else arguments.sizes
    device = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "CPU"
    print(f"{device}, torch {torch.__version__}, {time.strftime('%Y-%m-%d')}, bins of {arguments.seq_length}")
    print(f"{'':<30}{'s a step':>10}{'slots/s':>10}{'tokens/s':>10}{'targets/s':>11}{'MFU':>7}{'GiB':>7}")
    for size in sizes:
        for method in ("full", "lora"):
            for name in CONTENDERS:
                command = [sys.executable, __file__, *sys.argv[1:], "--contender", name]
                command += ["--size", size, "--method", method]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                label = f"{size} {method}, {name}"
                if done.returncode:
                    print(f"{label:<30}  failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
                    continue
                told = json.loads(done.stdout.strip().splitlines()[-1])
                print(f"{label:<30}  {told['error']}" if "error" in told else f"{label:<30}{line(told)}", flush=True)


def line(told: dict[str, Any]) -> str:
    mfu, memory = told["mfu"], told["memory"]
    return (
        f"{told['seconds']:>10.3f}{told['slots']:>10,.0f}{told['tokens']:>10,.0f}{told['targets']:>11,.0f}"
        f"{'' if mfu is None else f'{mfu:.1%}':>7}{'' if memory is None else f'{memory:.1f}':>7}"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", nargs="+", default=["0.5B", "1B", "3B", "8B"], choices=list(SHAPES))
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--seq-length", type=int)
    parser.add_argument("--global-batch", type=int)
    parser.add_argument("--micro-batch", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--activation-checkpointing", default="selective", choices=["off", "selective", "full"])
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--contender", choices=list(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--size", help=argparse.SUPPRESS)
    parser.add_argument("--method", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.seq_length = arguments.seq_length or (256 if arguments.tiny else 4096)
    arguments.global_batch = arguments.global_batch or (2 if arguments.tiny else 8)
    arguments.steps = arguments.steps or (WARM_UP + 2 if arguments.tiny else 10)
    return arguments


if __name__ == "__main__":
    main()
