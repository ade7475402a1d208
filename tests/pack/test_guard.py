"""Masks that nobody can have meant are refused, with the row's id and never its text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import InputError, RunDirectoryError
from pipeline.pack import pack
from pipeline.pack.guard import check_rows
from pipeline.pack.piece import Encoded
from pipeline.pack.seal import check_seal
from pipeline.pack.targets import Targets
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.run import Manifest

from .conftest import curate, make_recipe, row


def one(tokens: list[int], loss: list[bool], targets: Targets | None = None, *, talk: bool = True) -> dict[str, int]:
    encoded = Encoded(np.array(tokens, np.uint32), np.array(loss, np.bool_), np.array([len(tokens)], np.int64), [[]])
    return check_rows(encoded, ["s/1#0"], np.array([talk]), targets or Targets(), bos_id=1, stop_ids=[2])


def test_masks_are_counted() -> None:
    assert one([1, 5, 6, 2], [False, False, True, True]) == {"conversations": 1, "learnt": 1, "ended": 1}
    assert one([1, 5, 2, 6], [False, False, False, True]) == {"conversations": 1, "learnt": 1, "ended": 0}
    assert one([1, 5, 2, 6], [False] * 4) == {"conversations": 1, "learnt": 0, "ended": 0}
    assert one([1, 5, 2], [False, True, True], talk=False) == {"conversations": 0, "learnt": 0, "ended": 0}
    assert one([], []) == {"conversations": 1, "learnt": 0, "ended": 0}


def test_a_mask_of_ones_is_refused_unless_it_is_meant() -> None:
    with pytest.raises(InputError, match=r"all ones[\s\S]*row s/1#0"):
        one([5, 6, 2], [False, True, True])
    assert one([5, 6, 2], [False, True, True], Targets(loss="all"))["ended"] == 1


def test_two_begin_of_sequence_tokens_are_refused() -> None:
    with pytest.raises(InputError, match=r"stands twice[\s\S]*row s/1#0"):
        one([1, 1, 5, 2], [False, False, True, True])


@pytest.mark.parametrize(
    ("settings", "answer", "problem"),
    [
        ({"template": "passthrough"}, "yes", "the end token is never learnt, in none of 6 conversations"),
        ({"loss": {"roles": ["tool"]}}, "yes", "every mask is all zeros: none of 6 conversations"),
        ({"template": "passthrough", "train_on_eos": "none"}, "yes", ""),
        ({"template": "passthrough"}, "yes<|im_end|>", ""),
        ({"train_on_eos": "none"}, "yes", ""),
    ],
)
def test_a_run_is_refused_before_anything_is_packed(
    tmp_path: Path, settings: dict[str, Any], answer: str, problem: str
) -> None:
    recipe = make_recipe(tmp_path, **settings)
    run = curate(recipe, {"train": [row(n, [("user", f"On {n}? "), ("assistant", answer)]) for n in range(6)]}, parts=1)
    if not problem:
        said = pack(run, recipe).summary["splits"]["train"]
        assert said["rows"] == 6
        assert said["padded"] == said["slots"] - said["targets"] - said["masked"]
        return
    with pytest.raises(InputError, match=problem):
        pack(run, recipe)
    assert not run.path("packed").exists()
    assert Manifest.read(run.path("tokens")) is None


def test_a_template_that_was_changed_after_packing_is_refused(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path)
    run = curate(recipe, {"train": [row(n, [("user", f"On {n}?"), ("assistant", "yes")]) for n in range(4)]}, parts=1)
    manifest = pack(run, recipe)
    assert manifest.summary["lint"]["state"] == "pass"
    assert manifest.summary["lint"]["template"] == manifest.summary["template"]
    folder = run.path("tokenizer")
    check_seal(load_tokenizer(folder), run, folder)
    text = (folder / "chat_template.jinja").read_text()
    (folder / "chat_template.jinja").write_text(text.replace("assistant\\n", "assistant \\n"))
    with pytest.raises(RunDirectoryError, match="the chat template in this folder changed since the bins were made"):
        check_seal(load_tokenizer(folder), run, folder)
