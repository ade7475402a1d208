"""Where rows come from and how they are read."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from pipeline.config.pretokenised import TOKEN_FORMATS, as_pretokenised
from pipeline.config.section import Section
from pipeline.config.used_keys import ORIGINS, unused
from pipeline.errors import did_you_mean

__all__ = ["Cluster", "Ingest", "Source"]

Format = Literal[
    "text",
    "code",
    "completion",
    "alpaca",
    "columns",
    "hellaswag",
    "squad",
    "chat",
    "sharegpt",
    "openassistant",
    "retrieval",
    "rows",
]


class Cluster(Section):
    """Where curation and tokenising run."""

    kind: Literal["local", "cuda"] = "local"
    """Both start workers on this machine: one a core, or one a GPU where GPUs curate. `cuda` refuses where none can."""
    workers: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    """How many; `auto` is one a core, or one a GPU."""
    pool: float = Field(0.5, gt=0, lt=1)
    """Of workers on GPUs: the share of a GPU's memory that one takes at once, and gives back before training."""
    address: str | None = None
    """A running Dask scheduler (`tcp://host:8786`) to use instead."""
    scheduler_file: str | None = None
    """The same by the file that `dask scheduler --scheduler-file` writes."""

    @model_validator(mode="after")
    def _one_scheduler(self) -> Self:
        if self.address is not None and self.scheduler_file is not None:
            raise ValueError("give address or scheduler_file, not both")
        return self

    @property
    def joined(self) -> bool:
        """Whether a running scheduler is used."""
        return self.address is not None or self.scheduler_file is not None


class Source(Section):
    """Where rows come from, and what they are."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Begins every row's id."""
    kind: Literal["text", "code", "pair", "chat", "retrieval"]
    """What its rows are; picks the cleaners and the rules."""
    format: Format | None = None
    """How a row of a file is read; `docs/sources.md` shows a row of each."""
    path: str | None = None
    """A file or a glob, relative to the working directory, or a URL; `.gz`, `.zst`, `.bz2` and `.xz` are unpacked."""
    dataset: str | None = None
    """A dataset of the Hugging Face hub (`organisation/name`), or a folder laid out like one."""
    config: str | None = None
    """Of a dataset: its configuration."""
    split: str = "train"
    """Of a dataset: its split, or a slice of it, as in `train[:1000]` or `train[10%:]`."""
    revision: str | None = None
    """Of a dataset: a branch, tag or commit."""
    delta: str | None = None
    """A Delta table's folder or URL."""
    version: int | None = Field(None, ge=0)
    """Of a Delta table; null is the latest."""
    urls: str | None = None
    """A file of JSON lines, each a URL, a path or the name of a dataset."""
    target: str | None = None
    """`module:name` or `file.py:name` of a function or class that yields rows instead of files."""
    container: Literal["auto", "jsonl", "json", "csv", "parquet", "document", "zip", "tar"] = "auto"
    """How files hold their rows; `auto` tells it by their names."""
    field: str | None = None
    """Of a JSON file that is one object: the key whose list holds the rows."""
    corpus: list[str] = []
    """Of retrieval rows that name documents by id: the corpora's folders."""
    sample_by: Literal["document", "line"] = "document"
    """Of plain text: whether a file is a row, or each of its lines."""
    max_expansion: int = Field(250, ge=1)
    """How many times its size a packed file may unpack to; 64 MiB are always allowed."""
    args: dict[str, str | int | float | bool] = {}
    """Keyword arguments for `target`."""
    columns: dict[str, str] = {}
    """The format's names for keys → the file's names, as in `{text: body}`."""
    roles: dict[str, str] = {}
    """Of chat and sharegpt: the file's names for roles → the format's, as in `{USER: user, SYSTEM: assistant}`."""
    system_prompt: str | None = None
    """Of kind chat: the system message of the rows that have none."""
    tree: Literal["best", "all"] = "best"
    """Of openassistant: the path of best ranked replies, or every path."""
    skip_invalid: bool = True
    """`true` puts a row that cannot be read into the ledger and goes on; `false` stops at the first."""
    comments: Literal["auto", "none", "python", "hash", "c", "dash", "semicolon", "percent", "xml"] = "auto"
    """How comments are written (`docs/signals.md`); `auto` tells it for `code` by each row's file name or language."""
    priority: int = 0
    """Of two duplicates the one from the source with the higher priority is kept."""

    @model_validator(mode="before")
    @classmethod
    def _rows(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("format") in TOKEN_FORMATS:
            as_pretokenised(given)  # a recipe has taken those out that are right
            raise ValueError(f"`format: {given['format']}` holds tokens, not rows")
        return given

    @field_validator("format", mode="before")
    @classmethod
    def _format(cls, given: Any) -> Any:
        known = get_args(Format)
        if isinstance(given, str) and given not in known:
            known = (*known, *TOKEN_FORMATS)
            raise ValueError(f"there is no format {given!r}{did_you_mean(given, known)}; one of {', '.join(known)}")
        return given

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        given = [origin for origin in ORIGINS if getattr(self, origin) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(f'`{origin}`' for origin in ORIGINS)}, not {len(given)}")
        if self.target is None and self.format is None:
            raise ValueError(f"`{given[0]}` needs a `format`: text, completion, chat or another of docs/sources.md")
        if self.target is not None and ":" not in self.target:
            raise ValueError("`target` is `module:function` or `file.py:function`")
        # Against the defaults, because a recipe is also stored with every default written out.
        changed = [key for key, field in type(self).model_fields.items() if getattr(self, key) != field.default]
        format = self.format
        if format is None or format == "rows":  # what a target yields has its kind's format
            format = "completion" if self.kind == "pair" else self.kind
        about = {"origin": given[0], "format": format, "kind": self.kind, "container": self.container}
        if why := unused(changed, about):
            raise ValueError(why)
        if self.comments == "none" and self.kind != "code":
            raise ValueError(f"`comments: none` has no effect with `kind: {self.kind}`: only code is told by its names")
        return self


class Ingest(Section):
    """How raw files are read."""

    max_rejected: float = Field(0.05, ge=0, le=1)
    """The share of malformed rows, over all sources, at which the run stops."""
    part_bytes: int = Field(64 << 20, ge=1 << 10)
    """Raw bytes that go into one part: a worker's unit of work. Pass one holds a few MiB of it at once."""
    max_row_bytes: int = Field(1 << 26, ge=1 << 10)
    """A longer line is rejected."""
