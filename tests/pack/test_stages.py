"""The two stages on real rows: conserved, true to the text, the same bytes however they were made, resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedTokenizerBase

from pipeline import fingerprint
from pipeline.config import Recipe
from pipeline.errors import InputError, RunDirectoryError
from pipeline.pack import pack, plan, plan_tokens, tokenise, tokens_stage, write
from pipeline.pack.bins import Bins
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.recipe import dump_recipe
from pipeline.run import Manifest, RunDirectory
from pipeline.schema import LEDGER, SPLITS

from .conftest import Row, curate, make_recipe, row, split_up


def examples(run: RunDirectory, split: str) -> dict[str, tuple[list[int], list[bool]]]:
    """Row id → tokens and loss, out of the bins."""
    found: dict[str, tuple[list[int], list[bool]]] = {}
    bins = Bins.open(run.path(f"packed/{split}"))
    for index in range(len(bins)):
        tokens, loss, starts, rows = bins.get(index)
        assert starts[0] == 0
        for name, own, mask in zip(rows, np.split(tokens, starts[1:]), np.split(loss, starts[1:]), strict=True):
            assert name not in found
            found[name] = own.tolist(), mask.tolist()
    return found


def made(run: RunDirectory) -> dict[str, str]:
    """Every file of the two stages, by content."""
    return {
        str(path.relative_to(run.root)): fingerprint.of_file(path)
        for folder in ("tokens", "tokenizer", "packed")
        for path in sorted(run.path(folder).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def packed(rows: list[Row], tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, Recipe, Manifest]:
    recipe = make_recipe(tmp_path_factory.mktemp("packed"), seq_length=4096)
    run = curate(recipe, split_up(rows))
    return run, recipe, pack(run, recipe)


def test_every_row_is_in_one_bin_or_dropped_with_its_reason(
    packed: tuple[RunDirectory, Recipe, Manifest], rows: list[Row]
) -> None:
    run, _, manifest = packed
    dropped = pq.read_table(run.path("packed/dropped/part-00000.parquet"))
    assert dropped.schema.equals(LEDGER)
    in_bins = [name for split in SPLITS for name in examples(run, split)]
    assert sorted([*in_bins, *dropped["id"].to_pylist()]) == sorted(row["id"] for row in rows)
    assert manifest.rows == {"in": len(rows), "kept": len(in_bins), "dropped": dropped.num_rows, "rejected": 0}
    for split, mine in split_up(rows).items():
        assert set(examples(run, split)) <= {row["id"] for row in mine}


def test_packed_tokens_decode_to_the_curated_text(
    packed: tuple[RunDirectory, Recipe, Manifest], rows: list[Row]
) -> None:
    run, _, manifest = packed
    tokenizer = load_tokenizer(run.path("tokenizer"))
    texts = {row["id"]: row for row in rows}
    whole = 0
    for split in SPLITS:
        for name, (tokens, loss) in examples(run, split).items():
            messages = [message["content"] for message in texts[name]["messages"]]
            trained = _decode(tokenizer, [token for token, target in zip(tokens, loss, strict=True) if target])
            if len(tokens) == 4096:  # cut: its end is not there, and not pretended to be
                assert tokens[-1] != tokenizer.eos_token_id
                continue
            whole += 1
            if texts[name]["kind"] == "pair":
                assert trained == messages[1] + "<|im_end|>"
                assert _decode(tokenizer, tokens) == (
                    f"<|im_start|>user\n{messages[0]}<|im_end|>\n<|im_start|>assistant\n{messages[1]}<|im_end|>"
                )
            else:
                assert _decode(tokenizer, tokens) == messages[0] + "<|endoftext|>"
                assert loss == [False, *[True] * (len(tokens) - 1)]
    assert whole > 150
    assert manifest.summary["splits"]["train"]["truncated"]["rows"] > 0


def test_the_summary_is_what_the_files_hold(packed: tuple[RunDirectory, Recipe, Manifest]) -> None:
    run, _, manifest = packed
    for split in SPLITS:
        said = manifest.summary["splits"][split]
        bins = Bins.open(run.path(f"packed/{split}"))
        found = [bins.get(index) for index in range(len(bins))]
        assert said["bins"] == len(found)
        assert said["rows"] == sum(len(one.rows) for one in found)
        assert said["tokens"] == sum(len(one.tokens) for one in found)
        assert said["targets"] == sum(int(one.loss.sum()) for one in found)
        assert said["efficiency"] == said["tokens"] / (len(found) * 4096)
        assert max(len(one.tokens) for one in found) <= 4096
        assert 0 <= said["gap"] <= max(1, 0.01 * said["lower_bound"])
        assert said["tokens_in"] == (
            said["targets"]
            + said["masked"]
            + said["truncated"]["tokens"]
            + sum(one["tokens"] for one in said["dropped"].values())
        )
    assert manifest.summary["vocab_size"] == 600
    assert manifest.summary["splits"]["train"]["efficiency"] > 0.9


def test_a_finished_pack_is_reused_and_each_key_repeats_what_depends_on_it(
    packed: tuple[RunDirectory, Recipe, Manifest],
) -> None:
    run, recipe, manifest = packed
    assert pack(run, recipe) == manifest

    def outlook(**change: Any) -> tuple[bool, bool]:
        """Whether the tokens are reused, and the bins."""
        other = recipe.model_copy(update={"pack": recipe.pack.model_copy(update=change)})
        tokens, bins = plan_tokens(run, other), plan(run, other)
        assert tokens is not None
        return tokens.why() is None, bins is not None and bins.why() is None

    assert outlook() == (True, True)
    assert outlook(seq_length=128) == (True, False)
    assert outlook(overflow="drop") == (True, False)
    assert outlook(loss="all") == (False, False)
    assert outlook(vocab_size=700) == (False, False)


def test_the_same_bytes_on_workers_and_here(rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for workers, few in ((1, 1 << 30), (2, 0), (1, 0)):
        recipe = make_recipe(tmp_path / f"{workers}-{few}")
        recipe = recipe.model_copy(update={"cluster": recipe.cluster.model_copy(update={"workers": workers})})
        run = curate(recipe, split_up(rows), parts=3)
        monkeypatch.setattr(tokens_stage, "_FEW_BYTES", few)
        pack(run, recipe)
        results.append(made(run))
    assert results[0] == results[1] == results[2]
    assert len(results[0]) > 15


def test_bins_do_not_depend_on_how_they_lie_in_files_and_batches(
    packed: tuple[RunDirectory, Recipe, Manifest], rows: list[Row], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenise, "ROWS", 7)
    monkeypatch.setattr(tokenise, "_BATCH_TOKENS", 2000)
    monkeypatch.setattr(write, "_FILE_BINS", 3)
    monkeypatch.setattr(write, "_BATCH_TOKENS", 2 * 4096)
    recipe = make_recipe(tmp_path, seq_length=4096)
    run = curate(recipe, split_up(rows))
    manifest = pack(run, recipe)
    assert manifest.summary == packed[2].summary
    many, one = Bins.open(run.path("packed/train")), Bins.open(packed[0].path("packed/train"))
    assert len(many.files) > 5
    assert len(one.files) == 1
    assert len(many) == len(one)
    for index in range(len(one)):
        for mine, theirs in zip(many.get(index), one.get(index), strict=True):
            assert np.array_equal(mine, theirs)


def test_the_seed_orders_the_bins_and_changes_nothing_else(rows: list[Row], tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path)
    run = curate(recipe, split_up(rows))
    found = []
    for seed in (0, 1):
        pack(run, recipe.model_copy(update={"seed": seed}))
        bins = Bins.open(run.path("packed/train"))
        found.append([tuple(bins.get(index).rows) for index in range(len(bins))])
    assert found[0] != found[1]
    assert sorted(found[0]) == sorted(found[1])


KILLED = """
import sys
from pipeline.pack import pack, tokenise
from pipeline.recipe import load_recipe
from pipeline.run import RunDirectory

original = tokenise.tokenise_part

def slow(job):
    print(job.part, flush=True)
    sys.stdin.readline()   # one line lets one part through
    return original(job)

tokenise.tokenise_part = slow
recipe = load_recipe(sys.argv[1])
pack(RunDirectory.open(recipe), recipe)
"""


@pytest.mark.parametrize("parts_done", [0, 2])
def test_a_killed_tokens_stage_is_resumed_to_the_same_bytes(rows: list[Row], tmp_path: Path, parts_done: int) -> None:
    recipe = make_recipe(tmp_path / "killed")
    run = curate(recipe, split_up(rows))
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe))
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "recipe.yaml")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert process.stdin
    assert process.stdout
    for _ in range(parts_done):
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
    assert process.stdout.readline().strip()  # it is in the next part now
    process.send_signal(signal.SIGKILL)
    process.wait()
    records = sorted(path.stem for path in run.path("tokens/_parts").glob("*.json"))
    assert records == ["tokenizer", *["train-00000", "train-00001"][:parts_done]]
    before = {name: run.path(f"tokens/_parts/{name}.json").stat().st_mtime_ns for name in records}
    tokenizer_made = run.path("tokenizer/tokenizer.json").stat().st_mtime_ns
    time.sleep(0.01)
    pack(run, recipe)
    assert before
    assert run.path("tokenizer/tokenizer.json").stat().st_mtime_ns == tokenizer_made

    other = make_recipe(tmp_path / "whole")
    whole = curate(other, split_up(rows))
    pack(whole, other)
    assert made(run) == made(whole)


def test_empty_splits_have_an_empty_file(rows: list[Row], tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path)
    run = curate(recipe, {"train": rows[:5]}, parts=1)
    manifest = pack(run, recipe)
    for split in ("validation", "test"):
        assert len(Bins.open(run.path(f"packed/{split}"))) == 0
        assert manifest.summary["splits"][split]["bins"] == 0


def test_nothing_to_train_on_is_said(rows: list[Row], tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path / "none")
    with pytest.raises(InputError, match="the train split has no rows"):
        pack(curate(recipe, {"test": rows[:5]}), recipe)
    recipe = make_recipe(tmp_path / "masked")
    only_questions = [row(n, [("user", f"Question {n}?")], kind="chat") for n in range(4)]
    with pytest.raises(InputError, match=r"every mask is all zeros: none of 4 conversations"):
        pack(curate(recipe, {"train": only_questions}), recipe)
    recipe = make_recipe(tmp_path / "uncurated")
    with pytest.raises(RunDirectoryError, match="no curated rows"):
        pack(RunDirectory.open(recipe), recipe)


def test_loss_all_makes_every_token_a_target_but_the_first(tmp_path: Path, rows: list[Row]) -> None:
    recipe = make_recipe(tmp_path, loss="all")
    run = curate(recipe, {"train": rows[:20]})
    pack(run, recipe)
    for tokens, loss in examples(run, "train").values():
        assert loss == [False, *[True] * (len(tokens) - 1)]


def test_overflow_drop_keeps_whole_rows_only(tmp_path: Path, rows: list[Row]) -> None:
    recipe = make_recipe(tmp_path, overflow="drop", seq_length=300)
    run = curate(recipe, split_up(rows))
    manifest = pack(run, recipe)
    tokenizer = load_tokenizer(run.path("tokenizer"))
    stops = set(manifest.summary["stop_ids"])
    assert all(tokens[-1] in stops for split in SPLITS for tokens, _ in examples(run, split).values())
    lengths = pq.read_table(run.path("packed/dropped/part-00000.parquet"))["value"].to_pylist()
    assert len(lengths) == sum(one["dropped"]["overflow"]["rows"] for one in manifest.summary["splits"].values()) > 0
    assert min(lengths) > 300
    assert tokenizer.eos_token_id in stops


def test_overflow_raise_is_one_message(tmp_path: Path, rows: list[Row]) -> None:
    recipe = make_recipe(tmp_path, overflow="raise", seq_length=300)
    run = curate(recipe, split_up(rows))
    with pytest.raises(InputError, match=r"(rows are|row is) longer than a bin of 300 tokens"):
        pack(run, recipe)
    assert not run.path("packed").exists()


def test_a_new_tokenizer_at_the_same_path_is_not_mistaken_for_the_old(tmp_path: Path, rows: list[Row]) -> None:
    recipe = make_recipe(tmp_path, vocab_size=400)
    run = curate(recipe, split_up(rows))
    small = pack(run, recipe).summary["splits"]["train"]["tokens_in"]
    large = pack(run, make_recipe(tmp_path, vocab_size=800)).summary["splits"]["train"]["tokens_in"]
    assert large < small


def test_a_row_that_the_template_refuses_is_named(tmp_path: Path, rows: list[Row]) -> None:
    template = tmp_path / "strict.jinja"
    chatml = (Path(tokens_stage.__file__).parent / "templates/chatml.jinja").read_text()
    template.write_text(
        "{%- if messages[0].role == 'system' %}{{- raise_exception('no system role') }}{%- endif %}" + chatml
    )
    recipe = make_recipe(tmp_path, template=str(template))
    bad = row(7, [("system", "s"), ("user", "u"), ("assistant", "a")], kind="chat")
    run = curate(recipe, {"train": [*rows[:3], bad]})
    with pytest.raises(InputError, match=r"no system role\n.*functions/email.py#7"):
        pack(run, recipe)


def _decode(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> str:
    return str(tokenizer.decode(tokens))


def test_what_no_row_has_cannot_be_cut_first(tmp_path: Path) -> None:
    given = [row(number, [("user", f"What is {number}?"), ("assistant", "It is.")]) for number in range(5)]
    for number, (field, problem) in enumerate(
        {
            "usr": "nothing called 'usr' to cut first",
            "tool": "no row has 'tool'",
            "user": "",
            "output, input": "",
        }.items()
    ):
        recipe = make_recipe(tmp_path / str(number), vocab_size=320, truncation_field=field)
        run = curate(recipe, {"train": given}, parts=1)
        if problem:
            with pytest.raises(InputError, match=problem) as caught:
                pack(run, recipe)
            assert caught.value.mend.endswith("have is: user, assistant") == (field == "tool")
        else:
            pack(run, recipe)
