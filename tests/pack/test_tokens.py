"""Token parts: what is gathered is what was written, however the rows lie over batches and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.pack.tokens import TOKENS, TokenRows, token_batch


@pytest.fixture
def written(tmp_path: Path) -> tuple[TokenRows, list[tuple[str, list[int], list[bool]]]]:
    """50 rows of 0 to 40 tokens over 3 files of 1, 2 and 4 batches."""
    draw = np.random.default_rng(7)
    rows = []
    for file, batches in enumerate([1, 2, 4]):
        with pa.ipc.new_file(tmp_path / f"part-{file:05d}.arrow", TOKENS) as writer:
            for _ in range(batches):
                lengths = draw.integers(0, 41, 7).astype(np.int64)
                tokens = draw.integers(0, 2**32, lengths.sum(), dtype=np.uint32)
                loss = draw.random(lengths.sum()) < 0.5
                ids = [f"s/{len(rows) + number}" for number in range(7)]
                writer.write_batch(token_batch(ids, tokens, loss, lengths, 3 * lengths))
                ends = np.cumsum(lengths)
                for row, end, length in zip(ids, ends, lengths, strict=True):
                    rows.append((row, tokens[end - length : end].tolist(), loss[end - length : end].tolist()))
    return TokenRows.open(tmp_path), rows


def test_rows_come_back_in_any_order_and_cut(
    written: tuple[TokenRows, list[tuple[str, list[int], list[bool]]]],
) -> None:
    parts, rows = written
    assert len(parts) == len(rows) == 49
    wanted = np.random.default_rng(1).permutation(len(rows))[:30]
    lengths = np.array([min(11, len(rows[row][1])) for row in wanted], np.int64)
    tokens, loss = parts.gather(wanted, lengths)
    expected = [rows[row] for row in wanted]
    assert tokens.tolist() == [t for (_, own, _), n in zip(expected, lengths, strict=True) for t in own[:n]]
    assert loss.tolist() == [t for (_, _, own), n in zip(expected, lengths, strict=True) for t in own[:n]]
    assert parts.ids(wanted).to_pylist() == [row for row, _, _ in expected]


def test_survey_counts_tokens_and_targets(
    written: tuple[TokenRows, list[tuple[str, list[int], list[bool]]]],
) -> None:
    parts, rows = written
    survey = parts.survey()
    assert survey.lengths.tolist() == [len(tokens) for _, tokens, _ in rows]
    assert survey.targets.tolist() == [sum(loss) for _, _, loss in rows]


def test_a_split_without_parts_has_no_rows(tmp_path: Path) -> None:
    parts = TokenRows.open(tmp_path)
    none = np.empty(0, np.int64)
    assert len(parts) == 0
    assert len(parts.survey().lengths) == 0
    assert len(parts.gather(none, none)[0]) == 0
    assert parts.ids(none).to_pylist() == []
