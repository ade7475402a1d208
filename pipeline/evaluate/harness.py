"""EleutherAI's lm-evaluation-harness on a run's trained model: the field's tasks, and one's own in its YAML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.atomic import write_json
from pipeline.errors import InputError, MachineError, RunDirectoryError, did_you_mean
from pipeline.evaluate.champion import find_candidate
from pipeline.run import RunDirectory

__all__ = ["run_harness"]


def run_harness(
    run: RunDirectory,
    tasks: Sequence[str],
    *,
    include: Path | None = None,
    limit: int | None = None,
    shots: int | None = None,
    batch: int = 8,
    chat: bool = True,
    device: str = "cpu",
    seed: int = 0,
) -> dict[str, Any]:
    """Run tasks on the model that the run's training ended with, and write `harness/results.json`.

    Args:
        run: with a finished training.
        tasks: names as the harness has them.
        include: a folder of tasks of one's own (YAML), which go before those of the harness.
        limit: rows of each task; all without.
        shots: examples in the prompt; the task's own number without.
        batch: requests at once.
        chat: whether prompts go through the model's chat template, as in training.
        device: of torch.
        seed: of everything that is drawn.

    Returns:
        `{task: {metric: value}}`, the standard errors too.

    Raises:
        MachineError: the harness is not installed.
        InputError: there is no such task, or it cannot be run (its data is not there, say).
        RunDirectoryError: training has not finished.
    """
    candidate = find_candidate(run)
    if candidate is None:
        raise RunDirectoryError(
            "there is no trained model", where=str(run.root), mend="run `curate-and-train train RECIPE` first"
        )
    try:
        from lm_eval import __version__ as version
        from lm_eval import simple_evaluate
        from lm_eval.tasks import TaskManager
    except ImportError as error:
        raise MachineError(
            f"lm-evaluation-harness is not installed ({error})",
            where="harness",
            mend='install the extra: pip install "curate-and-train[harness]"',
        ) from None
    if include is not None and not include.is_dir():
        raise InputError("there is no folder of tasks", where=str(include), mend="give the folder that holds the YAML")
    manager: Any = None
    unknown = list(tasks)
    if include is not None:  # the harness's own index is of thousands of files: not for tasks of one's own
        manager = TaskManager(include_path=str(include), include_defaults=False)
        unknown = [task for task in tasks if not manager.match_tasks([task])]
    if manager is None or unknown:
        manager = TaskManager(include_path=str(include) if include else None)
        unknown = [task for task in tasks if not manager.match_tasks([task])]
    if unknown:
        near = did_you_mean(unknown[0], manager.all_tasks)
        raise InputError(
            f"the harness has no task {unknown[0]!r}{near}",
            where="--tasks",
            mend="`lm-eval ls tasks` lists them; --include names a folder of your own",
        )
    try:
        evaluate: Any = simple_evaluate
        found = evaluate(
            model="hf",
            model_args={"pretrained": str(candidate.folder), "dtype": "float32", "trust_remote_code": False},
            tasks=list(tasks),
            task_manager=manager,
            num_fewshot=shots,
            batch_size=batch,
            device=device,
            limit=limit,
            apply_chat_template=chat,
            log_samples=False,
            random_seed=seed,
            numpy_random_seed=seed,
            torch_random_seed=seed,
            fewshot_random_seed=seed,
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        first = (str(error).strip() or "no reason given").splitlines()[0]
        raise InputError(
            f"the harness cannot run it: {type(error).__name__}: {first}",
            where=", ".join(tasks),
            mend="most often its data is not on this machine: download it first, or use a local task (--include)",
        ) from None
    results = {
        task: {name: value for name, value in sorted(values.items()) if isinstance(value, int | float)}
        for task, values in found["results"].items()
    }
    about = {"harness": version, "model": candidate.model, "limit": limit, "shots": shots, "chat": chat, "seed": seed}
    write_json(run.path("harness/results.json"), {**about, "results": results})
    return results
