"""TensorBoard, Weights & Biases, MLflow: the numbers of `logs/train.jsonl`, for those who look at them there.

A tracker that fails is told once and left out: a server that is away must not end a training run. No row id and no
text leaves the machine. A run that resumes goes on in the same tracker's run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from pipeline import config
from pipeline.addresses import without_secrets
from pipeline.atomic import write_json

__all__ = ["Trackers"]


class _Tracker(Protocol):
    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


class Trackers:
    """All trackers of a run; on one rank.

    Args:
        track: the recipe's section.
        logs: `logs/` of the run.
        name: what the run is called there.
        settings: what it is described by.
        after: the step that the run stands at; 0 begins a new run in each tracker.
    """

    def __init__(self, track: config.Track, logs: Path, *, name: str, settings: Mapping[str, Any], after: int) -> None:
        self._every = track.every
        self._trackers: dict[str, _Tracker] = {}
        kept = _Kept(logs / "trackers.json", after=after)
        # Where they are: an address may hold a password, and one tracker is not told of another.
        settings = {key: value for key, value in settings.items() if key != "track"}
        wandb, mlflow = track.wandb, track.mlflow
        if track.tensorboard:
            self._begin("tensorboard", lambda: _TensorBoard(logs / "tensorboard", after=after))
        if wandb:
            self._begin("wandb", lambda: _Wandb(wandb, logs, name, settings, kept))
        if mlflow:
            self._begin("mlflow", lambda: _Mlflow(mlflow, name, settings, kept))

    def _begin(self, name: str, make: Callable[[], _Tracker]) -> None:
        try:
            self._trackers[name] = make()
        except Exception as error:  # as below
            _warn(f"{name} is left out", error)

    def log(self, entry: Mapping[str, Any], *, prefix: str) -> None:
        """Send the numbers of a line to every tracker, called `prefix/…`; steps between `every` are left out."""
        step = int(entry["step"])
        if prefix == "train" and step % self._every:
            return
        numbers = {
            f"{prefix}/{key}": float(value)
            for key, value in entry.items()
            if key != "step" and isinstance(value, int | float) and not isinstance(value, bool)
        }
        for name in list(self._trackers):
            try:
                self._trackers[name].log(step, numbers)
            except Exception as error:  # each has errors of its own, and none is worth a training run
                _warn(f"{name} is left out from step {step} on", error)
                del self._trackers[name]

    def close(self) -> None:
        """Finish what is under way."""
        for name, tracker in self._trackers.items():
            try:
                tracker.close()
            except Exception as error:
                _warn(f"{name} could not finish", error)


def _warn(what: str, error: Exception) -> None:
    """Errors of clients name the address, which may hold a password."""
    print(f"warning: {what}: {type(error).__name__}: {without_secrets(str(error))}", flush=True)


class _Kept:
    """The trackers' own names of this run."""

    def __init__(self, path: Path, *, after: int) -> None:
        self._path = path
        self._ids: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if after and path.exists() else {}

    def get(self, tracker: str) -> str | None:
        return self._ids.get(tracker)

    def put(self, tracker: str, id_: str) -> None:
        self._ids[tracker] = id_
        write_json(self._path, self._ids)


class _TensorBoard:
    def __init__(self, folder: Path, *, after: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=after + 1)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


class _Wandb:
    def __init__(self, project: str, logs: Path, name: str, settings: Mapping[str, Any], kept: _Kept) -> None:
        import wandb

        self._run = wandb.init(
            project=project,
            name=name,
            config=dict(settings),
            dir=str(logs),
            id=kept.get("wandb"),
            resume="allow",
            # What is printed names rows.
            settings=wandb.Settings(console="off", save_code=False),
        )
        kept.put("wandb", self._run.id)
        self._run.define_metric("*", step_metric="step")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log({**values, "step": step})

    def close(self) -> None:
        self._run.finish()


class _Mlflow:
    def __init__(self, uri: str, name: str, settings: Mapping[str, Any], kept: _Kept) -> None:
        import mlflow

        mlflow.set_tracking_uri(uri)
        self._mlflow = mlflow
        known = kept.get("mlflow")
        run = mlflow.start_run(run_id=known, run_name=None if known else name)
        if known is None:
            kept.put("mlflow", run.info.run_id)
            mlflow.log_params(_flat(settings))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self._mlflow.log_metrics(dict(values), step=step)

    def close(self) -> None:
        self._mlflow.end_run()


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings under dotted names; MLflow takes 500 characters a value."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = str(value)[:500]
    return found
