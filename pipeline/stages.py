"""The stages in their order: run one, or say what would run and why. `cli` and `flows` go through here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal, Protocol, cast

from pipeline.config import Recipe
from pipeline.errors import MachineError, RecipeError, RunDirectoryError, cannot_write
from pipeline.failures import explained
from pipeline.run import Manifest, RunDirectory, Stage

__all__ = ["Outlook", "hold", "order", "outlook", "require_upstream", "run_stage"]

_CURATION = ("curate", "pack")
_TRAINING = ("train", "evaluate", "promote")


def order(recipe: Recipe) -> tuple[str, ...]:
    """The recipe's stages; each name is a package below `pipeline`, its verb in that package, and its command."""
    return _CURATION if recipe.train is None else _CURATION + _TRAINING


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a run would do with a stage."""

    stage: str
    action: Literal["run", "reuse", "wait"]
    """`wait`: it can only be told once an earlier stage has run."""
    why: str


class _Verb(Protocol):
    def __call__(self, run: RunDirectory, recipe: Recipe) -> Manifest: ...


class _Plan(Protocol):
    def __call__(self, run: RunDirectory, recipe: Recipe) -> Stage | Sequence[Stage | None] | None: ...


@contextmanager
def hold(recipe: Recipe, *, needs_before: str | None = None, name: str = "") -> Iterator[RunDirectory]:
    """Open the recipe's run directory and hold it for this process.

    Everything that can be refused is refused before the first byte is written, and the recipe in the directory
    is replaced only by the process that holds it.

    Args:
        recipe: whose run it is.
        needs_before: a stage whose upstream must be finished.
        name: of the holder, for whoever is refused meanwhile; its process id is told in any case.

    Raises:
        RecipeError: this machine only takes part in another's training.
        RunDirectoryError: another recipe's, in use, or an earlier stage has not run.
        MachineError: it cannot be written.
    """
    if recipe.train is not None and recipe.train.launch.node_rank:
        raise RecipeError(
            "machines beyond the first only take part in training",
            where=f"train.launch.node_rank: {recipe.train.launch.node_rank}",
            mend="run `curate-and-train train` with it, and every other command where node_rank is 0",
        )
    run = RunDirectory(Path(recipe.run))
    run.check_owner(recipe)
    if needs_before is not None:
        require_upstream(needs_before, run, recipe)
    try:
        run.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(error, str(run.root)) or MachineError(
            f"the run directory cannot be made: {error.strerror}",
            where=str(run.root),
            mend="point `run:` at a folder that you may write to",
        ) from None
    with run.lock(name):
        yield RunDirectory.open(recipe)


def run_stage(name: str, run: RunDirectory, recipe: Recipe) -> Manifest:
    """Run one stage, or reuse its output.

    Raises:
        ProjectError: whatever went wrong, as one message (`pipeline.failures`).
    """
    with explained(run, name):
        verb = cast(_Verb, getattr(import_module(f"pipeline.{name}"), name))
        return verb(run, recipe)


def require_upstream(name: str, run: RunDirectory, recipe: Recipe) -> None:
    """Raise where a stage before `name` has no finished output of this recipe.

    Raises:
        RecipeError: the recipe has no such stage.
        RunDirectoryError: an earlier stage must run first; the mend is the command.
    """
    if name in _TRAINING:
        _ = recipe.training  # or the error that says what is missing
    for earlier in outlook(run, recipe)[: order(recipe).index(name)]:
        if earlier.action != "reuse":
            raise RunDirectoryError(
                f"{name} needs the output of {earlier.stage}, which must run first: {earlier.why}",
                where=str(run.root),
                mend=f"run `curate-and-train {earlier.stage} RECIPE` first, or `curate-and-train run RECIPE` for all",
            )


def outlook(run: RunDirectory, recipe: Recipe) -> list[Outlook]:
    """Say for every stage whether it would run, in order. Reads manifests; writes nothing.

    A stage that lies behind one that must run is reused only if that one makes the same bytes again.
    """
    found: list[Outlook] = []
    for name in order(recipe):
        plan = cast(_Plan, import_module(f"pipeline.{name}").plan)
        planned = plan(run, recipe)
        steps = list(planned) if isinstance(planned, Sequence) else [planned]
        blocker = next((earlier.stage for earlier in found if earlier.action != "reuse"), None)
        found.append(_outlook_of(name, steps, blocker))
    return found


def _outlook_of(name: str, steps: Sequence[Stage | None], blocker: str | None) -> Outlook:
    """The outlook for a package of one or more steps, behind `blocker` if an earlier stage must run."""
    for step in steps:
        if step is None and blocker is not None:
            return Outlook(stage=name, action="wait", why=f"waits for {blocker}")
        if step is None:  # every stage before it is finished, so it is a step of its own that is not
            return Outlook(stage=name, action="run", why="it has not finished")
        if why := step.why():
            return Outlook(stage=name, action="run", why=why if step.name == name else f"{step.name}: {why}")
    if blocker is not None:
        return Outlook(stage=name, action="wait", why=f"reused if {blocker} makes the same bytes again")
    return Outlook(stage=name, action="reuse", why="inputs, configuration and version are unchanged")
