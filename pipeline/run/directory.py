"""The directory that a run lives in: found or made for a recipe, locked, its owner checked."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.atomic import remove_temporaries, write_text
from pipeline.config import Recipe
from pipeline.errors import RunDirectoryError, cannot_write
from pipeline.recipe import dump_recipe, load_recipe
from pipeline.run.differences import differences
from pipeline.run.manifest import MANIFEST

__all__ = ["RunDirectory"]


class RunDirectory:
    """The folder of one run."""

    def __init__(self, root: Path) -> None:
        # Absolute: workers may have another working directory than the command.
        self.root = root.absolute()

    @classmethod
    def open(cls, recipe: Recipe) -> RunDirectory:
        """Make or reopen the directory that the recipe names, and write the resolved recipe into it.

        Raises:
            RunDirectoryError: it holds another recipe's run, or something that is no run at all.
        """
        run = cls(Path(recipe.run))
        run.check_owner(recipe)
        run.root.mkdir(parents=True, exist_ok=True)
        remove_temporaries(run.root)
        text = f"# fingerprint: {recipe.fingerprint()}\n{dump_recipe(recipe)}"
        if not run.recipe_path.exists() or run.recipe_path.read_text(encoding="utf-8") != text:
            write_text(run.recipe_path, text)
        return run

    @classmethod
    def existing(cls, root: str | Path) -> tuple[RunDirectory, Recipe]:
        """Open a run that was made before, with the recipe it holds."""
        run = cls(Path(root))
        if not run.recipe_path.exists():
            raise RunDirectoryError(
                "this is not a run directory: it has no recipe.yaml",
                where=str(root),
                mend="give the directory that `run:` in the recipe names",
            )
        return run, load_recipe(run.recipe_path)

    def check_owner(self, recipe: Recipe) -> None:
        """Raise if the directory holds what was made for a recipe with other sources, or anything else."""
        if self.root.exists() and not self.root.is_dir():
            raise RunDirectoryError("the run directory is a file", where=str(self.root), mend="change `run:`")
        if not self.recipe_path.exists():
            others = [path.name for path in self.root.iterdir()] if self.root.is_dir() else []
            if [name for name in others if not name.startswith(".")]:
                raise RunDirectoryError(
                    f"the run directory holds something else ({sorted(others)[0]}, …)",
                    where=str(self.root),
                    mend="point `run:` at a new or empty folder",
                )
            return
        if next(self.root.glob(f"*/{MANIFEST}"), None) is None:
            return  # nothing has finished, so nothing can be lost: people mend a path and go on
        owner = load_recipe(self.recipe_path)
        old, new = ({source.name: source.model_dump() for source in one.sources} for one in (owner, recipe))
        if list(old) != list(new):
            raise _anothers(self.recipe_path, f"its sources are {', '.join(old)}")
        if changed := differences("", old, new):
            raise _anothers(self.recipe_path, f"its sources differ in {', '.join(changed)}")

    @property
    def shown(self) -> Path:
        """The root as a person would write it: relative where it lies below the working directory."""
        here = Path.cwd()
        return self.root.relative_to(here) if self.root.is_relative_to(here) else self.root

    @property
    def recipe_path(self) -> Path:
        """The resolved recipe."""
        return self.root / "recipe.yaml"

    @property
    def logs(self) -> Path:
        """The folder of logs: the only files of a run that depend on time and machine."""
        return self.root / "logs"

    def path(self, name: str) -> Path:
        """A file or folder of the run."""
        return self.root / name

    @contextmanager
    def lock(self, name: str = "") -> Iterator[None]:
        """Hold the directory for this process; the kernel lets go when the process ends, however it ends.

        Args:
            name: what people call this process, a flow run's name say; whoever is refused is told.

        Raises:
            RunDirectoryError: another process holds it.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise cannot_write(error, str(self.root)) or error from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
                raise RunDirectoryError(
                    f"the run directory is in use by {holder}",
                    where=str(self.root),
                    mend="wait for it, stop it, or give this run a `run:` of its own",
                ) from None
            os.ftruncate(handle, 0)
            process = f"process {os.getpid()} on {socket.gethostname()}"
            os.pwrite(handle, f"{name} ({process})\n".encode() if name else f"{process}\n".encode(), 0)
            yield
        finally:
            os.close(handle)


def _anothers(where: Path, why: str) -> RunDirectoryError:
    return RunDirectoryError(
        f"the run directory belongs to another recipe: {why}",
        where=str(where),
        mend="give this recipe a `run:` of its own, or delete that directory",
    )
