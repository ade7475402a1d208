"""`inspect --token`: from a place in the bins to the row, the message and the characters."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.pack import pack
from pipeline.pack.bins import Bins
from tests.pack.conftest import curate, make_recipe, row

RESTLESS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}{% generation %}{{ m.content }}"
    "<|im_end|>{% endgeneration %}{% else %}{{ m.content }} ({{ m.content | length }})<|im_end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Counts characters, and so writes another text once they are marked."""


@pytest.mark.parametrize("template", ["chatml", RESTLESS])
def test_a_token_is_led_back_or_that_cannot_be_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], template: str
) -> None:
    given = row(0, [("user", "Why?"), ("assistant", "Yes.")], kind="chat")
    given["messages"][1]["extra"] = '{"reasoning_content":"\\nBecause."}'
    recipe = make_recipe(tmp_path, vocab_size=320, template=template)
    run = curate(recipe, {"train": [given]}, parts=1)
    pack(run, recipe)
    shown = []
    for offset in range(len(Bins.open(run.path("packed/train")).get(0).tokens)):
        assert main(["inspect", str(run.root), "--token", f"0:{offset}"]) == 0
        lines = dict(line.split("\t")[:2] for line in capsys.readouterr().out.splitlines() if "\t" in line)
        assert lines["row"] == given["id"]
        shown.append((lines["token"].rpartition(" is ")[2].partition(" ")[2], lines["from"]))
    if template == "chatml":
        assert ("'B'", "message 1 (assistant), reasoning, characters 1 to 2") in shown
        assert ("'?'", "message 0 (user), content, characters 3 to 4") in shown
        assert ("'<|im_end|>'", "template") in shown
    else:
        assert all(place.startswith("cannot be told: the template") for _, place in shown)
    assert main(["inspect", str(run.root), "--token", "0:900"]) == 2
    assert "there is no token 0:900" in capsys.readouterr().err
