"""What holds for every operation of the engine: any column, any cut of it, any bytes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import CLEANERS, ENTITIES, Engine, cpu, engine_for
from pipeline.engines.columns import to_arrow
from pipeline.gpus import choose
from pipeline.schema import MESSAGES
from tests.text.cases.rows import ROWS
from tests.text.columns import HOSTILE, column

TEXTS = [row.decode("utf-8", "replace") for row in ROWS]


def flat(result: Any) -> list[Any]:
    """A result as one list with an entry a row."""
    if isinstance(result, dict):
        columns = [[None if value != value else value for value in values.tolist()] for values in result.values()]
        return list(zip(*columns, strict=True))  # None for NaN, which does not equal itself
    if isinstance(result, tuple):
        return list(zip(*(flat(part) for part in result), strict=True))
    return result.to_pylist() if isinstance(result, pa.Array) else result.tolist()


OPERATIONS: dict[str, Callable[[pa.LargeStringArray], Any]] = {
    "clean": lambda texts: cpu.clean(texts, [c for c in CLEANERS if c != "c4_lines"]),
    "redact": lambda texts: cpu.redact(texts, ENTITIES),
    "signals": cpu.signals,
    "normalise": cpu.normalise,
    "digest": cpu.digest,
    "sketch": lambda texts: cpu.sketch(texts, values=16),
}
every_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=list(OPERATIONS))


@every_operation
def test_an_empty_column(operation: Callable[[pa.LargeStringArray], Any]) -> None:
    assert flat(operation(column([]))) == []
    assert flat(operation(column(TEXTS)[3:3])) == []
    assert flat(operation(pa.chunked_array([], pa.large_string()).combine_chunks())) == []
    assert len(flat(operation(column(["", ""])))) == 2


@every_operation
def test_a_row_s_result_depends_on_that_row_alone(operation: Callable[[pa.LargeStringArray], Any]) -> None:
    """Not on the order of rows, nor on where a part is cut, nor on a slice's offset."""
    whole = flat(operation(column(TEXTS)))
    order = list(range(len(TEXTS)))
    random.Random(0).shuffle(order)
    assert flat(operation(column([TEXTS[i] for i in order]))) == [whole[i] for i in order]
    for size in (1, 3, 5):
        cut = [operation(column(TEXTS)[i : i + size]) for i in range(0, len(TEXTS), size)]
        assert [row for part in cut for row in flat(part)] == whole


@every_operation
@settings(max_examples=60, deadline=None)
@given(st.lists(HOSTILE, min_size=1, max_size=4))
def test_a_slice_is_its_copy(operation: Callable[[pa.LargeStringArray], Any], texts: list[str]) -> None:
    padded = column(["before", *texts, "after"])[1:-1]
    assert flat(operation(padded)) == flat(operation(column(texts)))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=5), st.binary(max_size=5))
def test_bytes_that_are_no_utf8_neither_hang_nor_look_outside(row: bytes, before: bytes, after: bytes) -> None:
    """The kernels themselves, between neighbours that would complete a cut-off character or number."""
    for left, right in ((before, after), (b"5.\xe2\x80", b"\xa8\x80@a.org"), (b"", b"")):
        buffer = np.frombuffer(left + row + right, np.uint8).copy()
        middle = to_arrow(buffer, np.array([0, len(left), len(left) + len(row), len(buffer)], np.int64))[1:2]
        alone = to_arrow(np.frombuffer(row, np.uint8).copy(), np.array([0, len(row)], np.int64))
        for operation in (
            lambda texts: cpu.clean(texts, ("newlines", "whitespace")),
            lambda texts: cpu.redact(texts, ENTITIES),
            cpu.signals,
            lambda texts: cpu.digest(texts, normalised=True),
            lambda texts: cpu.sketch(texts, values=16),
        ):
            assert raw(operation(middle)) == raw(operation(alone))


def raw(result: Any) -> list[bytes]:
    """A result's bytes, which need not be text."""
    if isinstance(result, pa.Array):
        return [value.as_buffer().to_pybytes() for value in result.cast(pa.large_binary())]
    if isinstance(result, tuple):
        return [piece for part in result for piece in raw(part)]
    values = result.values() if isinstance(result, dict) else [result]
    return [array.tobytes() for array in values]


@every_operation
def test_a_row_of_5_megabytes(operation: Callable[[pa.LargeStringArray], Any]) -> None:
    long = "A line with a\u00a0mail a@b.org, 8.8.8.8 and more words.\r\n" * 100_000
    results = flat(operation(column(["short", long, "short"])))
    assert len(results) == 3
    assert results[0] == results[2] != results[1]


def test_a_text_column_is_large_string_without_nulls_in_one_chunk() -> None:
    assert cpu.clean(pa.array(["a\r"]), ["newlines", "whitespace"]).to_pylist() == ["a"]  # `string` is widened
    with pytest.raises(ValueError, match="1 of 2 texts are null"):
        cpu.signals(pa.array(["a", None], pa.large_string()))
    with pytest.raises(TypeError, match="not ChunkedArray"):
        cpu.signals(pa.chunked_array([["a"]], pa.large_string()))
    with pytest.raises(TypeError, match="not Int64Array"):
        cpu.signals(pa.array([1]))


def test_join_puts_a_blank_line_between_messages() -> None:
    rows = [["a", "b\n", ""], [], ["ü"], [""], ["x", "y"]]
    messages = pa.array([[{"role": "r", "content": c, "extra": None} for c in row] for row in rows], MESSAGES)
    texts = ["\n\n".join(row) for row in rows]
    assert cpu.join(messages).to_pylist() == texts
    assert cpu.join(messages).type == pa.large_string()
    for first in range(len(rows)):
        for last in range(first, len(rows) + 1):
            assert cpu.join(messages[first:last]).to_pylist() == texts[first:last]
    # The child array of a taken or filtered column may itself be a slice.
    inner = messages.flatten()[2:5]
    sliced = pa.ListArray.from_arrays(pa.array([0, 1, 3], pa.int32()), inner)
    assert cpu.join(sliced).to_pylist() == ["", "ü\n\n"]


def test_what_is_returned_is_valid_arrow() -> None:
    for texts in (TEXTS, [], [""]):
        for result in (cpu.clean(column(texts), CLEANERS), cpu.redact(column(texts), ENTITIES)[0]):
            result.validate(full=True)
            assert result.type == pa.large_string()


def test_engine_for() -> None:
    engine: Engine = engine_for("cpu")
    assert engine.normalise(column(["A"])).to_pylist() == ["a"]
    if choose("auto").device == "cpu":
        assert engine_for("auto") is engine
    else:  # a machine with a GPU that can be used
        from pipeline.engines import cuda

        assert engine_for("auto") is engine_for("cuda") is cuda
