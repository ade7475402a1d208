"""Checkpoints: written whole or not at all, while training goes on; the newest one wins, on any number of ranks.

    checkpoints/step-00000100/
        shards/      what training goes on from, each rank's share in a file of its own (torch.distributed.checkpoint):
                     the trained weights in float32, the optimiser's moments
        model/       the last checkpoint only: a Hugging Face folder, its tokenizer with the chat template
        adapter/     the same with `method: lora`: the adapter in peft's layout
        state.json   where the run stands; a folder without it is no checkpoint

There is no state of a random generator: whatever is random in a step is seeded by (seed, step).
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.tensor import DTensor
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from pipeline.atomic import TEMPORARY, remove_temporaries, sync, write_json
from pipeline.errors import RunDirectoryError, StageError, cannot_write
from pipeline.train.optimizer import set_rates
from pipeline.train.parallel import Ranks
from pipeline.train.precision import Weights, local

__all__ = ["Checkpoints", "TrainState", "load", "newest", "read_state"]

STATE = "state.json"


@dataclass(kw_only=True)
class TrainState:
    """Where a training run stands."""

    step: int = 0
    """Optimiser steps done."""
    tokens: int = 0
    """Tokens seen, without padding."""
    target_tokens: int = 0
    """Tokens learnt."""
    first_loss: float | None = None
    """Of step 1, before its update."""
    last_loss: float | None = None
    """Of the last step done."""
    stopped_early: bool = False
    """The validation loss fell no more: the run ends here."""
    best_step: int | None = None
    """That with the least validation loss, where it is kept."""
    unvalidated: bool = False
    """The validation after the last step was given up for a stop: it comes before anything else."""


def newest(folder: Path) -> Path | None:
    """The complete checkpoint with the most steps, or None."""
    return max(_complete(folder), default=None, key=lambda path: path.name)


def read_state(checkpoint: Path, *, bins: str, upcoming: Callable[[int], str]) -> TrainState:
    """Where the run stood at a checkpoint.

    Args:
        checkpoint: a complete one.
        bins: fingerprint of the bins that there are.
        upcoming: fingerprint of what a step, counted from 0, takes of them.

    Raises:
        RunDirectoryError: it was trained on other bins, or the next step would take other ones than it would have.
    """
    value = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    mend = "delete the folder checkpoints to train afresh, or restore the bins"
    if value.pop("bins") != bins:
        raise RunDirectoryError(
            "the checkpoint was trained on other bins than those in packed/train", where=str(checkpoint), mend=mend
        )
    promised = value.pop("upcoming")
    del value["parameters"]
    state = TrainState(**value)
    if upcoming(state.step) != promised:
        raise RunDirectoryError(
            f"step {state.step + 1} would take other bins than when the checkpoint was written",
            where=str(checkpoint),
            mend="go on with the version of the project that wrote it, or delete the folder checkpoints",
        )
    return state


def load(checkpoint: Path, weights: Weights, optimizer: torch.optim.Optimizer, *, step: int, ranks: Ranks) -> None:
    """Put a checkpoint's weights and moments in place of those that there are, however they are cut over ranks."""
    _make_moments(optimizer)
    kept = _tensors(weights, optimizer)
    state_dict_loader.load(kept, checkpoint_id=str(checkpoint / "shards"), no_dist=ranks.world == 1)
    for key, value in _moments(weights, optimizer):
        if kept[key] is not value:
            local(value).copy_(local(kept[key]))
    for moments in optimizer.state.values():
        with suppress(KeyError):
            moments["step"] = _counted(moments["step"], step)
    weights.publish()


class Checkpoints:
    """Those of one run; on every rank.

    `save` copies what is to be written and returns; threads write it. The next `save`, `check` or `close` raises what
    went wrong there.
    """

    def __init__(self, folder: Path, ranks: Ranks, *, keep_last: int) -> None:
        self._folder = folder
        self._ranks = ranks
        self._keep_last = keep_last
        # Of its own: the writers' collectives must not come between the training's.
        self._group = dist.new_group(backend="gloo") if ranks.world > 1 else None
        self._finisher = ThreadPoolExecutor(1)
        self._pending: Future[Any] | None = None
        if ranks.is_main:
            folder.mkdir(parents=True, exist_ok=True)
            remove_temporaries(folder)

    def save(
        self,
        state: TrainState,
        weights: Weights,
        optimizer: torch.optim.Optimizer,
        *,
        facts: Mapping[str, Any],
        export: Callable[[Path], None] | None = None,
    ) -> None:
        """Begin to write `step-<n>`; when it is whole, older ones go.

        Args:
            state: where the run stands.
            weights: the trained ones.
            optimizer: of their masters.
            facts: what else `state.json` says.
            export: fills the folder with what else it is to hold, on every rank; it is waited for.

        Raises:
            MachineError: the disk is full.
        """
        self._wait()
        target = self._folder / f"step-{state.step:08d}"
        name = f"{TEMPORARY}{target.name}-{os.getpid()}-{secrets.token_hex(4)}"
        beside = self._folder / self._ranks.gather(name)[0]
        if self._ranks.is_main:
            beside.mkdir()
        self._ranks.barrier()
        try:
            if export is not None:
                export(beside)
            written = state_dict_saver.async_save(
                _tensors(weights, optimizer),
                storage_writer=FileSystemWriter(beside / "shards"),
                process_group=self._group,
                no_dist=self._group is None,
            )
        except (Exception, CheckpointException) as error:
            raise _explained(error, target) from None
        assert isinstance(written, Future)
        value = {**asdict(state), **facts}
        self._pending = (
            self._finisher.submit(self._finish, written, beside, target, value) if self._ranks.is_main else written
        )

    def wait(self) -> None:
        """Return when what was begun is whole, for every rank; each must call this.

        Raises:
            MachineError: the disk is full.
        """
        self._wait()
        self._ranks.barrier()

    def check(self) -> None:
        """Raise what the writing threads have failed of, if they have."""
        if self._pending is not None and self._pending.done():
            self._wait()

    def close(self) -> None:
        """Wait until the last checkpoint is whole.

        Raises:
            MachineError: the disk is full.
        """
        self._wait()
        self._finisher.shutdown()

    def _wait(self) -> None:
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        try:
            pending.result()
        except (Exception, CheckpointException) as error:  # the latter is none of the former
            raise _explained(error, self._folder) from None

    def _finish(self, written: Future[Any], beside: Path, target: Path, value: Mapping[str, Any]) -> None:
        """When every rank has written its shards (the first's writer waits for the others'): mark, rename, tidy."""
        try:
            written.result()
            for path in sorted(beside.rglob("*")):
                sync(path)
            write_json(beside / STATE, dict(value))
            if target.exists():
                _remove(target)
            os.replace(beside, target)
            sync(self._folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        kept = f"step-{value['best_step'] or 0:08d}"
        for old in sorted(_complete(self._folder), key=lambda path: path.name)[: -self._keep_last]:
            if old.name != kept:
                _remove(old)


def _complete(folder: Path) -> list[Path]:
    return [path for path in folder.glob("step-*") if (path / STATE).is_file()]


def _remove(checkpoint: Path) -> None:
    (checkpoint / STATE).unlink(missing_ok=True)  # first: half a checkpoint must not count as one
    shutil.rmtree(checkpoint)


def _tensors(weights: Weights, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """All that is kept, by names that do not depend on ranks."""
    kept = {f"weights/{name}": master.detach() for name, master in weights.masters.items()}
    return kept | {key: _numbers(value) for key, value in _moments(weights, optimizer)}


def _moments(weights: Weights, optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, torch.Tensor]]:
    for name, master in weights.masters.items():
        for kind, value in optimizer.state[master].items():
            if kind != "step":
                yield f"moments/{name}/{kind}", value


def _numbers(moment: torch.Tensor) -> torch.Tensor:
    """A moment as it is, or, of 8 bits, as the float32 numbers that it stands for.

    torch can neither stage torchao's tensors nor cut them between their blocks for another number of ranks. Coded anew
    they are a little off: a block whose largest number is negative gets another scale.
    """
    own: Any = local(moment)
    coded: bool = is_traceable_wrapper_subclass(own)
    if not coded:
        return moment
    numbers: torch.Tensor = own.dequantize()
    if isinstance(moment, DTensor):
        return DTensor.from_local(
            numbers,
            moment.device_mesh,
            moment.placements,
            run_check=False,
            shape=moment.shape,
            stride=moment.stride(),
        )
    return numbers.cpu()  # one at a time: together they take the memory that eight bits have saved


def _make_moments(optimizer: torch.optim.Optimizer) -> None:
    """Have the optimiser make its state, of whatever kind, by a step of no length."""
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    set_rates(optimizer, [0.0] * len(rates))
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    set_rates(optimizer, rates)


def _counted(count: Any, step: int) -> Any:
    """The optimiser's own count of its steps, a tensor or a number."""
    return local(count).fill_(step) if isinstance(count, torch.Tensor) else step


def _explained(error: BaseException, where: Path) -> BaseException:
    """A full disk as such; an error that another rank has told of as a `StageError`; any other as it is.

    Of a write that fails, torch's own writer tells only that its file is shorter than it should be; and of another
    rank's error nothing but its text comes over.
    """
    causes: list[BaseException] = [error]
    if isinstance(error, CheckpointException):
        causes += [failure[0] for failure in error.failures.values()]
    for cause in causes:
        link: BaseException | None = cause
        while link is not None:
            if isinstance(link, OSError) and (explained := cannot_write(link, str(where))):
                return explained
            link = link.__cause__ or link.__context__
        if "inline_container" in str(cause):
            return cannot_write(OSError(errno.ENOSPC, str(cause)), str(where)) or error
    if isinstance(error, CheckpointException):
        return StageError(
            f"the checkpoint cannot be written: {str(error).splitlines()[-1]}",
            where=str(where),
            mend="run the same command again: it goes on from the last whole checkpoint",
        )
    return error
