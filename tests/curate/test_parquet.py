"""Parts are written table by table, in their order, and small tables share a row group."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.curate.parquet import parquet_part

SCHEMA = pa.schema({"id": pa.int64(), "text": pa.large_string()})


def table(*ids: int, size: int = 1) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64()), "text": pa.array(["x" * size] * len(ids))}, schema=SCHEMA)


def test_small_tables_share_a_row_group_and_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    with parquet_part(path, SCHEMA) as part:
        for some in (table(0, 1), table(), table(2), table(3, size=2 << 20), table(4), table(5, 6)):
            part.write(some)
        assert part.rows == 7
    with pq.ParquetFile(path) as file:
        groups = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
        assert groups == [3, 1, 3]
        assert file.read()["id"].to_pylist() == list(range(7))


def test_nothing_is_there_of_a_part_that_raises(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"

    def failing() -> None:
        with parquet_part(path, SCHEMA) as part:
            part.write(table(0))
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert not list(tmp_path.iterdir())
