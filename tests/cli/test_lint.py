"""`lint-template`: a verdict for a recipe, a tokenizer or a template, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.cli import main
from tests.conftest import FinishedRun

OURS = Path(__file__).resolve().parents[2] / "pipeline/pack/templates"


@pytest.mark.parametrize("name", ["chatml", "llama3", "qwen3", "gemma", "phi"])
def test_our_templates_stand_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint-template", str(OURS / f"{name}.jinja"), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["state"] == "pass"
    assert {"check", "state", "found", "mend"} == set(verdict["findings"][0])


def test_a_template_that_cannot_be_trained_has_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.jinja"
    path.write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    assert main(["lint-template", str(path)]) == 1
    shown = capsys.readouterr().out
    assert "stop_token\tfail" in shown
    assert shown.splitlines()[-1].startswith("fail: template ")


def test_a_recipe_is_linted_with_its_overrides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = str(Path(__file__).resolve().parents[2] / "data/demo.yaml")
    assert main(["lint-template", demo]) == 0
    assert "learnt: <|im_end|>" in capsys.readouterr().out
    assert main(["lint-template", demo, "pack.template=gemma"]) == 2
    assert "the tokenizer has no token <start_of_turn>" in capsys.readouterr().err
    assert main(["lint-template", str(OURS / "chatml.jinja"), "pack.template=gemma"]) == 2
    assert "only a recipe has keys" in capsys.readouterr().err


def test_a_run_is_linted_as_it_was_packed(tiny_run: FinishedRun, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lint-template", str(tiny_run.root)]) == 0
    shown = capsys.readouterr().out.splitlines()[-1]
    kept = json.loads((tiny_run.root / "tokenizer/_manifest.json").read_text())
    assert shown.removeprefix("pass: template ") in json.dumps(kept)


def test_a_template_that_rewrites_history_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        (OURS / "qwen3.jinja")
        .read_text()
        .replace(
            "{%- if message.reasoning_content %}", "{%- if message.reasoning_content and message is sameas turns[-1] %}"
        )
    )
    path = tmp_path / "forgets.jinja"
    path.write_text(text)
    assert main(["lint-template", str(path), "--json"]) == 0
    states = {one["check"]: one["state"] for one in json.loads(capsys.readouterr().out)["findings"]}
    assert states["history_rewritten"] == "warn"
    assert states["exact_mask"] == "pass"
