"""Every token is trained, masked, truncated or dropped; the account is exact for every policy and length."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Bound
from pipeline.errors import InputError, StageError
from pipeline.pack.overflow import Account, decide
from pipeline.pack.tokens import Survey, TokenRows, token_batch

CAPACITY = 8

masks = st.lists(
    st.sampled_from([0, 1, CAPACITY - 1, CAPACITY, CAPACITY + 1, 3 * CAPACITY]).flatmap(
        lambda length: st.lists(st.booleans(), min_size=length, max_size=length)
    ),
    max_size=20,
)


def rows_of(loss: list[list[bool]]) -> TokenRows:
    lengths = np.array([len(one) for one in loss], np.int64)
    flat = np.array([bit for one in loss for bit in one], np.bool_)
    ids = [f"s/{n}" for n in range(len(loss))]
    return TokenRows([token_batch(ids, flat.astype(np.uint32), flat, lengths, 3 * lengths)])


@given(masks, st.sampled_from(["truncate", "drop"]))
@settings(deadline=None, max_examples=200)
def test_rows_and_tokens_are_conserved(loss: list[list[bool]], policy: Literal["truncate", "drop"]) -> None:
    rows = rows_of(loss)
    fate = decide(rows.survey(CAPACITY), CAPACITY, policy, split="train", rows=rows)
    account = fate.account
    kept = [one[:CAPACITY] for one in loss if any(one[:CAPACITY]) and (policy == "truncate" or len(one) <= CAPACITY)]
    assert fate.lengths.tolist() == [len(one) for one in kept]
    assert account.targets == sum(sum(one) for one in kept)
    assert account.masked == sum(len(one) - sum(one) for one in kept)
    assert sum(len(one) for one in loss) == (
        account.targets
        + account.masked
        + account.truncated_tokens
        + sum(one["tokens"] for one in account.dropped.values())
    )
    assert len(loss) == account.rows + sum(one["rows"] for one in account.dropped.values())
    assert policy == "truncate" or account.truncated_rows == 0
    everything = np.concatenate([fate.rows, *(one.rows for one in fate.dropped.values())])
    assert sorted(everything.tolist()) == list(range(len(loss)))


def test_raise_names_the_first_long_row_and_how_many_there_are() -> None:
    rows = rows_of([[True] * 8, [True] * 9, [True] * 30])
    with pytest.raises(InputError) as caught:
        decide(rows.survey(8), 8, "raise", split="validation", rows=rows)
    assert "2 rows" in str(caught.value)
    assert "has 9" in str(caught.value)
    assert "validation: row s/1" in str(caught.value)
    assert caught.value.exit_code == 2


def test_raise_lets_rows_that_fit_exactly_pass() -> None:
    rows = rows_of([[False] * 7 + [True], [False, True]])
    assert decide(rows.survey(8), 8, "raise", split="train", rows=rows).account.rows == 2


def test_truncation_that_cuts_every_target_drops_the_row() -> None:
    rows = rows_of([[False] * 8 + [True], [True] * 9])
    fate = decide(rows.survey(8), 8, "truncate", split="train", rows=rows)
    assert fate.dropped["no_target"].rows.tolist() == [0]
    assert (fate.account.truncated_rows, fate.account.truncated_tokens) == (1, 1)


def test_an_account_that_does_not_add_up_is_refused() -> None:
    account = Account(
        rows_in=2, tokens_in=9, rows=2, targets=3, masked=5, truncated_rows=0, truncated_tokens=0, dropped={}
    )
    with pytest.raises(StageError, match="2 rows and 9 tokens came in, 2 and 8"):
        account.check("train")


def test_survey_is_what_decide_reads() -> None:
    survey = Survey(lengths=np.array([4]), targets=np.array([0]), characters=np.array([9]))
    fate = decide(survey, 8, "truncate", split="train", rows=rows_of([[False] * 4]))
    assert fate.account.dropped["no_target"] == {"rows": 1, "tokens": 4}


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 60)), max_size=20),
    st.one_of(st.none(), st.floats(0, 4)),
    st.one_of(st.none(), st.floats(4.5, 9)),
)
@settings(deadline=None, max_examples=100)
def test_rows_outside_the_bound_on_fertility_are_dropped(
    rows: list[tuple[int, int]], low: float | None, high: float | None
) -> None:
    lengths, characters = (np.array([row[k] for row in rows], np.int64) for k in (0, 1))
    parts = rows_of([[True] * n for n in lengths])
    survey = Survey(lengths=lengths, targets=np.minimum(lengths, CAPACITY), characters=characters)
    bound = None if low is None and high is None else Bound(min=low, max=high)
    fate = decide(survey, CAPACITY, "truncate", bound, split="train", rows=parts)
    expected = [
        n
        for n, (tokens, size) in enumerate(rows)
        if (value := size / tokens if tokens else 0.0) < (low or 0.0) or value > (9e9 if high is None else high)
    ]
    dropped = fate.dropped["fertility"]
    assert dropped.rows.tolist() == expected
    for row, value, threshold in zip(*dropped, strict=True):
        assert value == (characters[row] / lengths[row] if lengths[row] else 0.0)
        assert threshold in (low, high)
        assert value < threshold if threshold == low else value > threshold
