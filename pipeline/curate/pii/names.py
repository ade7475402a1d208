"""Names and places in texts: Presidio with a spaCy model that is on the machine. Nothing is ever downloaded."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata, util
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline import fingerprint
from pipeline.config import Ner
from pipeline.engines import ENTITIES
from pipeline.engines.columns import from_arrow
from pipeline.engines.spans import Spans, uncovered
from pipeline.engines.stand_ins import STAND_IN
from pipeline.errors import MachineError

__all__ = ["Names", "finder", "identity", "problems"]

BATCH = 64
"""Texts that the model reads at once."""

OVERLAP = 200
"""Characters that two pieces of a long text have in common, more than a name has."""

_PACKAGES = {"presidio_analyzer": "presidio-analyzer", "spacy": "spacy"}
_LONE = re.compile(rb"\xff[\x80-\x9f]{4}")


def finder(ner: Ner) -> Names:
    """The finder of a recipe's section; its model is loaded once a process.

    Raises:
        MachineError: As `problems` says.
    """
    if wrong := problems(ner):
        raise MachineError("; ".join(wrong), where="curate.pii.ner", mend="see docs/pii.md, Names and places")
    return _load(ner.model, tuple(ner.entities), ner.score, ner.max_chars)


class Names:
    """Finds the entities that a model names."""

    def __init__(self, analyzer: Any, language: str, entities: Sequence[str], score: float, max_chars: int) -> None:
        """Keep what is needed.

        Args:
            analyzer: Presidio's BatchAnalyzerEngine.
            language: Of the model, as in `en`.
            entities: As Presidio names them.
            score: The least that is believed.
            max_chars: Of a piece of a text.
        """
        self._analyzer, self._language, self._entities = analyzer, language, tuple(entities)
        self._score, self._max_chars = score, max_chars

    @property
    def names(self) -> tuple[str, ...]:
        """The entities in small letters, as our own are."""
        return tuple(entity.lower() for entity in self._entities)

    def __call__(self, texts: pa.LargeStringArray) -> Spans:
        """Find names in every text; equal texts (keys of JSON objects, say) are read once."""
        encoded = texts.cast(pa.large_binary()).dictionary_encode()
        which = encoded.indices.to_numpy(zero_copy_only=False)
        distinct = encoded.dictionary.to_pylist()
        named = self._find([_readable(text) for text in distinct])
        found = {number: _own(distinct[number], places) for number, places in named.items()}
        bounds = from_arrow(texts).bounds
        spans = [
            (row, bounds[row] + start, bounds[row] + end, entity)
            for row in np.flatnonzero(np.isin(which, list(found))).tolist()
            for start, end, entity in found[which[row]]
        ]
        rows, starts, ends, entities = np.array(spans, np.int64).reshape(-1, 4).T
        return Spans(rows, starts, ends, entities.astype(np.int8))

    def _find(self, texts: list[str]) -> dict[int, list[tuple[int, int, int]]]:
        """Text → (first byte, place after the last, entity) of every name in it."""
        pieces = [
            (number, start, text[start:end])
            for number, text in enumerate(texts)
            for start, end in _pieces(text, self._max_chars)
        ]
        results = self._analyzer.analyze_iterator(
            [piece for _, _, piece in pieces],
            language=self._language,
            batch_size=BATCH,
            entities=list(self._entities),
            score_threshold=self._score,
        )
        places: dict[int, list[tuple[int, int, int]]] = {}
        for (number, start, _), names in zip(pieces, results, strict=True):
            for name in names:
                place = start + name.start, start + name.end, len(ENTITIES) + self._entities.index(name.entity_type)
                places.setdefault(number, []).append(place)
        return {number: _in_bytes(texts[number], here) for number, here in places.items()}


def problems(ner: Ner) -> list[str]:
    """What keeps the model from being used: without it, with another's labels, or without the packages."""
    missing = [package for module, package in _PACKAGES.items() if util.find_spec(module) is None]
    if missing:
        return [f"curate.pii.ner: not installed: {', '.join(missing)}; install the extra: pip install '.[ner]'"]
    folder = _folder(ner.model)
    if folder is None:
        return [
            f"curate.pii.ner.model: there is no spaCy model {ner.model} on this machine: it is neither an installed "
            "package nor a folder, and nothing is downloaded in a run"
        ]
    from presidio_analyzer.nlp_engine.ner_model_configuration import MODEL_TO_PRESIDIO_ENTITY_MAPPING as presidio

    labels = {label for pipe in _meta(folder).get("labels", {}).values() for label in pipe if isinstance(label, str)}
    found = {presidio.get(label, label) for label in labels}
    unknown = [entity for entity in ner.entities if entity not in found]
    if unknown:
        known = ", ".join(sorted(found & {*presidio.values()})) or "nothing that Presidio knows"
        return [f"curate.pii.ner.entities: the model {ner.model} does not find {', '.join(unknown)}; it finds {known}"]
    return []


def identity(ner: Ner) -> str | None:
    """Which model it is: another one makes another stage. None where there is none."""
    folder = _folder(ner.model)
    if folder is None:
        return None
    if Path(ner.model).is_dir():  # people retrain a model under its old name and version
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return fingerprint.of_value({path.relative_to(folder).as_posix(): fingerprint.of_file(path) for path in files})
    meta = _meta(folder)
    return f"{meta.get('lang')}_{meta.get('name')}-{meta.get('version')}"


@cache
def _load(model: str, entities: tuple[str, ...], score: float, max_chars: int) -> Names:
    from presidio_analyzer import AnalyzerEngine, BatchAnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    from presidio_analyzer.predefined_recognizers import SpacyRecognizer

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)  # it warns of every label that it has no name for
    folder = _folder(model)
    language = str(_meta(folder)["lang"]) if folder else "en"
    nlp = SpacyNlpEngine(models=[{"lang_code": language, "model_name": model}])
    recognizer = SpacyRecognizer(supported_language=language, supported_entities=list(entities))
    registry = RecognizerRegistry(recognizers=[recognizer], supported_languages=[language])
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=[language])
    return Names(BatchAnalyzerEngine(analyzer), language, entities, score, max_chars)


def _folder(model: str) -> Path | None:
    """Where a model's `meta.json` is, if the model is on this machine, as `spacy.load` finds it."""
    try:
        metadata.distribution(model)
        spec = util.find_spec(model)
    except (metadata.PackageNotFoundError, ModuleNotFoundError, ValueError):
        spec = None
    folder = Path(spec.origin).parent if spec and spec.origin else Path(model)
    return folder if (folder / "meta.json").is_file() else None


def _meta(folder: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    return meta


def _readable(text: bytes) -> str:
    """The text; half surrogate pairs (of JSON strings) as question marks, which are as many bytes."""
    return _LONE.sub(b"?????", text).decode()


def _pieces(text: str, longest: int) -> Iterator[tuple[int, int]]:
    """Cut a text between words; what has no letter is left out, for it names nobody.

    Two pieces overlap, so that a name which one cuts in two is whole in the other.
    """
    start = 0
    while True:
        end = min(start + longest, len(text))
        if end < len(text):
            space = max(text.rfind(" ", end - OVERLAP, end), text.rfind("\n", end - OVERLAP, end))
            end = space if space > 0 else end
        if any(map(str.isalpha, text[start:end])):
            yield start, end
        if end == len(text):
            return
        start = end - OVERLAP


def _in_bytes(text: str, places: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Places in bytes instead of characters, in their order; those that overlap become one."""
    apart: list[tuple[int, int, int]] = []
    for start, end, entity in sorted(places):
        if apart and start < apart[-1][1]:
            apart[-1] = apart[-1][0], max(end, apart[-1][1]), apart[-1][2]
        else:
            apart.append((start, end, entity))
    found = []
    character = byte = 0
    for start, end, entity in apart:
        first = byte + len(text[character:start].encode())
        byte = first + len(text[start:end].encode())
        character = end
        found.append((first, byte, entity))
    return found


def _own(text: bytes, places: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The places without what stands in the place of something already: a model may take `PERSON_1` for a name."""
    if b"<" not in text:
        return places
    stand_ins = [match.span() for match in re.finditer(STAND_IN.encode(), text)]
    return [
        (start + left, start + right, entity)
        for start, end, entity in places
        for left, right in uncovered(text[start:end], [(first - start, last - start) for first, last in stand_ins])
    ]
