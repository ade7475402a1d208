"""Sources at URLs, on the hub, in Delta tables and in lists, each against a real server or folder."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config import Source
from pipeline.errors import InputError, MachineError
from pipeline.ingest import survey
from pipeline.ingest.origins import Slice
from tests.ingest.conftest import ingest, rejected_of, rows_of
from tests.ingest.served import COMMIT, Store, serving


@pytest.fixture
def store() -> Iterator[Store]:
    with serving() as served:
        yield served


@pytest.fixture
def hub(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store as the hub; what is known of another one is forgotten."""
    import huggingface_hub
    from huggingface_hub import constants, hf_file_system

    for module in (constants, huggingface_hub.hf_api):
        monkeypatch.setattr(module, "ENDPOINT", store.url, raising=False)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", store.url + "/{repo_id}/resolve/{revision}/{filename}"
    )
    hf_file_system.HfFileSystem.clear_instance_cache()
    return store


def source(**keys: Any) -> Source:
    return Source.model_validate({"name": "s", "kind": "text", "format": "text", **keys})


def lines(*texts: str) -> bytes:
    return b"".join(json.dumps({"text": text}).encode() + b"\n" for text in texts)


def parquet(*texts: str) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table({"text": list(texts)}), out, row_group_size=2)
    return out.getvalue()


def texts_of(read: Source, part_bytes: int = 50) -> list[str]:
    parts = ingest(read, part_bytes=part_bytes)
    assert rejected_of(parts) == []
    return [row["messages"][0]["content"] for row in rows_of(parts)]


def test_https_is_read_in_ranges(store: Store) -> None:
    store.files |= {
        "/a.jsonl": lines(*"abcdefgh"),
        "/b.parquet": parquet(*"vwxyz"),
        "/c.jsonl.gz": gzip.compress(lines("g")),
    }
    assert texts_of(source(path=f"{store.url}/a.jsonl")) == list("abcdefgh")
    assert len(survey(source(path=f"{store.url}/a.jsonl"), part_bytes=50).blocks) > 1
    assert texts_of(source(path=f"{store.url}/c.jsonl.gz?download=true")) == ["g"]
    store.asked.clear()
    assert texts_of(source(path=f"{store.url}/b.parquet")) == list("vwxyz")
    assert all(wanted for method, path, wanted in store.asked if method == "GET" and path == "/b.parquet")
    with pytest.raises(InputError, match="no file is there"):
        survey(source(path=f"{store.url}/nothing.jsonl"), part_bytes=50)


def test_a_bucket_of_s3_is_listed_and_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs", reason="the extra `remote` is not installed").S3FileSystem.clear_instance_cache()
    for key, value in {
        "ACCESS_KEY_ID": "x",
        "SECRET_ACCESS_KEY": "x",
        "ENDPOINT_URL": store.url,
        "REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(f"AWS_{key}", value)
    store.files |= {
        "/bucket/raw/a.jsonl": lines("a", "b"),
        "/bucket/raw/deep/b.parquet": parquet("c"),
        "/bucket/x.jsonl": b"",
    }
    read = source(path="s3://bucket/raw/**")
    assert texts_of(read) == ["a", "b", "c"]
    assert [row["id"] for row in rows_of(ingest(read))] == ["s/a.jsonl#0", "s/a.jsonl#1", "s/deep/b.parquet#0"]


def test_any_store_of_fsspec(tmp_path: Path) -> None:
    import fsspec

    fsspec.filesystem("memory").pipe("/rows/a.jsonl", lines("a"))
    assert texts_of(source(path="memory://rows/*.jsonl")) == ["a"]
    (tmp_path / "b.jsonl").write_bytes(lines("b"))
    assert texts_of(source(path=f"file://{tmp_path}/b.jsonl")) == ["b"]
    with pytest.raises(MachineError, match="needs the package"):
        survey(source(path="gs://bucket/x.jsonl"), part_bytes=50)
    with pytest.raises(InputError, match="no such protocol"):
        survey(source(path="htps://x/y.jsonl"), part_bytes=50)


def test_a_dataset_of_the_hub(hub: Store) -> None:
    hub.dataset("org/plain", {"README.md": b"", "data/train-0.jsonl": lines("a", "b"), "data/test-0.jsonl": lines("t")})
    assert texts_of(source(dataset="org/plain")) == ["a", "b"]
    assert texts_of(source(dataset="org/plain", split="test")) == ["t"]
    assert rows_of(ingest(source(dataset="org/plain")))[0]["id"] == "s/data/train-0.jsonl#0"
    assert all(
        COMMIT in path for _, path, _ in hub.asked if "resolve" in path
    )  # one version, whatever is pushed meanwhile
    with pytest.raises(InputError, match="did you mean 'train'"):
        survey(source(dataset="org/plain", split="trian"), part_bytes=50)
    with pytest.raises(InputError, match="no such dataset"):
        survey(source(dataset="org/nothing"), part_bytes=50)


def test_files_of_the_hub_by_their_url(hub: Store) -> None:
    hub.dataset("org/plain", {"README.md": b"", "data/a.jsonl": lines("a", "b"), "data/b.jsonl": lines("c")})
    assert texts_of(source(path="hf://datasets/org/plain/data/a.jsonl")) == ["a", "b"]
    assert texts_of(source(path="hf://datasets/org/plain/data/*.jsonl")) == ["a", "b", "c"]
    with pytest.raises(InputError):
        survey(source(path="hf://datasets/org/plain/data/z.jsonl"), part_bytes=50)


def test_the_card_names_configurations_and_files(hub: Store) -> None:
    card: dict[str, object] = {
        "configs": [
            {"config_name": "main", "data_files": [{"split": "train", "path": "m/*.parquet"}]},
            {"config_name": "other", "data_files": {"train": ["o/x.csv"], "test": "o/y.csv"}},
        ]
    }
    files = {"m/1.parquet": parquet("m"), "m/2.parquet": parquet("n"), "o/x.csv": b"text\nx\n", "o/y.csv": b"text\ny\n"}
    hub.dataset("org/carded", files, card)
    assert texts_of(source(dataset="org/carded", config="main")) == ["m", "n"]
    assert texts_of(source(dataset="org/carded", config="other", split="test")) == ["y"]
    with pytest.raises(InputError, match="several configurations"):
        survey(source(dataset="org/carded"), part_bytes=50)
    with pytest.raises(InputError, match="did you mean 'main'"):
        survey(source(dataset="org/carded", config="mian"), part_bytes=50)


def test_a_folder_laid_out_like_a_dataset(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train/a.jsonl").write_bytes(lines(*"abcde"))
    (tmp_path / "train/b.jsonl.gz").write_bytes(gzip.compress(lines(*"fghij")))
    (tmp_path / "val.jsonl").write_bytes(lines("v"))
    folder = str(tmp_path)
    assert texts_of(source(dataset=folder, split="validation")) == ["v"]
    for split, wanted in {
        "train": "abcdefghij",
        "train[:3]": "abc",
        "train[3:7]": "defg",
        "train[-2:]": "ij",
        "train[20%:50%]": "cde",
        "train[8:99]": "ij",
    }.items():
        for part_bytes in (1, 40, 1000):
            assert "".join(texts_of(source(dataset=folder, split=split), part_bytes)) == wanted, split
    with pytest.raises(InputError, match="is no split"):
        survey(source(dataset=folder, split="train[3]"), part_bytes=50)
    (tmp_path / "README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: val.jsonl\n---\n# Hi\n")
    assert texts_of(source(dataset=folder)) == ["v"]


def test_a_slice_counts_examples_as_datasets_does(tmp_path: Path) -> None:
    """Blank lines are none, and a record is one, whatever number of rows it gives."""
    gaps = b"\n\n" + lines("a", "b") + b"\n \n" + lines("c") + b"\n" + lines(*"def")
    (tmp_path / "a.jsonl").write_bytes(gaps)
    (tmp_path / "b.csv").write_bytes(b"text\ng\n\nh\ni\n")
    (tmp_path / "c.parquet").write_bytes(parquet(*"jkl"))
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(b"\n" + lines("m") + b"\n" + lines("n", "o")))
    for split, wanted in {
        "train[:3]": "abc",
        "train[2:5]": "cde",
        "train[5:8]": "fgh",
        "train[-2:]": "no",
        "train[-4:-1]": "lmn",
        "train[20%:40%]": "def",
        "train[7:11]": "hijk",
    }.items():
        for part_bytes in (1, 40, 1000):
            assert "".join(texts_of(source(dataset=str(tmp_path), split=split), part_bytes)) == wanted, split
    articles = tmp_path / "articles"
    articles.mkdir()
    asked = [{"question": f"{n}?", "answers": [{"text": "x"}]} for n in range(5)]
    article = {"title": "t", "paragraphs": [{"context": "x y", "qas": asked}]}
    (articles / "train.json").write_text(json.dumps({"data": [article] * 4}))
    read = source(kind="pair", format="squad", dataset=str(articles), split="train[:2]")
    assert len(rows_of(ingest(read))) == 10
    assert rows_of(ingest(read))[-1]["id"] == "s/train.json#1.4"


@pytest.mark.parametrize("line", ['{"path": "PATH", "split": "train[:1]"}', '{"url": "PATH", "revision": "main"}'])
def test_a_line_with_a_key_without_effect_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines("a", "b"))
    (tmp_path / "list.jsonl").write_text(line.replace("PATH", str(tmp_path / "a.jsonl")))
    with pytest.raises(InputError, match="has no effect with `path`: it goes with `dataset`"):
        survey(source(urls=str(tmp_path / "list.jsonl")), part_bytes=50)
    (tmp_path / "list.jsonl").write_text(str(tmp_path / "a.jsonl"))
    assert texts_of(source(urls=str(tmp_path / "list.jsonl"))) == ["a", "b"]
    with pytest.raises(InputError, match="`split` has no effect with `path`"):
        survey(source(urls=str(tmp_path / "list.jsonl"), split="train[:1]"), part_bytes=50)
    with pytest.raises(InputError, match="`revision` has no effect: the dataset is a folder"):
        survey(source(dataset=str(tmp_path), revision="main"), part_bytes=50)


bounds = st.none() | st.tuples(st.integers(-30, 30), st.just(False))


@given(bounds, bounds, st.integers(0, 20))
def test_a_slice_is_that_of_a_list(begin: Any, end: Any, total: int) -> None:
    first, last = Slice(begin, end).rows(total)
    wanted = list(range(total))[begin and begin[0] : end and end[0]]
    assert list(range(first, last)) == wanted


def test_a_delta_table_with_partitions_and_versions(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="the extra `delta` is not installed")
    table = str(tmp_path / "table")
    deltalake.write_deltalake(table, pa.table({"text": ["a", "b"], "year": [2024, 2025]}), partition_by=["year"])
    deltalake.write_deltalake(table, pa.table({"text": ["c"], "year": [2025]}), mode="append")
    parts = ingest(source(delta=table))
    assert sorted((row["messages"][0]["content"], row["metadata"]) for row in rows_of(parts)) == [
        ("a", '{"year":2024}'), ("b", '{"year":2025}'), ("c", '{"year":2025}'),
    ]  # fmt: skip
    assert sorted(texts_of(source(delta=table, version=0))) == ["a", "b"]
    deltalake.DeltaTable(table).delete("text = 'a'")
    assert sorted(texts_of(source(delta=table))) == ["b", "c"]
    with pytest.raises(InputError, match="cannot be opened"):
        survey(source(delta=str(tmp_path / "none")), part_bytes=50)
    with pytest.raises(InputError, match="cannot be opened"):
        survey(source(delta=table, version=99), part_bytes=50)


def _changed(table: str, **changes: Any) -> None:
    """Rewrite the first commit of a table, its actions updated."""
    commit = Path(table) / "_delta_log/00000000000000000000.json"
    actions = [json.loads(line) for line in commit.read_text().splitlines()]
    for action in actions:
        for kind, change in changes.items():
            if kind in action:
                action[kind].update(change)
    commit.write_text("".join(json.dumps(action) + "\n" for action in actions))


def test_a_delta_table_whose_files_hold_deleted_rows_is_refused(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="the extra `delta` is not installed")
    table = str(tmp_path / "table")
    deltalake.write_deltalake(table, pa.table({"text": ["a", "b"]}))
    features = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}
    protocol = {**features, "writerFeatures": ["deletionVectors"]}
    _changed(table, protocol=protocol, metaData={"configuration": {"delta.enableDeletionVectors": "true"}})
    assert sorted(texts_of(source(delta=table))) == ["a", "b"]  # allowed, and there are none
    # Both rows, in the table's log itself (Z85 of a bitmap of 0 and 1). The property is taken back, the vector stays.
    vector = {"storageType": "i", "pathOrInlineDv": "^Bg9^0rr910000000000iXQKl0rr91000315c8Xg00031"}
    add = {"deletionVector": {**vector, "sizeInBytes": 36, "cardinality": 2}}
    _changed(table, add=add, metaData={"configuration": {"delta.enableDeletionVectors": "false"}})
    with pytest.raises(InputError, match="deletion vectors, so its files alone"):
        survey(source(delta=table), part_bytes=50)


def test_a_delta_table_with_mapped_columns_is_refused_whatever_its_protocol(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="the extra `delta` is not installed")
    table = str(tmp_path / "table")
    deltalake.write_deltalake(table, pa.table({"text": ["a", "b"]}))
    mapped = {"delta.columnMapping.id": 1, "delta.columnMapping.physicalName": "col-1"}
    field = {"name": "text", "type": "string", "nullable": True, "metadata": mapped}
    about = {
        "configuration": {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "1"},
        "schemaString": json.dumps({"type": "struct", "fields": [field]}),
    }
    _changed(table, protocol={"minReaderVersion": 2, "minWriterVersion": 5}, metaData=about)
    with pytest.raises(InputError, match="the table has column mapping"):
        survey(source(delta=table), part_bytes=50)


def test_a_list_of_names_and_urls(hub: Store, tmp_path: Path) -> None:
    hub.dataset("org/one", {"train.jsonl": lines("a", "b")})
    hub.dataset("org/two", {"train.jsonl": lines("c", "d")})
    hub.files["/x.jsonl"] = lines("x")
    file = tmp_path / "huggingface_urls.jsonl"
    file.write_text(
        '"org/one"\n\n{"name": "org/two", "split": "train[1:]"}\n'
        f'{{"url": "{hub.url}/x.jsonl"}}\n{hub.url}/datasets/org/two\n'
    )
    read = source(urls=str(file))
    assert texts_of(read) == ["a", "b", "d", "x", "c", "d"]
    identities = [row["id"] for row in rows_of(ingest(read))]
    assert len(set(identities)) == 6
    assert identities[0] == "s/org/one/train.jsonl#0"
    for wrong in ("3\n", '{"nmae": "x"}\n', "{}\n", ""):
        file.write_text(wrong)
        with pytest.raises(InputError):
            survey(read, part_bytes=50)
