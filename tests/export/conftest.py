"""A packed run, and decoders written from the byte layouts alone."""

from __future__ import annotations

import ast
import io
import pickle
import struct
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.config import Recipe
from pipeline.curate import plan_as_read
from pipeline.pack import pack
from pipeline.pack.bins import Bins
from pipeline.run import RunDirectory
from tests.pack.conftest import Row, curate, make_recipe, row, rows, split_up

__all__ = ["rows"]

Example = tuple[list[int], list[bool]]


@pytest.fixture(scope="package")
def packed(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Pairs, code (most of it cut, one whole) and a conversation of two turns, in bins of 256 slots."""
    recipe: Recipe = make_recipe(tmp_path_factory.mktemp("export"))
    run = curated_run(recipe, {**_with(rows, CHAT, CODE), "test": []})
    pack(run, recipe)
    return run


@pytest.fixture(scope="package")
def curated(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """The same, and a conversation with calls, for which the default template is none: not packed."""
    calls = row(
        9, [("user", "How warm is it?"), ("assistant", ""), ("tool", "21"), ("assistant", "21 °C.")], kind="chat"
    )
    calls["messages"][1]["extra"] = (
        '{"content":null,"tool_calls":[{"id":"c","function":{"name":"warmth","arguments":"{\\"x\\": 1.0}"}}]}'
    )
    calls["messages"][2]["extra"] = '{"tool_call_id":"c"}'
    calls["tools"] = '[{"type": "function", "function": {"name": "warmth", "parameters": {"b": 1e2, "a": {}}}}]'
    calls["metadata"] = '{"url": "u", "n": 1.50}'
    recipe: Recipe = make_recipe(tmp_path_factory.mktemp("rows"))
    return curated_run(recipe, {**_with(rows, CHAT, CODE, calls), "test": []})


CHAT = row(
    8, [("user", "Is 7 prime?"), ("assistant", "Yes."), ("user", "Is 9?"), ("assistant", "No: 3 times 3.")], kind="chat"
)


CODE = row(7, [("text", "half = 21\n")], kind="code")


def _with(rows: list[Row], *more: Row) -> dict[str, list[Row]]:
    splits = split_up(rows)
    return {**splits, "train": [*splits["train"], *more]}


def curated_run(recipe: Recipe, splits: Mapping[str, Sequence[Row]]) -> RunDirectory:
    """A run with these rows, whose manifests are those of the recipe's own stages."""
    run = RunDirectory.open(recipe)
    *before, last = range(len(plan_as_read(run, recipe)))
    for number in before:
        stage = plan_as_read(run, recipe)[number]
        assert stage is not None
        stage.begin()
        stage.finish()
    return curate(recipe, splits, stage=plan_as_read(run, recipe)[last])


def examples_of(run: RunDirectory, split: str) -> list[Example]:
    """Every example in the order of the bins, one by one."""
    found: list[Example] = []
    bins = Bins.open(run.path(f"packed/{split}"))
    for number in range(len(bins)):
        tokens, loss, starts, _ = bins.get(number)
        cuts = list(zip(np.split(tokens, starts[1:]), np.split(loss, starts[1:]), strict=True))
        found += [(own.tolist(), mask.tolist()) for own, mask in cuts]
    return found


def decode_megatron(prefix: Path) -> dict[str, Any]:
    """Read `.idx` and `.bin` byte by byte as the layout says."""
    index, data = prefix.with_suffix(".idx").read_bytes(), prefix.with_suffix(".bin").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, documents = struct.unpack("<QBQQ", index[9:34])
    letter = {1: "B", 2: "b", 3: "h", 4: "i", 5: "q", 6: "d", 7: "f", 8: "H"}[code]
    at = 34
    lengths = struct.unpack(f"<{sequences}i", index[at : at + 4 * sequences])
    at += 4 * sequences
    pointers = struct.unpack(f"<{sequences}q", index[at : at + 8 * sequences])
    at += 8 * sequences
    borders = struct.unpack(f"<{documents}q", index[at : at + 8 * documents])
    assert at + 8 * documents == len(index)
    size = struct.calcsize(letter)
    found = [
        list(struct.unpack(f"<{length}{letter}", data[pointer : pointer + size * length]))
        for length, pointer in zip(lengths, pointers, strict=True)
    ]
    assert size * sum(lengths) == len(data)
    return {"version": version, "code": code, "sequences": found, "borders": list(borders)}


def decode_nanogpt(path: Path) -> dict[str, Any]:
    """Read a shard and its boundaries byte by byte as the layout says."""
    data = path.read_bytes()
    header = struct.unpack("<256i", data[:1024])
    size = {20240520: 2, 278895051: header[3]}[header[0]]
    tokens = list(struct.unpack(f"<{header[2]}{'H' if size == 2 else 'I'}", data[1024:]))
    marks = path.with_suffix(".bos.idx").read_bytes()
    return {"header": header, "tokens": tokens, "marks": list(struct.unpack(f"<{len(marks) // 4}i", marks))}


def decode_nemo(path: Path) -> list[dict[str, list[Any]]]:
    """Read a packed `.npy` as its layout says: the header byte by byte, the pickle with nothing but an array in it."""
    data = path.read_bytes()
    assert data[:8] == b"\x93NUMPY\x01\x00"
    (size,) = struct.unpack("<H", data[8:10])
    assert (10 + size) % 64 == 0
    header = ast.literal_eval(data[10 : 10 + size].decode("latin1"))
    assert header["descr"] == "|O"
    assert header["fortran_order"] is False
    array = _Restricted(io.BytesIO(data[10 + size :])).load()
    assert array.shape == header["shape"]
    return [dict(row) for row in array.tolist()]


class _Restricted(pickle.Unpickler):
    """Knows what an array of plain Python objects takes."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may name."""
        allowed = {("multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}
        allowed |= {("_codecs", "encode")}  # how protocol 2 writes bytes
        assert (module.rpartition(".")[2], name) in allowed, f"{module}.{name}"
        return super().find_class(module, name)


def learnt_by_nemo(row: Mapping[str, Sequence[int]]) -> list[tuple[list[int], list[int]]]:
    """What NeMo's collator makes of a row: of each sequence the labels, and those of them that are learnt.

    The row must keep the invariants of Megatron-Bridge's `validate_row`. Inputs are all but a sequence's last token,
    labels all but its first, and the mask all but its last.
    """
    ids, mask, starts = list(row["input_ids"]), list(row["loss_mask"]), list(row["seq_start_id"])
    assert len(ids) == len(mask)
    assert starts[0] == 0
    assert starts == sorted(starts)
    assert starts[-1] < len(ids)
    found = []
    for begin, end in pairwise([*starts, len(ids)]):
        labels = ids[begin + 1 : end]
        found.append((labels, [label for label, target in zip(labels, mask[begin : end - 1], strict=True) if target]))
    return found
