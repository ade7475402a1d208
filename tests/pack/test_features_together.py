"""Split rows, padding multiples and a blend at once: bins hold exactly the rows' pieces, and every number adds up."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import Blend, Recipe
from pipeline.errors import InputError
from pipeline.pack import pack
from pipeline.pack.bins import Bins
from pipeline.pack.blend import blended
from pipeline.pack.lineage import trace
from pipeline.pack.overflow import decide
from pipeline.pack.slices import Slices
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.pack.tokens import TokenRows, token_batch
from pipeline.report.packing import read_packing

from .conftest import curate, make_recipe, row

SLOTS, MULTIPLE = 24, 4


@pytest.mark.parametrize("exhausted", ["repeat", "stop"])
def test_split_rows_blended_into_bins_of_padded_examples(tmp_path: Path, exhausted: str) -> None:
    keys = make_recipe(
        tmp_path, vocab_size=320, seq_length=SLOTS, overflow="split", pad_to_multiple_of=MULTIPLE
    ).model_dump(mode="json")
    keys["sources"] = [{"name": name, "kind": "text", "target": "any:thing"} for name in ("few", "many")]
    keys["blend"] = {"weights": {"few": 2, "many": 3}, "exhausted": exhausted}
    recipe = Recipe.model_validate(keys)
    given = [
        row(
            number,
            [("text", " ".join(f"{name}{number}x{word}" for word in range(number % 9)) or "-")],
            kind="text",
            source=name,
            id=f"{name}/f#{number}",
        )
        for name, count in {"few": 5, "many": 30}.items()
        for number in range(count)
    ]
    run = curate(recipe, {"train": given, "validation": given[:4]})
    manifest = pack(run, recipe)
    about = manifest.summary["splits"]["train"]
    bins, tokenizer = Bins.open(run.path("packed/train")), load_tokenizer(run.path("tokenizer"))
    rows = TokenRows.open(run.path("tokens/train"))
    numbers = np.arange(len(rows))
    lengths = rows.survey().lengths
    whole = dict(
        zip(
            rows.ids(numbers).to_pylist(),
            np.split(rows.gather(numbers, lengths)[0], np.cumsum(lengths)[:-1]),
            strict=True,
        )
    )
    found: dict[str, Counter[tuple[int, ...]]] = defaultdict(Counter)
    tokens = targets = 0
    for index in range(len(bins)):
        one = bins.get(index)
        ends = [*one.starts[1:].tolist(), len(one.tokens)]
        sizes = [end - begin for begin, end in zip(one.starts.tolist(), ends, strict=True)]
        assert sum(-(-size // MULTIPLE) * MULTIPLE for size in sizes) <= SLOTS
        assert not one.loss[one.starts].any()
        tokens, targets = tokens + len(one.tokens), targets + int(one.loss.sum())
        for begin, end, identity in zip(one.starts.tolist(), ends, one.rows, strict=True):
            found[identity][tuple(one.tokens[begin:end].tolist())] += 1
    # Each row is there as all its pieces (less those of one token, which has no context), each equally often.
    for identity, pieces in found.items():
        ids = whole[identity].tolist()
        cut = [tuple(ids[at : at + SLOTS]) for at in range(0, len(ids), SLOTS)]
        cut = [piece for piece in cut if len(piece) > 1]
        assert pieces.keys() == set(cut)
        assert len({pieces[piece] / cut.count(piece) for piece in cut}) == 1
        if sum(map(len, cut)) == len(ids):  # nothing is missing: the text comes back
            text = given[[one["id"] for one in given].index(identity)]["messages"][0]["content"]
            assert text in tokenizer.decode([token for piece in cut for token in piece])
    dropped = pq.read_table(run.path("packed/dropped/part-00000.parquet")).to_pylist()
    assert found.keys() | {one["id"] for one in dropped} == {one["id"] for one in given}
    assert about["split_rows"] > 0
    assert (about["repeated"]["rows"] > 0) == (exhausted == "repeat")
    # The equations, from what was counted here.
    lost = [sum(one[key] for one in about["dropped"].values()) for key in ("rows", "tokens")]
    assert (about["targets"], about["masked"]) == (targets, tokens - targets)
    assert about["rows_in"] == len(given) == about["rows"] - about["repeated"]["rows"] + lost[0]
    assert about["tokens_in"] == int(lengths.sum())
    assert about["tokens_in"] == tokens - about["repeated"]["tokens"] + about["truncated"]["tokens"] + lost[1]
    assert about["slots"] == SLOTS * len(bins) == targets + about["masked"] + about["padded"]
    assert about["examples"] == sum(pieces.total() for pieces in found.values())
    assert about["repeated"]["tokens"] == tokens - sum(len(piece) for one in found.values() for piece in one)
    # The page's two tables, and the way back from a token of a split row's later piece.
    packing = read_packing(run)
    assert packing is not None
    shown = packing["train"]
    assert (shown.rows, shown.lower_bound) == (len(found), about["lower_bound"])
    assert shown.tokens - shown.repeated_tokens + shown.truncated_tokens + shown.dropped_tokens == about["tokens_in"]
    later = 0
    for index in range(len(bins)):
        for offset, token in list(enumerate(bins.get(index).tokens.tolist()))[:: 1 + len(bins)]:
            origin = trace(run, recipe, f"{index}:{offset}")
            assert origin.token == token == whole[origin.row][origin.place]
            later += origin.place >= SLOTS
    assert later


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.booleans(), max_size=20)), min_size=1, max_size=20),
    st.sampled_from(["split", "truncate", "drop"]),
    st.sampled_from(["left", "right"]),
    st.sampled_from(["stop", "repeat"]),
)
def test_a_blend_of_cut_and_split_rows_counts_what_it_holds(
    given: list[tuple[str, list[bool]]], policy: str, method: str, exhausted: str
) -> None:
    masks = [[False, *mask[1:]] if mask else [] for _, mask in given]
    lengths = np.array([len(mask) for mask in masks], np.int64)
    flat = np.array([bit for mask in masks for bit in mask], np.bool_)
    ids = [f"{name}/f#{number}" for number, (name, _) in enumerate(given)]
    rows = TokenRows([token_batch(ids, np.arange(lengths.sum(), dtype=np.uint32), flat, lengths, lengths)])
    survey = rows.survey()
    fate = decide(survey, 6, policy, split="train", rows=rows, method=method)  # type: ignore[arg-type]
    blend = Blend.model_validate({"weights": {"a": 2, "b": 1}, "exhausted": exhausted})
    try:
        made, _ = blended(fate, survey, rows, blend, seed=3)
    except InputError:
        return
    account = made.account  # `blended` has checked that rows and tokens add up
    tokens, loss = made.slices.gather(rows)
    assert (len(tokens), int(loss.sum()), len(made.rows)) == (account.tokens, account.targets, account.examples)
    assert made.targets.sum() == account.targets
    first = np.cumsum(lengths) - lengths
    ended = {int(end) for end in (first + lengths - 1)[np.unique(made.rows)]} & set(tokens.tolist())
    kept = set(made.rows.tolist())
    assert account.ends_lost == len(kept) - len(ended)
    assert account.repeated_tokens == len(tokens) - len(set(tokens.tolist()))
    assert account.truncated_rows == (sum(lengths[number] > 6 for number in kept) if policy == "truncate" else 0)
    assert account.split_rows == (sum(lengths[number] > 6 for number in kept) if policy == "split" else 0)


@given(st.lists(st.integers(0, 5), max_size=8), st.lists(st.integers(0, 3), min_size=6, max_size=6))
def test_slices_are_taken_in_any_order_and_cut_like_lists(order: list[int], stretches: list[int]) -> None:
    rows = TokenRows(
        [
            token_batch(
                [f"s/{n}" for n in range(6)],
                np.arange(60, dtype=np.uint32),
                np.ones(60, np.bool_),
                np.full(6, 10),
                np.full(6, 10),
            )
        ]
    )
    parts = [[(3 * n, 2) for n in range(count)] for count in stretches]
    flat = [(owner, *one) for owner, mine in enumerate(parts) for one in mine]
    owner, begin, size = np.array(flat, np.int64).reshape(-1, 3).T
    slices = Slices(np.arange(6), np.array([2 * len(mine) or 4 for mine in parts]), owner, begin, size)
    wanted = [[10 * row + at + n for at, count in parts[row] or [(0, 4)] for n in range(count)] for row in range(6)]
    taken = slices.take(np.array(order, np.int64))
    assert taken.gather(rows)[0].tolist() == [token for number in order for token in wanted[number]]
    inner = taken.part(len(order) // 3, len(order) - len(order) // 3)
    inside = order[len(order) // 3 : len(order) - len(order) // 3]
    assert inner.gather(rows)[0].tolist() == [token for number in inside for token in wanted[number]]
    assert inner.ends().tolist() == [wanted[number][-1] - 10 * number + 1 for number in inside]
