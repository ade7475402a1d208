"""Datasets of the Hugging Face hub, and folders that are laid out like one.

Their files are read by our own readers, at one commit, over the network where they lie: the library `datasets` would
put a copy of everything on this disk, and would give rows of different shapes the keys of all of them, with nulls.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from pipeline.config import Source
from pipeline.errors import InputError, did_you_mean
from pipeline.ingest.containers import is_data
from pipeline.ingest.shards import Shard
from pipeline.ingest.storage import cannot_reach

__all__ = ["dataset_shards"]

_CONVERTED = "refs/convert/parquet"
"""The branch that the hub's own converter writes: `<config>/<split>/0000.parquet`."""

_WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
"""Split → the words in the names of files and folders that stand for it, where the dataset card names no files."""


@dataclass(frozen=True, kw_only=True)
class _Repository:
    """What a dataset holds."""

    name: str
    files: dict[str, str]
    """Path → what names its content, or an empty string."""
    card: dict[str, Any]
    """The front matter of its README.md."""
    prefix: str
    """What leads to a path: a folder, or `hf://datasets/<name>@<commit>`."""


def dataset_shards(source: Source, dataset: str, split: str) -> list[Shard]:
    """The files of one split of a dataset, in the order of their names.

    Args:
        source: with `config` and `revision`.
        dataset: a name on the hub (`HF_ENDPOINT` and `HF_TOKEN` are heeded), or a folder.
        split: without a slice.

    Raises:
        InputError: no such dataset, configuration or split, its card is broken, or none of its files can be read.
        StageError: the hub cannot be reached.
    """
    if source.revision is not None and Path(dataset).is_dir():
        raise InputError(
            "`revision` has no effect: the dataset is a folder",
            where=f"source {source.name}: dataset {dataset}",
            mend="take `revision` out; a dataset of the hub is named by `organisation/name`",
        )
    repository = _folder(Path(dataset)) if Path(dataset).is_dir() else _on_hub(source, dataset, source.revision)
    splits = _splits(source, repository)
    if not splits and source.revision is None and not Path(dataset).is_dir():
        repository = _on_hub(source, dataset, _CONVERTED)
        splits = _converted(source, repository)
    where = f"source {source.name}: dataset {dataset}"
    if not splits:
        raise InputError(
            "it holds no files that can be read",
            where=where,
            mend="JSON, JSON Lines, CSV, Parquet and text can be; name its files with `path: hf://datasets/…` instead",
        )
    if split not in splits:
        raise InputError(
            f"no split {split!r}{did_you_mean(split, splits)}", where=where, mend=f"it has {', '.join(splits)}"
        )
    return [
        Shard(name=path, location=f"{repository.prefix}/{path}", version=repository.files[path] or None)
        for path in sorted(splits[split])
    ]


def _splits(source: Source, repository: _Repository) -> dict[str, list[str]]:
    """Split → its files: as the card names them, else by the words in their names."""
    data = [path for path in repository.files if is_data(path)]
    configs = {str(one.get("config_name", "default")): one for one in repository.card.get("configs") or []}
    if configs:
        return _of_card(_chosen(source, repository, list(configs)), configs, data)
    if source.config is not None:
        within = [path for path in data if path.startswith(f"{source.config}/")]
        if not within:
            folders = sorted({path.partition("/")[0] for path in data if "/" in path})
            raise _no_config(source, repository.name, folders)
        data = within
    found = {split: [path for path in data if _named(path, words)] for split, words in _WORDS.items()}
    found = {split: paths for split, paths in found.items() if paths}
    return found or ({"train": data} if data else {})


def _of_card(chosen: str, configs: dict[str, Any], data: Sequence[str]) -> dict[str, list[str]]:
    config = configs[chosen]
    root = f"{config['data_dir'].strip('/')}/" if config.get("data_dir") else ""
    files = config.get("data_files", f"{root}**" if root else "**")
    if isinstance(files, str) or (isinstance(files, list) and all(isinstance(one, str) for one in files)):
        files = [{"split": "train", "path": files}]
    if isinstance(files, dict):
        files = [{"split": split, "path": path} for split, path in files.items()]
    splits: dict[str, list[str]] = {}
    for one in files:
        patterns = [one["path"]] if isinstance(one["path"], str) else one["path"]
        matched = [path for path in data if any(_matches(path, pattern, root) for pattern in patterns)]
        splits.setdefault(str(one.get("split", "train")), []).extend(matched)
    return {split: paths for split, paths in splits.items() if paths}


def _matches(path: str, pattern: str, root: str) -> bool:
    pattern = pattern.removeprefix("./")
    return any(fnmatch(path, wanted.replace("**/", "*").replace("**", "*")) for wanted in (pattern, root + pattern))


def _converted(source: Source, repository: _Repository) -> dict[str, list[str]]:
    data = [path for path in repository.files if path.endswith(".parquet") and path.count("/") == 2]
    chosen = _chosen(source, repository, sorted({path.split("/")[0] for path in data})) if data else ""
    splits: dict[str, list[str]] = {}
    for path in data:
        config, split, _ = path.split("/")
        if config == chosen:
            splits.setdefault(split, []).append(path)
    return splits


def _chosen(source: Source, repository: _Repository, configs: list[str]) -> str:
    if source.config is None and (len(configs) == 1 or "default" in configs):
        return configs[0] if len(configs) == 1 else "default"
    if source.config not in configs:
        raise _no_config(source, repository.name, configs)
    return source.config


def _no_config(source: Source, dataset: str, configs: list[str]) -> InputError:
    what = f"no configuration {source.config!r}{did_you_mean(str(source.config), configs)}"
    return InputError(
        what if source.config is not None else "it has several configurations",
        where=f"source {source.name}: dataset {dataset}",
        mend=f"set `config` to one of {', '.join(configs) or 'none'}",
    )


def _named(path: str, words: Sequence[str]) -> bool:
    return any(re.search(rf"(?:^|[/._ -]){word}(?:[/._ -]|\d|$)", path.lower()) for word in words)


def _folder(root: Path) -> _Repository:
    files = {path.relative_to(root).as_posix(): "" for path in sorted(root.rglob("*")) if path.is_file()}
    card = root / "README.md"
    return _Repository(
        name=str(root),
        files=files,
        card=_front_matter(card) if card.is_file() else {},
        prefix=str(root),
    )


def _front_matter(card: Path) -> dict[str, Any]:
    try:
        match = re.match(r"---\s*\n(.*?)\n---\s*(?:\n|$)", card.read_text(encoding="utf-8"), re.DOTALL)
        found = yaml.safe_load(match.group(1)) if match else None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError(
            f"the dataset's card is not YAML: {getattr(error, 'problem', None) or 'it is not UTF-8'}",
            where=f"{card}:{mark.line + 2}" if mark else str(card),  # the first line is `---`
            mend="mend what stands between the lines `---`, or remove it: files are then told by their names",
        ) from None
    return found if isinstance(found, dict) else {}


def _on_hub(source: Source, name: str, revision: str | None) -> _Repository:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    where = f"source {source.name}: dataset {name}" + (f" at {revision}" if revision else "")
    passing = OSError(errno.ECONNABORTED, "no answer")
    try:
        known = HfApi().dataset_info(name, revision=revision, files_metadata=True)
    except OfflineModeIsEnabled:
        raise InputError(
            "it is on the hub, which is not asked because HF_HUB_OFFLINE is set",
            where=where,
            mend="unset HF_HUB_OFFLINE, or download the dataset and name its folder",
        ) from None
    except (HfHubHTTPError, HFValidationError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None and status >= 500:
            raise cannot_reach(where, ConnectionError(f"the hub answers {status}")) from passing
        raise InputError(
            f"there is no such dataset on the hub: {str(error).strip().splitlines()[-1]}",
            where=where,
            mend="correct its name or `revision`; a private or gated one needs HF_TOKEN. A folder is named by its path",
        ) from None
    except Exception as error:  # the hub's library passes on what its HTTP library raises, whichever that is
        raise cannot_reach(where, error) from passing
    return _Repository(
        name=name,
        files={file.rfilename: file.blob_id or "" for file in known.siblings or []},
        card=dict(known.card_data.to_dict()) if known.card_data else {},  # type: ignore[no-untyped-call]
        prefix=f"hf://datasets/{name}@{known.sha}",
    )
