"""The defects of the playbook that this project descends from, each as a test that fails if it comes back.

Numbers are those of the list in the project's design notes: (1) what is trained on is the cleaned and redacted text;
(2, 3) prompt and answer stay together by structure; (4, 8) the splits have one template and share no cluster;
(5) documented commands exist (`test_readme.py`); (6) near duplicates are removed (`curate/test_curate.py`);
(7) metrics cannot be misaligned (`evaluate/`).
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow.ipc as ipc
import pyarrow.parquet as pq
import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from pipeline.curate import curate
from pipeline.pack import pack
from pipeline.pack.bins import Bins
from pipeline.recipe import load_recipe
from pipeline.run import RunDirectory
from pipeline.schema import SPLITS
from tests.conftest import TINY

EMAIL = "planted.person@northwind.org"
WORDS = (
    "valve",
    "ledger",
    "harbour",
    "quartz",
    "meadow",
    "signal",
    "copper",
    "lantern",
    "orchard",
    "turbine",
    "willow",
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Sixty planted pairs, curated and packed: each has a code word in the prompt and again in its answer."""
    folder = tmp_path_factory.mktemp("defects")
    draw = random.Random(5)
    rows = []
    for number in range(60):
        words = " ".join(draw.choice(WORDS) + str(draw.randrange(100)) for _ in range(25))
        rows.append(
            {
                "input": f"Question {number}\u00a0about code{number:03d}q: {words}?\r\nReply to {EMAIL}.",
                "output": f'The answer "quoted" for code{number:03d}q, by {EMAIL}: {words[::-1]}',
                "author": EMAIL,
            }
        )
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"name": "pairs", "kind": "pair", "format": "completion", "path": str(folder / "pairs.jsonl")}
    recipe = load_recipe(
        TINY,
        [
            f"run={folder / 'run'}",
            f"sources={json.dumps([source])}",
            "pack.seq_length=512",
            "curate.split={train: 0.6, validation: 0.2, test: 0.2}",
        ],
    )
    run = RunDirectory.open(recipe)
    curate(run, recipe)
    pack(run, recipe)
    return run


def _examples(run: RunDirectory, split: str) -> list[tuple[str, list[int]]]:
    """Row id and tokens of every example in the bins of a split."""
    bins = Bins.open(run.path("packed") / split)
    found = []
    for number in range(len(bins)):
        tokens, _, starts, rows = bins.get(number)
        ends = [*starts[1:].tolist(), len(tokens)]
        for start, end, row in zip(starts.tolist(), ends, rows, strict=True):
            found.append((row, tokens[start:end].tolist()))
    return found


def _tokenizer(run: RunDirectory) -> PreTrainedTokenizerBase:
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(run.path("tokenizer"))
    return tokenizer


def test_what_is_trained_on_is_the_cleaned_and_redacted_text(packed: RunDirectory) -> None:
    tokenizer = _tokenizer(packed)
    texts = [tokenizer.decode(tokens) for split in SPLITS for _, tokens in _examples(packed, split)]
    assert len(texts) == 60
    for text in texts:
        assert EMAIL not in text
        assert text.count("<EMAIL>") == 2
        assert "\r" not in text
    for path in packed.root.rglob("*"):
        if path.is_file() and path.suffix != ".parquet":
            assert EMAIL.encode() not in path.read_bytes(), path
    for path in packed.root.rglob("*.parquet"):
        assert EMAIL not in json.dumps(pq.read_table(path).to_pylist(), default=str), path


def test_prompt_and_answer_stay_together(packed: RunDirectory) -> None:
    tokenizer = _tokenizer(packed)
    for split in SPLITS:
        for row, tokens in _examples(packed, split):
            number = int(row.rsplit("#", 1)[1])
            text = tokenizer.decode(tokens)
            assert text.count(f"code{number:03d}q") == 2
            assert text.count("code") == 2
            assert 'The answer "quoted" for' in text, "no JSON is left in the text"


def test_splits_have_one_template_and_share_no_cluster(packed: RunDirectory) -> None:
    tokenizer = _tokenizer(packed)
    shapes = set()
    clusters: dict[str, set[int]] = {}
    for split in SPLITS:
        for _, tokens in _examples(packed, split):
            text = tokenizer.decode(tokens)
            shapes.add(text[: text.index("Question")] + "…" + text[-12:].split(" ")[-1][-6:])
        paths = sorted((packed.root / "curated" / split).glob("*.parquet"))
        clusters[split] = {value for path in paths for value in pq.read_table(path)["cluster"].to_pylist()}
        assert clusters[split]
    assert len({shape.split("…")[0] for shape in shapes}) == 1
    assert not clusters["train"] & (clusters["validation"] | clusters["test"])
    assert not clusters["validation"] & clusters["test"]


def test_bins_are_arrow_files_of_the_schema(packed: RunDirectory) -> None:
    from pipeline.schema import BINS

    files = sorted(Path(packed.root / "packed").rglob("*.arrow"))
    assert files
    for path in files:
        with ipc.open_file(path) as reader:
            assert reader.schema.equals(BINS, check_metadata=False)
