"""Token files of other trainers: every document comes into the bins as it was, or is counted where it went."""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline import preflight
from pipeline.config import Recipe
from pipeline.config.pretokenised import Pretokenised
from pipeline.curate import curate as curate_verb
from pipeline.errors import InputError, RecipeError
from pipeline.pack import pack, plan, pretokenised
from pipeline.pack.bins import Bins
from pipeline.pack.selection import blend, expand, split_borders
from pipeline.pack.token_files import open_megatron, open_nanogpt
from pipeline.report import report
from pipeline.report.funnel import funnel
from pipeline.run import Manifest, RunDirectory
from tests.train.conftest import byte_tokenizer

from .conftest import curate as make_curated
from .conftest import row as make_row

DOCUMENTS = [[n % 290, *range(1 + n % 7)] for n in range(60)]


def write_megatron(prefix: Path, documents: Sequence[Sequence[int]], *, code: int = 8, modes: bool = False) -> Path:
    """By the layout: a document of more than 4 tokens is two sequences, an empty one is none."""
    letter = {4: "i", 8: "H"}[code]
    sequences, borders = [], [0]
    for tokens in documents:
        pieces = [tokens[:2], tokens[2:]] if len(tokens) > 4 else [tokens] if tokens else []
        sequences += pieces
        borders.append(len(sequences))
    size = struct.calcsize(letter)
    lengths = [len(one) for one in sequences]
    pointers = [size * sum(lengths[:n]) for n in range(len(lengths))]
    prefix.with_name(prefix.name + ".bin").write_bytes(
        b"".join(struct.pack(f"<{len(s)}{letter}", *s) for s in sequences)
    )
    prefix.with_name(prefix.name + ".idx").write_bytes(
        b"MMIDIDX\x00\x00"
        + struct.pack("<QBQQ", 1, code, len(sequences), len(borders))
        + struct.pack(f"<{len(lengths)}i", *lengths)
        + struct.pack(f"<{len(lengths)}q", *pointers)
        + struct.pack(f"<{len(borders)}q", *borders)
        + bytes(len(sequences) if modes else 0)
    )
    return prefix


def write_nanogpt(path: Path, tokens: Sequence[int], header: Sequence[int]) -> Path:
    letter = {20240520: "H", 20240801: "I", 278895051: "H"}[header[0]]
    path.write_bytes(
        struct.pack("<256i", *header, *[0] * (256 - len(header))) + struct.pack(f"<{len(tokens)}{letter}", *tokens)
    )
    return path


def recipe_of(tmp_path: Path, spec: dict[str, Any], **settings_: Any) -> tuple[RunDirectory, Recipe]:
    if not (tmp_path / "tokenizer").exists():
        byte_tokenizer(tmp_path / "tokenizer")
    recipe = Recipe.model_validate(
        {
            "run": str(tmp_path / "run"),
            "cluster": {"workers": 1},
            "pack": {"tokenizer": str(tmp_path / "tokenizer"), "seq_length": 16, "pretokenised": spec, **settings_},
            "train": {"model": {"config": {"model_type": "llama"}}},
        }
    )
    run = RunDirectory.open(recipe)
    curate_verb(run, recipe)
    return run, recipe


def examples(run: RunDirectory, split: str) -> dict[str, list[int]]:
    found = {}
    bins = Bins.open(run.path(f"packed/{split}"))
    for number in range(len(bins)):
        tokens, loss, starts, rows = bins.get(number)
        for row, own, mask in zip(rows, np.split(tokens, starts[1:]), np.split(loss, starts[1:]), strict=True):
            assert mask.tolist() == [False, *[True] * (len(own) - 1)]
            found[row] = own.tolist()
    return found


@pytest.mark.parametrize(("code", "modes"), [(8, False), (4, True)])
def test_megatron_documents_become_examples(tmp_path: Path, code: int, modes: bool) -> None:
    documents = [*DOCUMENTS, []]
    write_megatron(tmp_path / "a.v1_text", documents, code=code, modes=modes)
    run, recipe = recipe_of(tmp_path, {"format": "megatron", "paths": str(tmp_path / "a.v1_text"), "split": "8,1,1"})
    manifest = pack(run, recipe)
    # One token alone teaches nothing and is dropped with its reason, as an empty document is.
    borders = split_borders("8,1,1", len(documents))
    for split, (begin, end) in zip(("train", "validation", "test"), borders, strict=True):
        expected = {f"megatron/a.v1_text.bin#{n}": documents[n] for n in range(begin, end) if len(documents[n]) > 1}
        assert examples(run, split) == expected
    assert manifest.rows is not None
    assert manifest.rows["in"] == len(documents)
    assert manifest.rows["kept"] + manifest.rows["dropped"] == len(documents)
    steps = {step.name: (step.rows, step.dropped) for step in funnel(run)}
    assert steps["token files"] == (len(documents), -len(documents))
    assert steps["packed"] == (manifest.rows["kept"], manifest.rows["dropped"])
    tokens = Manifest.read(run.path("tokens"))
    assert tokens is not None
    assert tokens.summary["pretokenised"] == [
        {
            "name": "megatron",
            "format": "megatron",
            "curated": False,
            "files": 1,
            "documents": len(documents),
            "taken": len(documents),
            "left_out": 0,
        }
    ]
    assert pack(run, recipe) == manifest
    write_megatron(tmp_path / "a.v1_text", documents[1:], code=code)
    again = plan(run, recipe)
    assert again is None or again.why() is not None


@pytest.mark.parametrize("header", [[20240520, 1], [20240801, 7], [278895051, 1]])
def test_nanogpt_shards_are_cut_at_their_boundaries(tmp_path: Path, header: list[int]) -> None:
    shards = [[9, 5, 6, 9, 7, 9, 4, 4, 4], [1, 2, 9, 3, 3]]  # the second begins in the middle of a document
    for number, tokens in enumerate(shards):
        write_nanogpt(tmp_path / f"t_{number}.bin", tokens, [*header, len(tokens), *([2] if header[1] == 1 else [])])
    spec = {"format": "nanogpt", "paths": {"train": str(tmp_path / "t_*.bin"), "dev": str(tmp_path / "t_0.bin")}}
    run, recipe = recipe_of(tmp_path, {**spec, "boundary": 9})
    pack(run, recipe)
    assert sorted(examples(run, "train").values()) == [[1, 2], [9, 3, 3], [9, 4, 4, 4], [9, 5, 6], [9, 7]]
    assert sorted(examples(run, "validation").values()) == [[9, 4, 4, 4], [9, 5, 6], [9, 7]]
    assert examples(run, "test") == {}


def test_ids_lead_back_to_files_of_one_name(tmp_path: Path) -> None:
    paths = {"a/web": [1, 2], "b/web": [3, 4], "c/b/web": [5, 6], "b/code": [7, 8]}
    for path, tokens in paths.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        write_megatron(tmp_path / path, [tokens])
    every = [str(tmp_path / path) for path in paths]
    run, recipe = recipe_of(tmp_path, {"format": "megatron", "paths": {"train": every, "test": every[0]}})
    pack(run, recipe)
    here = tmp_path.name
    assert examples(run, "train") == {
        "megatron/a/web.bin#0": [1, 2],
        f"megatron/{here}/b/web.bin#0": [3, 4],
        "megatron/c/b/web.bin#0": [5, 6],
        "megatron/code.bin#0": [7, 8],
    }
    assert examples(run, "test") == {"megatron/a/web.bin#0": [1, 2]}  # the same file, the same name


def test_weights_take_shares_and_what_is_left_out_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretokenised, "_PART_TOKENS", 40)
    monkeypatch.setattr(pretokenised, "_BATCH_TOKENS", 11)
    write_megatron(tmp_path / "a", [[1, 2, 3]] * 40)
    write_megatron(tmp_path / "b", [[4, 5]] * 40)
    paths = ["30", str(tmp_path / "a"), "70", str(tmp_path / "b")]
    run, recipe = recipe_of(tmp_path, {"format": "megatron", "paths": {"train": paths}})
    manifest = pack(run, recipe)
    found = list(examples(run, "train"))
    counts = [sum(row.startswith(f"megatron/{name}.bin") for row in found) for name in "ab"]
    assert counts == [18, 40]  # 0.31 of 58: within one of its share
    tokens = Manifest.read(run.path("tokens"))
    assert tokens is not None
    assert tokens.rows == {"in": 80, "kept": 58, "dropped": 22, "rejected": 0}
    assert tokens.summary["pretokenised"][0]["left_out"] == 22
    assert len([part for part in tokens.parts if "part-files" in part["name"]]) > 3
    assert manifest.summary["splits"]["train"]["rows"] == 58


@given(
    files=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=5),
)
@settings(deadline=None)
def test_a_blend_keeps_shares_repeats_nothing_and_ends_with_a_file_used_up(files: list[tuple[int, int]]) -> None:
    sizes, weights = [size for size, _ in files], [float(weight) for _, weight in files]
    counts = blend(sizes, weights)
    assert all(0 <= count <= size for count, size in zip(counts, sizes, strict=True))
    drawn, total = sum(counts), sum(weight for size, weight in files if size)
    for count, (size, weight) in zip(counts, files, strict=True):
        if size:
            assert abs(count - drawn * weight / total) <= len(files)
    assert not any(sizes) or any(count == size > 0 for count, size in zip(counts, sizes, strict=True))
    assert blend(sizes, None) == sizes


def test_a_blend_draws_as_megatron_does() -> None:
    helpers = pytest.importorskip("megatron.core.datasets.helpers_cpp", reason="needs the extra `bench`")
    weights = np.array([0.3, 0.7 / 3, 1.4 / 3])
    ours = blend([30, 10_000, 10_000], weights.tolist())
    drawn = sum(ours)
    index, sample = np.zeros(drawn, np.int16), np.zeros(drawn, np.int64)
    helpers.build_blending_indices(index, sample, weights, 3, drawn, False)
    assert np.bincount(index, minlength=3).tolist() == ours


@given(st.integers(0, 10_000), st.lists(st.integers(0, 100), min_size=1, max_size=3).filter(any))
def test_a_split_gives_every_document_once(documents: int, shares: list[int]) -> None:
    borders = split_borders(",".join(map(str, shares)), documents)
    assert borders[0][0] == 0
    assert borders[-1][1] == documents
    assert all(left[1] == right[0] for left, right in pairwise(borders))


def test_golden_splits() -> None:
    assert (
        split_borders("900,50,50", 1000) == split_borders("0.9,0.05,0.05", 1000) == [(0, 900), (900, 950), (950, 1000)]
    )
    assert split_borders("99990,8,2", 100_000) == [(0, 99_990), (99_990, 99_998), (99_998, 100_000)]
    assert split_borders("1", 7) == [(0, 7), (7, 7), (7, 7)]
    with pytest.raises(RecipeError, match="does not say how much"):
        split_borders("all", 7)


def test_paths_are_spelt_as_megatron_spells_them(tmp_path: Path) -> None:
    for name in ("a_1", "a_2", "b"):
        write_megatron(tmp_path / name, [[1, 2]])

    def names(paths: Any) -> dict[str, list[str]]:
        found = expand(Pretokenised(format="megatron", paths=paths))
        return {split: [path.name for path in group.files] for split, group in found.items()}

    root = str(tmp_path)
    assert names(f"{root}/b") == names(f"{root}/b.bin") == names(f"{root}/b.idx") == {"all": ["b"]}
    assert names(f"{root}/a_*") == names([f"{root}/a_1", f"{root}/a_2"]) == {"all": ["a_1", "a_2"]}
    assert names({"valid": f"{root}/b", "train": [f"{root}/a_1"]}) == {"train": ["a_1"], "validation": ["b"]}
    weighted = expand(Pretokenised(format="megatron", paths=["1", f"{root}/a_*", "3", f"{root}/b"]))["all"]
    assert weighted.weights == [0.5, 0.5, 3.0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: p.with_suffix(".idx").write_bytes(b"something else" * 9), "not a Megatron index"),
        (lambda p: p.with_suffix(".idx").write_bytes(p.with_suffix(".idx").read_bytes()[:-3]), "is not .* bytes"),
        (lambda p: p.with_suffix(".bin").write_bytes(b"\0\0"), "points outside its 2 bytes"),
        (lambda p: p.with_suffix(".bin").unlink(), "no such file"),
    ],
)
def test_a_damaged_megatron_file_is_one_message(tmp_path: Path, damage: Any, message: str) -> None:
    damage(write_megatron(tmp_path / "a", DOCUMENTS))
    with pytest.raises(InputError, match=message):
        open_megatron(tmp_path / "a")


@pytest.mark.parametrize(
    ("header", "message"),
    [([20240520, 1, 99], "says 99 tokens of 2 bytes"), ([20240520, 3, 2], "header is not known: magic 20240520")],
)
def test_a_damaged_shard_is_one_message(tmp_path: Path, header: list[int], message: str) -> None:
    write_nanogpt(tmp_path / "a.bin", [1, 2], header)
    with pytest.raises(InputError, match=message):
        open_nanogpt(tmp_path / "a.bin", boundary=0)


def test_what_cannot_be_packed_is_said(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a", [[1, 2, 60_000]])
    run, recipe = recipe_of(tmp_path, {"format": "megatron", "paths": {"train": str(tmp_path / "a")}})
    with pytest.raises(InputError, match=r"token id 60000 is outside the tokenizer's vocabulary of \d+"):
        pack(run, recipe)
    assert not list(run.path("tokens/train").glob("*.arrow"))
    with pytest.raises(InputError, match="no megatron file matches"):
        expand(Pretokenised(format="megatron", paths="nowhere/x"))
    with pytest.raises(ValidationError, match="there is no split 'trian'"):
        Pretokenised(format="megatron", paths={"trian": "x"})
    with pytest.raises(ValidationError, match="give at least one, or files of tokens"):
        Recipe.model_validate({"run": "r", "sources": [], "train": {"model": {"path": "x"}}})


def test_sources_of_tokens_are_packed_beside_rows_under_their_names(tmp_path: Path) -> None:
    write_megatron(tmp_path / "web", DOCUMENTS)
    shard = [token for number in range(20) for token in (1, 5 + number, 6)]
    write_nanogpt(tmp_path / "shard.bin", shard, [20240520, 1, len(shard)])
    byte_tokenizer(tmp_path / "tokenizer")
    keys: dict[str, Any] = {
        "run": str(tmp_path / "run"),
        "cluster": {"workers": 1},
        "sources": [
            {"name": "web", "format": "megatron", "path": str(tmp_path / "web"), "split": "1,0,0"},
            {"name": "notes", "kind": "pair", "target": "any:thing"},
            {
                "name": "shards",
                "format": "nanogpt",
                "path": str(tmp_path / "shard*.bin"),
                "boundary": 1,
                "split": "3,1,0",
            },
        ],
        "blend": {"weights": {"web": 3, "notes": 1, "shards": 1}},
        "pack": {"tokenizer": str(tmp_path / "tokenizer"), "seq_length": 64},
    }
    recipe = Recipe.model_validate(keys)
    pairs = [[("user", "which?"), ("assistant", f"note {n}")] for n in range(9)]
    texts = [make_row(n, pair, source="notes", id=f"notes/n#{n}") for n, pair in enumerate(pairs)]
    run = make_curated(recipe, {"train": texts}, parts=1)
    manifest = pack(run, recipe)
    assert {name: one["taken"] for name, one in manifest.summary["blend"].items()} == {
        "web": 27,
        "notes": 9,
        "shards": 9,
    }
    bins = Bins.open(run.path("packed/train"))
    ids = {one.split("#")[0] for number in range(len(bins)) for one in bins.get(number).rows}
    assert ids == {"web/web.bin", "notes/n", "shards/shard.bin"}
    page = re.sub(r"<[^>]+>", " ", report(run, recipe).read_text(encoding="utf-8"))
    assert re.search(r"\bweb +3 +60.00% +60 +27 +60.00% +33\b", page), (
        "weight, share asked, rows, taken, share, dropped"
    )
    assert re.search(r"\btrain +9 +9 +9 +100.00%", page), "conversations, with a target, whose end is one, of those"
    tokens = Manifest.read(run.path("tokens"))
    assert tokens is not None
    assert [(one["name"], one["documents"]) for one in tokens.summary["pretokenised"]] == [("web", 60), ("shards", 20)]
    assert len(Bins.open(run.path("packed/validation"))) > 0
    with pytest.raises(InputError, match="no megatron file matches") as caught:
        preflight.check(
            Recipe.model_validate({**keys, "sources": [{**keys["sources"][0], "path": "nowhere/x"}]} | {"blend": None})
        )
    assert "source web, path" in str(caught.value)


def test_files_of_tokens_are_a_source_of_the_blend(tmp_path: Path) -> None:
    write_megatron(tmp_path / "web", DOCUMENTS)
    byte_tokenizer(tmp_path / "tokenizer")
    notes = {"name": "notes", "kind": "text", "target": "any:thing"}
    files = {"format": "megatron", "paths": str(tmp_path / "web"), "split": "1,0,0"}
    keys: dict[str, Any] = {
        "run": str(tmp_path / "run"),
        "cluster": {"workers": 1},
        "sources": [notes],
        "blend": {"weights": {"notes": 1, "megatron": 3}},
        "pack": {"tokenizer": str(tmp_path / "tokenizer"), "seq_length": 64, "pretokenised": files},
    }
    for weights, problem in (
        ({"notes": 1}, "source 'megatron' has no weight"),
        ({"notes": 1, "megatorn": 2}, "did you mean 'megatron'"),
    ):
        with pytest.raises(ValidationError, match=problem):
            Recipe.model_validate({**keys, "blend": {"weights": weights}})
    with pytest.raises(ValidationError, match="two sources are called megatron"):
        Recipe.model_validate({**keys, "sources": [{**notes, "name": "megatron"}], "blend": None})
    recipe = Recipe.model_validate(keys)
    texts = [make_row(n, [("text", f"note {n}")], kind="text", source="notes", id=f"notes/n#{n}") for n in range(9)]
    run = make_curated(recipe, {"train": texts}, parts=1)
    manifest = pack(run, recipe)
    taken = {name: one["taken"] for name, one in manifest.summary["blend"].items()}
    assert taken == {"notes": 9, "megatron": 27}
    bins = Bins.open(run.path("packed/train"))
    ids = [one for number in range(len(bins)) for one in bins.get(number).rows]
    assert Counter(one.split("/")[0] for one in ids) == taken
    assert manifest.rows is not None
    assert manifest.rows["in"] == 69
    assert manifest.rows["dropped"] == 33


def test_a_recipe_of_files_of_tokens_alone_goes_through_curation(tmp_path: Path) -> None:
    write_megatron(tmp_path / "web", DOCUMENTS)
    byte_tokenizer(tmp_path / "tokenizer")
    recipe = Recipe.model_validate(
        {
            "run": str(tmp_path / "run"),
            "cluster": {"workers": 1},
            "sources": [{"name": "web", "format": "megatron", "path": str(tmp_path / "web"), "split": "1,0,0"}],
            "curate": {"dedup": {"exact": False, "fuzzy": None}},
            "pack": {"tokenizer": str(tmp_path / "tokenizer"), "seq_length": 64},
        }
    )
    run = RunDirectory.open(recipe)
    assert curate_verb(run, recipe).rows == {"in": 0, "kept": 0, "dropped": 0, "rejected": 0}
    manifest = pack(run, recipe)
    assert manifest.rows is not None
    assert manifest.rows["in"] == manifest.rows["kept"] == len(DOCUMENTS)
