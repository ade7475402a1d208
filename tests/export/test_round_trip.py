"""What is exported comes back through `pack.pretokenised`: the same documents of the same tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import AddedToken

from pipeline.config import Recipe
from pipeline.errors import InputError
from pipeline.export import export
from pipeline.export.boundary import boundary_of
from pipeline.pack import pack
from pipeline.pack.bins import Bins
from pipeline.pack.token_files import open_nanogpt
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.run import RunDirectory
from tests.train.conftest import byte_tokenizer, write_bins

from .conftest import curated_run, examples_of


@pytest.mark.parametrize("name", ["megatron", "nanogpt"])
def test_documents_come_back_as_they_were(packed: RunDirectory, tmp_path: Path, name: str) -> None:
    about = export(packed, name, tmp_path / "out")
    spec = {"format": name, "paths": {split: str(tmp_path / "out" / split) for split in ("train", "validation")}}
    if name == "nanogpt":
        spec |= {
            "paths": {split: f"{path}_*.bin" for split, path in spec["paths"].items()},  # type: ignore[attr-defined]
            "boundary": about["boundary"],
        }
    recipe = Recipe.model_validate(
        {
            "run": str(tmp_path / "run"),
            "cluster": {"workers": 1},
            "pack": {"tokenizer": str(packed.path("tokenizer")), "seq_length": 320, "pretokenised": spec},
            "train": {"model": {"config": {"model_type": "llama"}}},
        }
    )
    run = curated_run(recipe, {})
    pack(run, recipe)
    for split in ("train", "validation"):
        expected = [tokens for tokens, _ in examples_of(packed, split)]
        if name == "nanogpt":
            expected = [
                tokens if tokens[0] == about["boundary"] else [about["boundary"], *tokens] for tokens in expected
            ]
        assert sorted(tokens for tokens, _ in examples_of(run, split)) == sorted(expected)


def test_a_conversation_stays_one_document_where_its_end_token_ends_each_turn(
    packed: RunDirectory, tmp_path: Path
) -> None:
    about = export(packed, "nanogpt", tmp_path / "out")
    tokenizer = load_tokenizer(packed.path("tokenizer"))
    # `<|im_end|>` ends turns, `<|endoftext|>` ends the code: neither can begin a document.
    assert (about["boundary_token"], about["boundary"]) == ("<|pad|>", tokenizer.pad_token_id)
    for split in ("train", "validation"):
        shard = open_nanogpt(tmp_path / f"out/{split}_000000.bin", boundary=about["boundary"])
        assert len(shard) == about["splits"][split]["documents"] == len(examples_of(packed, split))


def test_the_boundary_is_the_first_of_the_usual_ones_that_stands_in_no_example(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer(tmp_path / "tokenizer")
    pad, opened, closed, end = (
        tokenizer.convert_tokens_to_ids(token) for token in ("<|pad|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>")
    )

    def of(*documents: list[int]) -> int:
        folder = tmp_path / "-".join(str(token) for document in documents for token in document)
        write_bins(folder, [(one, [False, *[True] * (len(one) - 1)]) for one in documents])
        return boundary_of(tokenizer, [Bins.open(folder)])

    assert of([5, 6, closed]) == end
    assert of([end, 6, closed], [5, 6]) == end  # in front it is a boundary already
    assert of([5, 6, end], [5, 6]) == closed
    assert of([5, closed, end]) == pad
    assert of([5, closed, end, pad]) == opened
    with pytest.raises(InputError, match=r"no token can mark where a document begins(.|\n)*megatron"):
        of([5, closed, end, pad, opened])
    tokenizer.add_special_tokens({"bos_token": AddedToken("<s>", special=True)})
    assert of([tokenizer.bos_token_id, 6, closed]) == tokenizer.bos_token_id
