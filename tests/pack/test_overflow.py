"""Every token is trained, masked, truncated or dropped; the account is exact for every policy and length."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Bound
from pipeline.errors import InputError, StageError
from pipeline.pack.cut import keep, shares
from pipeline.pack.overflow import decide
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
    tokens = [place + 1000 * row for row, one in enumerate(loss) for place in range(len(one))]
    ids = [f"s/{n}" for n in range(len(loss))]
    return TokenRows([token_batch(ids, np.array(tokens, np.uint32), flat, lengths, 3 * lengths)])


Example = tuple[int, list[int], list[bool]]


def expected(loss: list[list[bool]], policy: str, method: str) -> list[Example]:
    """Row, token numbers and mask of every example, by the policies' definitions."""
    found: list[Example] = []
    for row, mask in enumerate(loss):
        places = list(range(len(mask)))
        if policy == "drop" and len(mask) > CAPACITY:
            continue
        if policy == "split":
            parts = [places[at : at + CAPACITY] for at in range(0, max(len(mask), 1), CAPACITY)]
        else:
            parts = [places[:CAPACITY] if method == "right" else places[max(0, len(mask) - CAPACITY) :]]
        for part in parts:
            own = [mask[place] and number > 0 for number, place in enumerate(part)]
            if any(own):
                found.append((row, part, own))
    return found


@given(masks, st.sampled_from(["truncate", "drop", "split"]), st.sampled_from(["right", "left"]))
@settings(deadline=None, max_examples=200)
def test_rows_and_tokens_are_conserved(
    loss: list[list[bool]], policy: Literal["truncate", "drop", "split"], method: Literal["right", "left"]
) -> None:
    loss = [[False, *mask[1:]] if mask else [] for mask in loss]  # the first token of a row is no target
    rows = rows_of(loss)
    fate = decide(rows.survey(), CAPACITY, policy, split="train", rows=rows, method=method)
    examples = expected(loss, policy, method)
    assert fate.rows.tolist() == [row for row, _, _ in examples]
    assert fate.lengths.tolist() == [len(part) for _, part, _ in examples]
    order = np.random.default_rng(len(loss)).permutation(len(examples))
    tokens, mask = fate.gather(rows, order)
    assert tokens.tolist() == [place + 1000 * examples[number][0] for number in order for place in examples[number][1]]
    assert mask.tolist() == [bit for number in order for bit in examples[number][2]]
    account = fate.account
    assert account.targets == sum(sum(own) for _, _, own in examples)
    assert account.masked == sum(len(own) - sum(own) for _, _, own in examples)
    assert account.examples == len(examples)
    kept = {row for row, _, _ in examples}
    assert account.rows == len(kept)
    assert sum(len(one) for one in loss) == (
        account.targets
        + account.masked
        + account.truncated_tokens
        + sum(one["tokens"] for one in account.dropped.values())
    )
    assert len(loss) == account.rows + sum(one["rows"] for one in account.dropped.values())
    with_end = {row for row, part, _ in examples if part[-1] == len(loss[row]) - 1}
    assert account.ends_lost == len(kept - with_end)
    assert policy == "truncate" or account.truncated_rows == 0
    assert account.split_rows == (sum(len(loss[row]) > CAPACITY for row in kept) if policy == "split" else 0)
    everything = np.concatenate([np.unique(fate.rows), *(one.rows for one in fate.dropped.values())])
    assert sorted(everything.tolist()) == list(range(len(loss)))


def test_shares_are_equal_and_the_first_fields_lose_one_more() -> None:
    assert shares(11, [100, 100, 100]) == [4, 4, 3]  # NeMo's value
    assert shares(11, [100, 2, 100]) == [5, 2, 4]
    assert shares(11, [1, 2, 3]) == [1, 2, 3]
    assert shares(0, [5]) == [0]
    assert shares(7, []) == []


@given(st.lists(st.integers(0, 9), max_size=5), st.integers(0, 30))
def test_shares_take_what_there_is_and_never_more(room: list[int], excess: int) -> None:
    lost = shares(excess, room)
    assert sum(lost) == min(excess, sum(room))
    assert all(0 <= one <= most for one, most in zip(lost, room, strict=True))
    able = [one for one, most in zip(lost, room, strict=True) if one < most]
    assert not able or max(able) - min(able) <= 1
    assert able == sorted(able, reverse=True)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 6)), max_size=3),
    st.integers(0, 9),
    st.integers(1, 12),
    st.sampled_from(["right", "left"]),
    st.integers(0, 1),
)
def test_what_is_kept_is_a_bin_full_in_order_and_fields_go_first(
    blocks: list[tuple[int, int]], tail: int, capacity: int, method: Literal["right", "left"], front: int
) -> None:
    fields, at = [], front
    for gap, size in blocks:
        fields.append((at + gap, at + gap + size))
        at += gap + size
    length = max(at + tail, capacity + 1)
    kept = [
        place
        for first, size in keep(length, capacity, fields, method, front=front)
        for place in range(first, first + size)
    ]
    assert len(kept) == capacity
    assert kept == sorted(set(kept))
    assert not kept or 0 <= kept[0] <= kept[-1] < length
    inside = {place for first, last in fields for place in range(first, last)}
    if length - capacity <= len(inside):
        assert set(range(length)) - inside <= set(kept)
    if front:
        assert kept[0] == 0
    elif method == "left" and length - capacity > len(inside):
        assert kept[-1] == length - 1 or length - 1 in inside


def test_fields_are_cut_before_the_answer_and_the_end_stays() -> None:
    lengths = np.array([19], np.int64)
    mask = np.array([False] * 13 + [True] * 6)
    fields = [[1, 5, 5, 9, 9, 13]]
    tokens = token_batch(["s/0"], np.arange(19, dtype=np.uint32), mask, lengths, lengths, fields)
    rows = TokenRows([tokens])
    for method, kept in (("right", [1, 5, 9]), ("left", [4, 8, 12])):
        fate = decide(rows.survey(), 10, "truncate", split="train", rows=rows, method=method)  # type: ignore[arg-type]
        found, loss = fate.gather(rows, np.array([0]))
        assert found.tolist() == [0, *kept, *range(13, 19)]
        assert loss.tolist() == [False] * 4 + [True] * 6
        assert fate.account.ends_lost == 0
        assert fate.account.truncated_tokens == 9


def test_left_leaves_the_begin_of_sequence_token() -> None:
    rows = TokenRows(
        [token_batch(["s/0"], np.arange(12, dtype=np.uint32), np.ones(12, np.bool_), np.array([12]), np.array([9]))]
    )
    fate = decide(rows.survey(), 5, "truncate", split="train", rows=rows, method="left", bos_id=0)
    assert fate.gather(rows, np.array([0]))[0].tolist() == [0, 8, 9, 10, 11]


def test_raise_names_the_first_long_row_and_how_many_there_are() -> None:
    rows = rows_of([[True] * 8, [True] * 9, [True] * 30])
    with pytest.raises(InputError) as caught:
        decide(rows.survey(), 8, "raise", split="validation", rows=rows)
    assert "2 rows" in str(caught.value)
    assert "has 9" in str(caught.value)
    assert "validation: row s/1" in str(caught.value)
    assert caught.value.exit_code == 2


def test_raise_lets_rows_that_fit_exactly_pass() -> None:
    rows = rows_of([[False] * 7 + [True], [False, True]])
    assert decide(rows.survey(), 8, "raise", split="train", rows=rows).account.rows == 2


def test_truncation_that_cuts_every_target_drops_the_row() -> None:
    rows = rows_of([[False] * 8 + [True], [True] * 9])
    fate = decide(rows.survey(), 8, "truncate", split="train", rows=rows)
    assert fate.dropped["no_target"].rows.tolist() == [0]
    assert (fate.account.truncated_rows, fate.account.truncated_tokens) == (1, 1)


def test_an_account_that_does_not_add_up_is_refused() -> None:
    rows = rows_of([[False, True], [False, True]])
    found = decide(rows.survey(), 8, "truncate", split="train", rows=rows).account
    account = replace(found, tokens_in=9, targets=3, masked=5)
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
    survey = Survey(lengths=lengths, targets=lengths, characters=characters)
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
