"""What is shown is what was trained: every character, and the targets marked."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import RunDirectoryError
from pipeline.pack import pack
from pipeline.pack.examples import Renderer
from pipeline.pack.show import coloured, show_tokens
from pipeline.pack.tokenizer import load_tokenizer
from pipeline.run import RunDirectory

from .conftest import Row, curate, make_recipe, row, split_up


def test_rows_are_shown_with_their_targets(rows: list[Row], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = make_recipe(tmp_path, seq_length=512)
    run = curate(
        recipe, split_up([row(n, [("user", f"Say {n} 東京"), ("assistant", f"naïve {n} 🙂")]) for n in range(20)])
    )
    pack(run, recipe)
    show_tokens(run, 2)
    shown = capsys.readouterr().out
    assert shown.count("functions/email.py#") == 2
    assert shown.count("⟦naïve") == shown.count("🙂<|im_end|>⟧") == 2
    assert "東京<|im_end|>" in shown

    tokenizer = load_tokenizer(run.path("tokenizer"))
    encoded = Renderer(tokenizer).encode([Renderer(tokenizer).document("🙂 東京 x")])
    text = coloured(tokenizer, encoded.tokens.tolist(), encoded.loss.tolist())
    assert text.plain == "🙂 東京 x<|endoftext|>"


def test_a_run_that_is_not_packed_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="no tokenizer"):
        show_tokens(RunDirectory(tmp_path), 1)


@pytest.mark.parametrize(("environment", "coloured_"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals_that_want_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    coloured_: bool,
) -> None:
    recipe = make_recipe(tmp_path)
    run = curate(recipe, {"train": [row(n, [("user", "On?"), ("assistant", f"Yes {n}")]) for n in range(4)]}, parts=1)
    pack(run, recipe)
    capsys.readouterr()
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    show_tokens(run, 1)
    shown = capsys.readouterr().out
    assert ("\x1b[30;42m" in shown) == coloured_
    assert ("⟦" in shown) != coloured_
