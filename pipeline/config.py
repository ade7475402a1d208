"""One recipe: frozen models, unknown keys are errors, every problem at once, dotted overrides."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline import fingerprint
from pipeline.errors import did_you_mean
from pipeline.schema import SIGNALS

__all__ = [
    "Bound",
    "Clean",
    "Cluster",
    "Curate",
    "Dedup",
    "Evaluate",
    "Fuzzy",
    "Ingest",
    "Launch",
    "Lora",
    "Model",
    "Pack",
    "Pii",
    "Promote",
    "Recipe",
    "Rules",
    "Source",
    "Split",
    "Train",
]

Cleaner = Literal["unicode", "newlines", "whitespace"]
Entity = Literal["email", "phone", "ip", "credit_card", "ssn", "iban"]


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Cluster(_Section):
    """Where curation and tokenising run."""

    kind: Literal["local"] = "local"
    """`local` starts one process a worker on this machine."""
    workers: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    """How many; `auto` is one a core."""
    address: str | None = None
    """A running Dask scheduler (`tcp://host:8786`) to use instead."""


class Source(_Section):
    """Where rows come from, and what they are."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Begins every row's id."""
    kind: Literal["text", "code", "pair", "chat"]
    """What its rows are; picks the cleaners and the rules."""
    format: Literal["text", "completion", "chat", "rows"] | None = None
    """How a line of a file is read; `docs/sources.md` shows a row of each."""
    path: str | None = None
    """A file or a glob, relative to the working directory; `.gz` is unpacked."""
    target: str | None = None
    """`module:function` that yields rows instead of files."""
    args: dict[str, str | int | float | bool] = {}
    """Keyword arguments for `target`."""
    columns: dict[str, str] = {}
    """The format's names for keys → the file's names, as in `{text: body}`."""
    priority: int = 0
    """Of two duplicates the one from the source with the higher priority is kept."""

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        if (self.path is None) == (self.target is None):
            raise ValueError("give either `path` (files) or `target` (module:function)")
        if self.path is not None and self.format is None:
            raise ValueError("`path` needs a `format`: text, completion or chat")
        if self.target is not None and ":" not in self.target:
            raise ValueError("`target` is `module:function`")
        return self


class Ingest(_Section):
    """How raw files are read."""

    max_rejected: float = Field(0.05, ge=0, le=1)
    """The share of malformed rows, over all sources, at which the run stops."""
    part_bytes: int = Field(64 << 20, ge=1 << 10)
    """Raw bytes that go into one part: a worker's unit of work and of memory."""
    max_row_bytes: int = Field(1 << 24, ge=1 << 10)
    """A longer line is rejected."""


class Clean(_Section):
    """The cleaners that run on each kind of row, always in the order unicode, newlines, whitespace; [] runs none."""

    text: list[Cleaner] = ["unicode", "newlines", "whitespace"]
    code: list[Cleaner] = ["unicode", "newlines"]
    pair: list[Cleaner] = ["unicode", "newlines"]
    chat: list[Cleaner] = ["unicode", "newlines"]


class Bound(_Section):
    """A signal outside [min, max] fails the rule of the same name."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Bound:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is above max {self.max}")
        return self


class Rules(_Section):
    """A preset, and bounds on signals that change it: for every kind, or under one kind's name."""

    preset: Literal["playbook", "none"] = "playbook"
    all: dict[str, Bound | None] = {}
    """Bounds for rows of every kind (`word_count: {min: 5}` directly under `rules:` lands here); null drops a rule."""
    text: dict[str, Bound | None] = {}
    code: dict[str, Bound | None] = {}
    pair: dict[str, Bound | None] = {}
    chat: dict[str, Bound | None] = {}

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        direct = {key: bound for key, bound in value.items() if key in SIGNALS}
        if not direct:
            return value
        rest = {key: bound for key, bound in value.items() if key not in SIGNALS}
        return {**rest, "all": {**(rest.get("all") or {}), **direct}}

    @model_validator(mode="after")
    def _known(self) -> Rules:
        for kind in ("all", "text", "code", "pair", "chat"):
            for name in getattr(self, kind):
                if name not in SIGNALS:
                    raise ValueError(f"no signal is called {name!r}{did_you_mean(name, SIGNALS)}")
        return self


class Pii(_Section):
    """Personal data: what is looked for, and what is put in its place."""

    entities: Literal["all"] | list[Entity] = "all"
    operator: Literal["tag"] = "tag"
    """`tag` puts `<EMAIL>` in place of an address."""
    metadata: Literal["redact", "keep"] = "redact"
    """Whether the string values of metadata, tools and extra keys are redacted too."""


class Fuzzy(_Section):
    """Near duplicates."""

    threshold: float = Field(0.8, gt=0, le=1)
    """Similarity (Jaccard of shingles, estimated from sketches) at which a row is a duplicate of its survivor."""
    shingle: int = Field(8, ge=2, le=64)
    """Bytes of normalised text in a shingle."""
    sketch: int = Field(112, ge=16, le=512, multiple_of=4)
    """Values in a sketch."""
    max_removed: float = Field(0.9, gt=0, le=1)
    """The breaker: the run stops when near duplicates would take a larger share of the rows."""


class Dedup(_Section):
    """Duplicates; `exact: false` and `fuzzy: null` switch a step off."""

    exact: bool = True
    fuzzy: Fuzzy | None = Fuzzy()


class Split(_Section):
    """Shares of the kept rows, drawn by cluster."""

    train: float = Field(0.8, ge=0, le=1)
    validation: float = Field(0.15, ge=0, le=1)
    test: float = Field(0.05, ge=0, le=1)

    @model_validator(mode="after")
    def _whole(self) -> Split:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares add up to {total:g}, not 1")
        return self


class Curate(_Section):
    """From raw rows to kept rows; `clean: null` and `pii: null` switch a step off."""

    clean: Clean | None = Clean()
    rules: Rules = Rules()
    pii: Pii | None = Pii()
    dedup: Dedup = Dedup()
    split: Split = Split()


class Pack(_Section):
    """From kept rows to bins of tokens."""

    tokenizer: str | None = None
    """A Hugging Face tokenizer, by folder or name; null trains a byte-level BPE on the train split."""
    vocab_size: int = Field(4096, ge=300)
    """Of the trained tokenizer."""
    template: str = "default"
    """`default`: the tokenizer's chat template where it marks what is generated, else ours; or a `.jinja` file."""
    seq_length: int = Field(512, ge=8)
    """Tokens in a bin."""
    loss: Literal["answer", "all"] = "answer"
    """Which tokens are targets: the assistant's, or all. Rows of kind text and code are targets as a whole."""
    overflow: Literal["truncate", "drop", "raise"] = "truncate"
    """What becomes of a row longer than a bin."""


class Model(_Section):
    """What is trained."""

    path: str | None = None
    """A Hugging Face causal language model, by folder or name."""
    config: dict[str, Any] | None = None
    """Or the keys of a transformers configuration (`model_type: llama`, …) for a model with random weights."""

    @model_validator(mode="after")
    def _one_origin(self) -> Model:
        if (self.path is None) == (self.config is None):
            raise ValueError("give either `path` (a trained model) or `config` (random weights)")
        if self.config is not None and "model_type" not in self.config:
            raise ValueError("`config` needs a `model_type`, such as llama")
        return self


class Lora(_Section):
    """Low-rank adapters (`method: lora`)."""

    rank: int = Field(8, ge=1)
    alpha: float = Field(16, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: Literal["all-linear"] | list[str] = "all-linear"


class Launch(_Section):
    """How torchrun is started."""

    nproc: int = Field(1, ge=1)
    """Ranks on this machine."""
    grace: float = Field(15.0, gt=0)
    """Seconds that ranks have to save and leave after SIGTERM; below the 30 s after which Prefect kills."""


class Train(_Section):
    """The training run."""

    model: Model
    method: Literal["full", "lora"] = "full"
    lora: Lora = Lora()
    steps: int = Field(200, ge=1)
    micro_batch: int = Field(1, ge=1)
    """Bins that a rank puts through the model at once."""
    global_batch: int = Field(8, ge=1)
    """Bins in one optimiser step, over all ranks."""
    learning_rate: float = Field(1e-3, gt=0)
    warmup: int = Field(10, ge=0)
    """Steps of linear warm-up before the cosine."""
    final_learning_rate: float = Field(0.1, ge=0, le=1)
    """Where the cosine ends, as a share of `learning_rate`."""
    weight_decay: float = Field(0.1, ge=0)
    clip: float = Field(1.0, gt=0)
    """Global gradient norm."""
    checkpoint_every: int = Field(50, ge=1)
    keep_last: int = Field(2, ge=1)
    """Older checkpoints are removed."""
    launch: Launch = Launch()

    @model_validator(mode="after")
    def _divides(self) -> Train:
        if self.global_batch % (self.micro_batch * self.launch.nproc):
            raise ValueError(
                f"global_batch {self.global_batch} is not a multiple of micro_batch × launch.nproc = "
                f"{self.micro_batch} × {self.launch.nproc}"
            )
        return self


class Evaluate(_Section):
    """What is measured on the validation and test rows."""

    generate: int = Field(32, ge=0)
    """Test rows to generate answers for."""
    max_new_tokens: int = Field(128, ge=1)
    batch: int = Field(8, ge=1)
    """Bins or prompts at once."""


class Promote(_Section):
    """When the candidate takes the champion's place."""

    metric: Literal["loss"] = "loss"
    margin: float = Field(0.0, ge=0)
    """By how much the candidate's test loss must be below the champion's."""
    champion: str | None = None
    """The pointer to the champion; null is `champion-<sources>.json` beside the run directory."""


class Recipe(_Section):
    """Everything a run is made from."""

    run: str
    """The run directory, relative to the working directory."""
    seed: int = Field(0, ge=0, lt=2**63)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Of training and evaluation; `auto` takes a GPU where torch sees one."""
    cluster: Cluster = Cluster()
    ingest: Ingest = Ingest()
    sources: list[Source] = Field(min_length=1)
    curate: Curate = Curate()
    pack: Pack = Pack()
    train: Train
    evaluate: Evaluate = Evaluate()
    promote: Promote = Promote()

    @model_validator(mode="after")
    def _local(self) -> Recipe:
        if "://" in self.run:
            raise ValueError(f"run: {self.run} is a URL; this version writes to a local or mounted folder")
        return self

    @model_validator(mode="after")
    def _names(self) -> Recipe:
        names = [source.name for source in self.sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are called {', '.join(twice)}; a name begins the rows' ids")
        return self

    def fingerprint(self) -> str:
        """128-bit fingerprint of everything but where the run lies and what it runs on."""
        return fingerprint.of_value(self.model_dump(mode="json", exclude={"run", "cluster"}))
