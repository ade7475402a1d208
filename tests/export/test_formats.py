"""What is decoded from the files, by the byte layout alone, is what the bins hold."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline import fingerprint
from pipeline.config import Recipe, Source
from pipeline.errors import InputError, RunDirectoryError
from pipeline.export import export, nanogpt, nemo, object_array
from pipeline.export.jsonl import line_of
from pipeline.export.megatron import write_megatron
from pipeline.export.nanogpt import write_nanogpt
from pipeline.export.nemo import write_nemo
from pipeline.ingest.exact_json import parse
from pipeline.ingest.formats import adapter_for
from pipeline.ingest.rows import RowsBuilder
from pipeline.pack.bins import Bins
from pipeline.run import RunDirectory
from pipeline.schema import ROWS
from tests.pack.conftest import Row, make_recipe, row
from tests.train.conftest import write_bins

from .conftest import decode_megatron, decode_nanogpt, decode_nemo, examples_of, learnt_by_nemo


def test_megatron_holds_every_example_as_a_document(packed: RunDirectory, tmp_path: Path) -> None:
    about = export(packed, "megatron", tmp_path / "out")
    for split in ("train", "validation"):
        found, expected = decode_megatron(tmp_path / "out" / split), examples_of(packed, split)
        assert found["version"] == 1
        assert found["code"] == 8
        assert found["sequences"] == [tokens for tokens, _ in expected]
        assert found["borders"] == list(range(len(expected) + 1))
        assert about["splits"][split]["documents"] == len(expected)
    assert not (tmp_path / "out/test.bin").exists()


def test_the_golden_bytes_of_a_uint16_index(tmp_path: Path) -> None:
    write_bins(tmp_path / "bins", [([7, 8, 9], [False, True, True]), ([5, 6], [False, True])])
    write_megatron(tmp_path, {"train": Bins.open(tmp_path / "bins")}, vocab_size=65_499)
    assert (tmp_path / "train.bin").read_bytes() == bytes.fromhex("0700 0800 0900 0500 0600")
    assert (tmp_path / "train.idx").read_bytes() == bytes.fromhex(
        "4d4d49444944580000 0100000000000000 08"  # magic, version, uint16
        "0200000000000000 0300000000000000"  # sequences, document borders
        "03000000 02000000"  # lengths
        "0000000000000000 0600000000000000"  # byte offsets
        "0000000000000000 0100000000000000 0200000000000000"  # borders
    )
    write_megatron(tmp_path, {"train": Bins.open(tmp_path / "bins")}, vocab_size=65_500)
    assert decode_megatron(tmp_path / "train")["code"] == 4  # int32: Megatron never writes uint32


@pytest.mark.parametrize("header", ["current", "legacy"])
def test_nanogpt_documents_begin_with_their_boundary(
    packed: RunDirectory, tmp_path: Path, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nanogpt, "_FILE_TOKENS", 3000)
    about = export(packed, "nanogpt", tmp_path / "out", header=header)  # type: ignore[arg-type]
    boundary = about["boundary"]
    documents: list[list[int]] = []
    for path in sorted((tmp_path / "out").glob("train_*.bin")):
        shard = decode_nanogpt(path)
        magic = [20240520, 1, len(shard["tokens"])] if header == "legacy" else [278895051, 1, len(shard["tokens"]), 2]
        assert list(shard["header"]) == magic + [0] * (256 - len(magic))
        assert all(shard["tokens"][mark] == boundary for mark in shard["marks"])
        ends = [*shard["marks"][1:], len(shard["tokens"])]
        documents += [shard["tokens"][begin:end] for begin, end in zip(shard["marks"], ends, strict=True)]
    expected = [tokens for tokens, _ in examples_of(packed, "train")]
    assert [tokens if tokens[0] == boundary else [boundary, *tokens] for tokens in expected] == documents
    assert about["splits"]["train"]["boundaries_added"] == sum(tokens[0] != boundary for tokens in expected)


def test_a_wide_vocabulary_takes_uint32_or_is_refused(tmp_path: Path) -> None:
    write_bins(tmp_path / "bins", [([1, 70_000], [False, True])])
    bins = {"train": Bins.open(tmp_path / "bins")}
    write_nanogpt(tmp_path, bins, vocab_size=70_001, boundary=1, header="current")
    shard = decode_nanogpt(tmp_path / "train_000000.bin")
    assert (shard["header"][3], shard["tokens"], shard["marks"]) == (4, [1, 70_000], [0])
    with pytest.raises(InputError, match="does not fit the legacy header"):
        write_nanogpt(tmp_path, bins, vocab_size=70_001, boundary=1, header="legacy")
    # A vocabulary that lies about its ids: nothing wraps silently.
    for write in (
        lambda: write_nanogpt(tmp_path, bins, vocab_size=300, boundary=1, header="current"),
        lambda: write_megatron(tmp_path, bins, vocab_size=300),
    ):
        with pytest.raises(InputError, match="token id 70000 does not fit into uint16, which ends at 65535"):
            write()


def test_nemo_rows_are_bins_with_the_mask_shifted(
    packed: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nemo, "_ROW_GROUP", 7)
    monkeypatch.setattr(object_array, "_BATCH", 5)
    export(packed, "nemo", tmp_path / "out")
    bins = Bins.open(packed.path("packed/train"))
    file = pq.ParquetFile(tmp_path / "out/training_256.idx.parquet")
    assert {file.metadata.row_group(n).num_rows for n in range(file.num_row_groups - 1)} <= {7}
    table, arrays = file.read(), np.load(tmp_path / "out/training_256.npy", allow_pickle=True)
    assert [str(table.schema.field(name).type.value_type) for name in table.schema.names] == ["int32", "int8", "int32"]
    assert len(bins) == table.num_rows == len(arrays)
    for number, (parquet, array) in enumerate(zip(table.to_pylist(), arrays.tolist(), strict=True)):
        own = bins.get(number)
        assert parquet == {key: [int(value) for value in values] for key, values in array.items()}
        assert parquet["input_ids"] == own.tokens.tolist()
        assert parquet["seq_start_id"] == own.starts.tolist()
        # What a collator learns: the next token, where the mask says so, and never over a border.
        learnt = [own.tokens[at + 1] for at, target in enumerate(parquet["loss_mask"]) if target]
        assert learnt == own.tokens[own.loss].tolist()
        assert not any(parquet["loss_mask"][start - 1] for start in [*own.starts[1:].tolist(), len(own.tokens)])
    (about, _) = json.loads((tmp_path / "out/256_metadata.jsonl").read_text())
    assert set(about) == {
        *("dataset_max_seqlen", "max_samples_per_bin", "packing_factor", "packing_efficiency", "pack_size"),
        "min_packed_seqlen",
    }
    assert about["min_packed_seqlen"] == min(len(bins.get(number).tokens) for number in range(len(bins)))


def test_nemo_pads_examples_to_a_multiple_and_one(tmp_path: Path) -> None:
    write_bins(tmp_path / "bins", [([7, 8, 9], [False, True, True]), ([5, 6, 4, 3, 1], [False, *[True] * 4])])
    write_nemo(tmp_path, {"train": Bins.open(tmp_path / "bins")}, seq_length=16, multiple=4, pad=2)
    (row,) = pq.read_table(tmp_path / "training_16.idx.parquet").to_pylist()
    assert row == {
        "input_ids": [7, 8, 9, 2, 2, 5, 6, 4, 3, 1],
        "loss_mask": [1, 1, 0, 0, 0, 1, 1, 1, 1, 0],
        "seq_start_id": [0, 5],
    }


@pytest.mark.parametrize("suffix", ["npy", "idx.parquet"])
def test_a_collator_of_nemo_learns_what_the_bins_learn(packed: RunDirectory, tmp_path: Path, suffix: str) -> None:
    export(packed, "nemo", tmp_path / "out")
    for split, name in (("train", "training"), ("validation", "validation")):
        path = tmp_path / f"out/{name}_256.{suffix}"
        rows = decode_nemo(path) if suffix == "npy" else pq.read_table(path).to_pylist()
        found = [example for row in rows for example in learnt_by_nemo(row)]
        expected = [
            (tokens[1:], [token for token, target in zip(tokens, mask, strict=True) if target])
            for tokens, mask in examples_of(packed, split)
        ]
        assert found == expected


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 2001])
def test_objects_are_read_by_numpy_as_it_writes_them(tmp_path: Path, count: int) -> None:
    items = [{"input_ids": [n, 2**31 - 1, -1], "loss_mask": [True, False], "text": "é"} for n in range(count)]
    object_array.save_objects(tmp_path / "a.npy", iter(items), count)
    found = np.load(tmp_path / "a.npy", allow_pickle=True)
    assert (found.dtype, found.shape, found.tolist()) == (np.dtype(object), (count,), items)
    with pytest.raises(ValueError, match="items"):
        object_array.save_objects(tmp_path / "a.npy", iter(items), count + 1)


def test_lines_are_the_rows_as_they_came(curated: RunDirectory, tmp_path: Path) -> None:
    about = export(curated, "jsonl", tmp_path / "out")
    lines = (tmp_path / "out/training.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [
        row
        for path in sorted(curated.path("curated/train").glob("*.parquet"))
        for row in pq.read_table(path, columns=["kind", "messages"]).to_pylist()
    ]
    assert len(lines) == len(rows) == about["splits"]["train"]["rows"]
    for line, own in zip(lines, rows, strict=True):
        value = json.loads(line)
        if own["kind"] == "pair":
            assert (value["input"], value["output"]) == tuple(message["content"] for message in own["messages"])
        elif own["kind"] == "code":
            assert value == {"text": own["messages"][0]["content"]}
        else:
            assert "messages" in value
    # Exact: the arguments of the call, the numbers and the order of keys of the tools, null content.
    assert lines[-1] == (
        '{"messages":[{"role":"user","content":"How warm is it?"},'
        '{"role":"assistant","content":null,'
        '"tool_calls":[{"id":"c","function":{"name":"warmth","arguments":"{\\"x\\": 1.0}"}}]},'
        '{"role":"tool","content":"21","tool_call_id":"c"},{"role":"assistant","content":"21 °C."}],'
        '"tools":[{"type": "function", "function": {"name": "warmth", "parameters": {"b": 1e2, "a": {}}}}],'
        '"url":"u","n":1.50}'
    )
    assert (tmp_path / "out/test.jsonl").read_bytes() == b""


def test_lines_are_read_back_as_the_rows_that_they_were(curated: RunDirectory, tmp_path: Path) -> None:
    export(curated, "jsonl", tmp_path / "out")
    formats = {"messages": ("chat", "chat"), "input": ("completion", "pair"), "text": ("text", "text")}
    keys = {"name": "s", "path": "none"}
    adapters = {
        first: adapter_for(Source.model_validate({**keys, "format": name, "kind": kind}))
        for first, (name, kind) in formats.items()
    }
    for split, name in (("train", "training"), ("validation", "validation")):
        lines = (tmp_path / f"out/{name}.jsonl").read_bytes().splitlines()
        builder = RowsBuilder()
        for number, line in enumerate(lines):
            read = adapters[next(iter(json.loads(line)))].read(parse(line))
            assert not isinstance(read, list)
            builder.add(str(number), Source.model_validate({**keys, "format": "chat", "kind": "chat"}), read)
        columns = ["messages", "tools"]
        parts = sorted(curated.path(f"curated/{split}").glob("*.parquet"))
        own = [row for part in parts for row in pq.read_table(part, columns=columns).to_pylist()]
        assert builder.table().select(columns).to_pylist() == own


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_row_of_indented_json_is_one_line(end: str) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x":\n 1.0}'}}
    given = {
        "messages": [
            {"role": "user", "content": "a\nb\r\n", "frames": [{"slots": [], "state": {"on": "  \n "}}]},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "services": ["one", {"two": [1, 2]}],
    }
    source = Source.model_validate({"name": "s", "path": "none", "format": "chat", "kind": "chat"})
    read = adapter_for(source).read(parse(json.dumps(given, indent=4).replace("\n", end).encode()))
    assert not isinstance(read, list)
    builder = RowsBuilder()
    builder.add("0", source, read)
    (kept,) = builder.table().to_pylist()
    assert end in kept["tools"]  # the row keeps the file's bytes
    _, line = line_of(kept)
    assert not {"\n", "\r"} & set(line)
    assert json.loads(line) == given


def test_a_retrieval_row_is_inline_json() -> None:
    messages = [("query", "q"), ("positive", "p"), ("negative", "n1"), ("negative", "n2")]
    form, line = line_of(row(1, messages, kind="retrieval"))
    assert (form, line) == ("question", '{"question":"q","pos_doc":["p"],"neg_doc":["n1","n2"]}')


@pytest.mark.parametrize(
    ("keys", "given", "written"),
    [
        (
            {"kind": "pair", "format": "completion", "columns": {"input": "ask", "output": "say"}},
            {"ask": "q", "say": "a", "input": 1.50, "metadata": {"x": None}, "n": 2},
            {"input": "q", "output": "a", "n": 2, "metadata": {"input": 1.50, "metadata": {"x": None}}},
        ),
        (
            {"kind": "text", "format": "text", "columns": {"text": "body"}},
            {"body": "b", "text": "t"},
            {"text": "b", "metadata": {"text": "t"}},
        ),
        ({"kind": "text", "format": "text"}, {"text": "t", "metadata": 1}, {"text": "t", "metadata": 1}),
        (
            {"kind": "chat", "format": "chat", "columns": {"messages": "talk", "role": "by", "content": "says"}},
            {"talk": [{"by": "user", "says": "q", "role": "x", "content": None}, {"by": "assistant", "says": "a"}]},
            {
                "messages": [
                    {"role": "user", "content": "q", "metadata": {"role": "x", "content": None}},
                    {"role": "assistant", "content": "a"},
                ]
            },
        ),
        (
            {"kind": "chat", "format": "chat", "columns": {"tools": "functions"}},
            {"messages": [{"role": "user", "content": "q"}], "tools": "hammer"},
            {"messages": [{"role": "user", "content": "q"}], "metadata": {"tools": "hammer"}},
        ),
        (
            {"kind": "retrieval", "format": "retrieval", "columns": {"query": "ask"}},
            {"ask": "q", "query": "other", "pos_doc": [{"text": "p", "id": 7}, "r"]},
            {"question": "q", "pos_doc": [{"text": "p", "id": 7}, "r"], "neg_doc": [], "metadata": {"query": "other"}},
        ),
    ],
)
def test_a_key_named_like_one_of_the_line_is_kept(keys: Row, given: Row, written: Row) -> None:
    source = Source.model_validate({"name": "s", "path": "none", **keys})
    read = adapter_for(source).read(parse(json.dumps(given).encode()))
    assert not isinstance(read, list)
    builder = RowsBuilder()
    builder.add("0", source, read)
    (kept,) = builder.table().to_pylist()
    assert json.loads(line_of(kept)[1]) == written


def test_a_chat_is_written_as_one_however_few_its_turns() -> None:
    turn = [("user", "q"), ("assistant", "a")]
    assert line_of(row(1, turn, kind="pair")) == ("input", '{"input":"q","output":"a"}')
    form, line = line_of(row(1, turn, kind="chat"))
    assert form == "messages"
    assert json.loads(line) == {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    form, _ = line_of(row(1, [("system", "s"), *turn], kind="pair"))
    assert form == "messages"  # the other form has no place for the system message


def test_a_dataset_folder_is_parquet_with_a_card(curated: RunDirectory, tmp_path: Path) -> None:
    about = export(curated, "hf", tmp_path / "rows")
    card = (tmp_path / "rows/README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n")
    assert "split: test" not in card  # no rows, no files: a pattern that matches nothing is an error to a reader
    for split in ("train", "validation"):
        found, own = (
            [row for path in paths for row in pq.read_table(path).select(ROWS.names).to_pylist()]
            for paths in (
                sorted((tmp_path / "rows/data").glob(f"{split}-*.parquet")),
                sorted(curated.path(f"curated/{split}").glob("*.parquet")),
            )
        )
        assert found == own
        assert about["splits"][split]["rows"] == len(own)


def test_every_file_is_in_the_manifest_with_its_fingerprint(packed: RunDirectory, tmp_path: Path) -> None:
    for name in ("megatron", "nanogpt", "nemo", "jsonl", "hf"):
        out = tmp_path / name
        about = export(packed, name, out)
        assert json.loads((out / "_manifest.json").read_text(encoding="utf-8")) == about
        files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
        assert files == {one["name"] for one in about["files"]} | {"_manifest.json"}
        assert all(fingerprint.of_file(out / one["name"]) == one["blake3"] for one in about["files"])


def test_legacy_headers_are_struct_s_little_endian(tmp_path: Path) -> None:
    write_bins(tmp_path / "bins", [([1, 2], [False, True])])
    write_nanogpt(tmp_path, {"validation": Bins.open(tmp_path / "bins")}, vocab_size=50257, boundary=1, header="legacy")
    data = (tmp_path / "validation_000000.bin").read_bytes()
    assert data == struct.pack("<256i", 20240520, 1, 2, *[0] * 253) + struct.pack("<2H", 1, 2)


def test_what_cannot_be_exported_is_said_and_nothing_is_written(
    packed: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"no export format 'megatro' \(did you mean 'megatron'\?\)"):
        export(packed, "megatro", tmp_path / "out")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("do not delete")
    with pytest.raises(InputError, match="holds something else"):
        export(packed, "jsonl", tmp_path / "mine")
    assert (tmp_path / "mine/thesis.txt").exists()
    # A tokenizer whose ids the format cannot hold: found while writing, and the folder does not appear.
    monkeypatch.setattr(nanogpt, "narrowed", _refuse)
    with pytest.raises(InputError, match="does not fit"):
        export(packed, "nanogpt", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine"]


def test_an_export_is_replaced_by_the_next(packed: RunDirectory, tmp_path: Path) -> None:
    export(packed, "jsonl", tmp_path / "out")
    export(packed, "megatron", tmp_path / "out")
    assert not (tmp_path / "out/training.jsonl").exists()
    assert (tmp_path / "out/train.idx").exists()


def test_a_run_that_has_not_come_far_enough_is_told_the_command(recipe_only: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match=r"nothing packed to export(.|\n)*curate-and-train pack RECIPE"):
        export(recipe_only, "nemo", tmp_path / "out")
    with pytest.raises(RunDirectoryError, match=r"nothing curated to export(.|\n)*curate-and-train curate RECIPE"):
        export(recipe_only, "hf", tmp_path / "out")


@pytest.fixture
def recipe_only(tmp_path: Path) -> RunDirectory:
    recipe: Recipe = make_recipe(tmp_path / "empty")
    return RunDirectory.open(recipe)


def _refuse(*_: object, **__: object) -> None:
    raise InputError("token id 70000 does not fit", where="", mend="")
