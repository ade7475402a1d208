"""What can be known to fail before anything runs: every missing file of a recipe in one message."""

from __future__ import annotations

from pathlib import Path

from pipeline.config import Pack, Pii, Recipe, Source
from pipeline.errors import InputError, ProjectError, StageError, did_you_mean
from pipeline.ingest import check_source

__all__ = ["check"]

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json", "vocab.json")


def check(recipe: Recipe, *, packs: bool = False) -> None:
    """Look for the files and modules that the recipe names, so that hours of curation are not lost to a typo.

    Names on a model hub are not looked up: they may be in a cache, and the network may be absent.

    Args:
        recipe: that is to run.
        packs: its rows are to become bins.

    Raises:
        InputError: with every problem.
        StageError: there is none but that servers do not answer, which may pass.
    """
    unreachable: list[StageError] = []
    problems = [problem for source in recipe.sources for problem in _source(source, unreachable)]
    if recipe.train is not None:
        problems += _local("train.model.path", recipe.train.model.path)
    problems += _local("pack.tokenizer", recipe.pack.tokenizer)
    problems += _tokenizer(recipe)
    problems += _kinds(recipe) if packs else []
    problems += _pii(recipe.curate.pii)
    problems += _evaluation(recipe)
    problems += _language(recipe)
    problems += _token_files(recipe.pack)
    problems += _template(recipe.pack)
    problems += _extras(recipe)
    if problems and len(problems) == len(unreachable) == 1:
        raise unreachable[0]
    if problems:
        kind = StageError if len(problems) == len(unreachable) else InputError
        raise kind(
            "the recipe cannot run as it is:\n" + "\n".join(f"  - {problem}" for problem in problems),
            where=f"looked from {Path.cwd()}",
            mend="correct what is named; paths are relative to the working directory",
        )


def _source(source: Source, unreachable: list[StageError] | None = None) -> list[str]:
    """What is wrong with a source; `unreachable` is told of a server that does not answer."""
    try:
        check_source(source)
    except ProjectError as error:
        if isinstance(error, StageError) and unreachable is not None:
            unreachable.append(error)
        return [f"{error.where}: {error.what}" + (f" ({error.mend})" if error.mend else "")]
    except OSError as error:
        return [f"source {source.name}: {error.strerror or error}"]
    return []


def _tokenizer(recipe: Recipe) -> list[str]:
    """A trained model understands its own tokens; one that is trained anew would be refused after hours of curation."""
    model = recipe.train.model.path if recipe.train else None
    if model is None or recipe.pack.tokenizer is not None:
        return []
    folder = Path(model).expanduser()
    if folder.is_dir() and not any((folder / name).exists() for name in _TOKENIZER_FILES):
        return []
    return [f"pack.tokenizer: the model {model} has its own tokenizer; set pack.tokenizer: {model}"]


def _kinds(recipe: Recipe) -> list[str]:
    return [
        f"source {source.name}: rows of kind retrieval are curated and exported, but not packed for language "
        "modelling; leave it out, or run `curate-and-train curate` only"
        for source in recipe.sources
        if source.kind == "retrieval"
    ]


def _token_files(pack: Pack) -> list[str]:
    if not pack.pretokenised:
        return []
    from pipeline.pack.selection import expand

    problems = []
    for spec in pack.pretokenised:
        try:
            expand(spec)
        except ProjectError as error:
            problems.append(f"{error.where}: {error.what}")
    return problems


def _template(pack: Pack) -> list[str]:
    """Names and texts need no file; what is neither must be one. And what is to be cut first must be something."""
    if pack.template == "default" and not pack.truncation_fields:
        return []
    from pipeline.pack.cut_fields import check_recipe_fields
    from pipeline.pack.shipped import NAMES
    from pipeline.pack.template import read_template

    try:
        if pack.template not in ("default", *NAMES):
            read_template(pack.template)
        check_recipe_fields(pack)
    except ProjectError as error:
        return [f"{error.where}: {error.what}"]
    return []


def _language(recipe: Recipe) -> list[str]:
    if not recipe.curate.language:
        return []
    from pipeline.curate.language import check_language

    try:
        check_language()
    except ProjectError as error:
        return [f"{error.where}: {error.what} ({error.mend})"]
    return []


def _extras(recipe: Recipe) -> list[str]:
    if recipe.train is None:
        return []
    from pipeline.train.extras import check_extras

    try:
        lora = recipe.train.lora if recipe.train.method == "lora" else None
        check_extras(lora=lora, track=recipe.train.track, optimizer=recipe.train.optimizer)
    except ProjectError as error:
        return [f"{error.where}: {error.what} ({error.mend})"]
    return []


def _pii(pii: Pii | None) -> list[str]:
    """The key of `hash`, and the model that finds names."""
    if pii is None or (pii.key_env is None and pii.ner is None):
        return []
    from pipeline.curate.pii.redact import problems  # all of curation comes with it

    return problems(pii)


def _evaluation(recipe: Recipe) -> list[str]:
    """Every evaluation set is read: they are small, and one that nobody can look for is no protection."""
    files = recipe.curate.decontaminate.files
    problems = [problem for file in files for problem in _source(file)]
    if problems or not files:
        return problems
    from pipeline.curate.decontaminate.evaluation import check_evaluation, survey_evaluation

    try:
        check_evaluation(recipe, survey_evaluation(recipe))
    except ProjectError as error:
        return [f"{error.where}: {error.what}"]
    return []


def _local(key: str, name: str | None) -> list[str]:
    """A path that can only be local, and is not there; `organisation/name` may be on a hub."""
    if name is None or Path(name).expanduser().exists():
        return []
    if name.startswith(("/", "./", "../", "~")) or name.count("/") > 1:
        return [f"{key}: there is no folder {name}{_near(Path(name))}"]
    return []


def _near(path: Path) -> str:
    """The neighbour with a similar name, if there is one."""
    folder = path.parent
    if not folder.is_dir():
        return f" (nor is there a folder {folder})"
    return did_you_mean(path.name, (other.name for other in folder.iterdir()))
