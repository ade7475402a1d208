"""One recipe: frozen models, unknown keys are errors, every problem at once, dotted overrides."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline import fingerprint
from pipeline.config.blend import Blend
from pipeline.config.clean import Clean
from pipeline.config.curate import Curate, Split
from pipeline.config.decontaminate import Decontaminate
from pipeline.config.dedup import Dedup, Fuzzy, Substrings
from pipeline.config.evaluate import CustomMetric, Evaluate, Promote, UnitTests
from pipeline.config.lora import Lora
from pipeline.config.pack import Pack, Roles
from pipeline.config.parallel import Parallel
from pipeline.config.pii import Ner, Pii
from pipeline.config.pretokenised import gathered
from pipeline.config.retrain import Retrain
from pipeline.config.rules import RULE_KINDS, Bound, Rules
from pipeline.config.section import Section
from pipeline.config.sources import Cluster, Ingest, Source
from pipeline.config.train import Launch, Model, Train
from pipeline.config.watch import Spikes, Track, Validation
from pipeline.errors import RecipeError, did_you_mean

__all__ = [
    "RULE_KINDS",
    "Blend",
    "Bound",
    "Clean",
    "Cluster",
    "Curate",
    "CustomMetric",
    "Decontaminate",
    "Dedup",
    "Evaluate",
    "Fuzzy",
    "Ingest",
    "Launch",
    "Lora",
    "Model",
    "Ner",
    "Pack",
    "Parallel",
    "Pii",
    "Promote",
    "Recipe",
    "Retrain",
    "Roles",
    "Rules",
    "Source",
    "Spikes",
    "Split",
    "Substrings",
    "Track",
    "Train",
    "UnitTests",
    "Validation",
]


class Recipe(Section):
    """Everything a run is made from."""

    run: str
    """The run directory, relative to the working directory."""
    seed: int = Field(0, ge=0, lt=2**63)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """`auto` trains on a GPU where torch sees one, and curates on GPUs where it can (`docs/cuda.md`)."""
    cluster: Cluster = Cluster()
    ingest: Ingest = Ingest()
    sources: list[Source] = []
    """May be empty only where `pack.pretokenised` gives what is packed. Those of format `megatron` or `nanogpt` are
    written there in the resolved recipe: they go straight to bins."""
    curate: Curate = Curate()
    blend: Blend | None = None
    """null trains on every row as often as any other."""
    pack: Pack = Pack()
    train: Train | None = None
    """Left out, a run ends with the bins."""
    evaluate: Evaluate = Evaluate()
    promote: Promote = Promote()
    retrain: Retrain = Retrain()

    @model_validator(mode="before")
    @classmethod
    def _straight_to_bins(cls, given: Any) -> Any:
        return gathered(given)

    @model_validator(mode="after")
    def _local(self) -> Recipe:
        if "://" in self.run:
            raise ValueError(f"run: {self.run} is a URL; this version writes to a local or mounted folder")
        return self

    @model_validator(mode="after")
    def _one_device(self) -> Recipe:
        if self.cluster.kind == "cuda" and self.device == "cpu":
            raise ValueError("cluster.kind: cuda curates on GPUs; with `device: cpu` it must be `local`")
        return self

    @property
    def curates_on(self) -> Literal["auto", "cpu", "cuda"]:
        """What is to curate, as `device` says it."""
        return "cuda" if self.cluster.kind == "cuda" else self.device

    @model_validator(mode="after")
    def _something(self) -> Recipe:
        if not self.sources and not self.pack.pretokenised:
            raise ValueError("sources: give at least one, or files of tokens in `pack.pretokenised`")
        return self

    @model_validator(mode="after")
    def _names(self) -> Recipe:
        names = [source.name for source in self.sources] + [files.label for files in self.pack.pretokenised]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two sources are called {', '.join(twice)}; a name begins the rows' ids")
        return self

    @model_validator(mode="after")
    def _shares_positions(self) -> Recipe:
        if self.train is not None and self.pack.seq_length % self.train.parallel.context:
            raise ValueError(
                f"pack.seq_length {self.pack.seq_length} is not a multiple of train.parallel.context "
                f"{self.train.parallel.context}"
            )
        return self

    @property
    def training(self) -> Train:
        """The section `train`, for the stages that cannot do without.

        Raises:
            RecipeError: the recipe has none.
        """
        if self.train is None:
            raise RecipeError(
                "the recipe has no section `train`, so it ends with the bins",
                mend="add one to train a model: docs/train.md shows it, `train: {model: {path: FOLDER}}` is the least",
            )
        return self.train

    @model_validator(mode="after")
    def _blended(self) -> Recipe:
        if self.blend is None:
            return self
        names = {source.name for source in self.sources} | {files.label for files in self.pack.pretokenised}
        unknown = sorted(set(self.blend.weights) - names)
        missing = sorted(names - set(self.blend.weights))
        if unknown:
            raise ValueError(f"blend.weights: no source is called {unknown[0]!r}{did_you_mean(unknown[0], names)}")
        if missing:
            raise ValueError(f"blend.weights: source {missing[0]!r} has no weight; 0 leaves it out")
        if not any(self.blend.weights.values()):
            raise ValueError("blend.weights: every weight is 0, so nothing would be trained on")
        return self

    @model_validator(mode="after")
    def _gated(self) -> Recipe:
        known = self.evaluate.measures()
        slices = {source.name for source in self.sources} | {source.kind for source in self.sources}
        for where, name in [("metric", self.promote.metric), *(("guards", name) for name in self.promote.guards)]:
            measure, at, part = name.partition("@")
            if measure not in known:
                near = did_you_mean(measure, known)
                raise ValueError(f"promote.{where}: there is no measure {measure!r}{near}; one of {', '.join(known)}")
            if at and part not in slices:
                near = did_you_mean(part, slices)
                raise ValueError(f"promote.{where}: {name}: no source or kind of the recipe is called {part!r}{near}")
        return self

    def fingerprint(self) -> str:
        """128-bit fingerprint of everything but where the run lies and what it runs on."""
        return fingerprint.of_value(self.model_dump(mode="json", exclude={"run", "cluster"}))
