"""Blends: weights kept to the row, everything shuffled, no row lost or made unsaid."""

from __future__ import annotations

from collections import Counter
from math import gcd
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.config import Blend, Recipe
from pipeline.errors import InputError
from pipeline.mixing import shuffled
from pipeline.pack import pack
from pipeline.pack.bins import Bins
from pipeline.pack.blend import Blended, blended, counts_of
from pipeline.pack.overflow import Fate, decide
from pipeline.pack.tokens import TokenRows, token_batch

from .conftest import curate, make_recipe, row

NAMES = ("a", "b", "c")


def split_of(held: dict[str, int], capacity: int = 4) -> tuple[TokenRows, Fate]:
    """Rows of 2 … 5 tokens, of which those of 5 are truncated and every seventh trains nothing."""
    ids = [f"{name}/f#{number}" for name in held for number in range(held[name])]
    lengths = 2 + np.arange(len(ids)) % 4
    loss = np.repeat(np.arange(len(ids)) % 7 != 6, lengths)
    loss[np.cumsum(lengths) - lengths] = False  # the first token of a row is no target
    rows = TokenRows([token_batch(ids, np.ones(lengths.sum(), np.uint32), loss, lengths, lengths)])
    return rows, decide(rows.survey(), capacity, "truncate", split="train", rows=rows)


def blend_of(
    held: dict[str, int], weights: dict[str, int], exhausted: str, seed: int = 0
) -> tuple[TokenRows, Fate, Blended]:
    rows, fate = split_of(held)
    blend = Blend.model_validate({"weights": weights, "exhausted": exhausted})
    return rows, fate, blended(fate, rows.survey(), rows, blend, seed=seed)


held = st.fixed_dictionaries({name: st.integers(0, 60) for name in NAMES})
weights = st.fixed_dictionaries({name: st.integers(0, 9) for name in NAMES}).filter(lambda one: any(one.values()))


@settings(deadline=None, max_examples=50)
@given(held, weights, st.sampled_from(["stop", "repeat"]), st.integers(0, 3))
def test_a_blend_is_exact_and_loses_nothing(
    held: dict[str, int], weights: dict[str, int], exhausted: str, seed: int
) -> None:
    try:
        rows, fate, made = blend_of(held, weights, exhausted, seed)
    except InputError:
        assume(False)
    taken = Counter(identity.split("/")[0] for identity in rows.ids(made.fate.rows).to_pylist())
    divisor = gcd(*weights.values())
    times = {taken[name] * divisor / weights[name] for name in NAMES if weights[name]}
    assert len(times) == 1  # the same multiple of every weight
    assert not any(taken[name] for name in NAMES if not weights[name])
    account = made.fate.account
    account.check("train")
    assert account.rows - account.repeated_rows + account.dropped["blend"]["rows"] == len(fate.rows)
    assert set(made.fate.rows) | set(made.fate.dropped["blend"].rows) == set(fate.rows)
    often = Counter(made.fate.rows.tolist())
    for name in NAMES:
        mine = [often[row] for row, identity in zip(fate.rows.tolist(), rows.ids(fate.rows).to_pylist(), strict=True)
                if identity.startswith(f"{name}/")]  # fmt: skip
        assert max(mine, default=0) - min(mine, default=0) <= 1
        if exhausted == "repeat" and weights[name]:
            assert min(mine, default=1) >= 1
    if exhausted == "stop":
        assert account.repeated_rows == 0
        scarce = [name for name in NAMES if weights[name] and made.sources[name]["dropped"] < weights[name] // divisor]
        assert scarce  # one more round would not fit
    tokens, loss = made.fate.slices.gather(rows)
    assert (len(tokens), int(loss.sum())) == (account.tokens, account.targets)


def test_a_blend_shuffles_everything_by_the_seed() -> None:
    held = {"a": 3000, "b": 3000}
    rows, _, made = blend_of(held, {"a": 1, "b": 1}, "stop", seed=1)
    again = blend_of(held, {"a": 1, "b": 1}, "stop", seed=1)[2]
    other = blend_of(held, {"a": 1, "b": 1}, "stop", seed=2)[2]
    assert np.array_equal(made.fate.rows, again.fate.rows)
    assert not np.array_equal(made.fate.rows, other.fate.rows)
    # No buffer: the first hundred rows come from all over the split, and from both sources.
    first = np.sort(made.fate.rows[:100])
    assert first[0] < 300
    assert first[-1] > 5700
    assert 30 < sum(identity.startswith("a") for identity in rows.ids(first).to_pylist()) < 70


def test_a_source_too_small_for_its_weight_is_refused() -> None:
    blend = Blend(weights={"a": 10, "b": 3})
    with pytest.raises(InputError, match="source b has 2 rows to train on, too few for its weight of 3"):
        counts_of({"a": 50, "b": 2}, blend)
    with pytest.raises(InputError, match="source b has 0 rows"):
        counts_of({"a": 50, "b": 0}, blend.model_copy(update={"exhausted": "repeat"}))
    assert counts_of({"a": 50, "b": 2}, blend.model_copy(update={"exhausted": "repeat"})) == {"a": 50, "b": 15}
    assert counts_of({"a": 1000, "b": 1000}, Blend(weights={"a": 30, "b": 70})) == {"a": 426, "b": 994}


@given(st.integers(0, 200), st.integers(0, 2**63 - 1))
def test_a_shuffle_holds_every_number_once(count: int, seed: int) -> None:
    assert sorted(shuffled(count, seed).tolist()) == list(range(count))


@pytest.mark.parametrize("exhausted", ["stop", "repeat"])
def test_the_bins_hold_the_blend_and_every_row_is_counted(tmp_path: Path, exhausted: str) -> None:
    keys = make_recipe(tmp_path, seq_length=64).model_dump(mode="json")
    keys["sources"] = [{"name": name, "kind": "pair", "target": "any:thing"} for name in ("few", "many")]
    keys["blend"] = {"weights": {"few": 2, "many": 3}, "exhausted": exhausted}
    recipe = Recipe.model_validate(keys)
    held = {"few": 10, "many": 90}
    given = [
        row(
            number,
            [("user", f"What is {number}?"), ("assistant", f"It is {number}.")],
            source=name,
            id=f"{name}/f#{number}",
        )
        for name, count in held.items()
        for number in range(count)
    ]
    run = curate(recipe, {"train": given, "validation": given[:5]})
    manifest = pack(run, recipe)
    bins = Bins.open(run.path("packed/train"))
    found = Counter(identity for index in range(len(bins)) for identity in bins.get(index)[3])
    sources = Counter({name: sum(n for one, n in found.items() if one.startswith(f"{name}/")) for name in held})
    assert sources == ({"few": 10, "many": 15} if exhausted == "stop" else {"few": 60, "many": 90})
    dropped = pq.read_table(run.path("packed/dropped/part-00000.parquet"))
    assert set(dropped["rule"].to_pylist()) == ({"blend"} if exhausted == "stop" else set())
    assert {*found, *dropped["id"].to_pylist()} == {one["id"] for one in given}
    assert manifest.summary["blend"]["many"] == {
        "weight": 3, "rows": 90, "taken": sources["many"], "dropped": 90 - sources["many"],
    }  # fmt: skip
    assert manifest.summary["splits"]["train"]["repeated"]["rows"] == (0 if exhausted == "stop" else 50)
    assert manifest.summary["splits"]["validation"]["rows"] == 5
    assert manifest.rows is not None
    assert manifest.rows["dropped"] == len(dropped)


def test_the_order_of_the_weights_changes_nothing() -> None:
    held = {"a": 50, "b": 40, "c": 30}
    given = {"a": 3, "b": 2, "c": 1}
    _, _, one = blend_of(held, given, "stop")
    _, _, other = blend_of(held, dict(reversed(given.items())), "stop")
    assert np.array_equal(one.fate.rows, other.fate.rows)
    assert np.array_equal(one.fate.dropped["blend"].rows, other.fate.dropped["blend"].rows)
