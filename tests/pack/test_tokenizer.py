"""The tokenizer's folder: the same bytes for the same texts, readable by transformers, and clear refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from pipeline import fingerprint
from pipeline.config import Pack
from pipeline.errors import InputError
from pipeline.pack.tokenizer import describe_tokenizer, load_tokenizer, make_tokenizer, tokenizer_inputs

from .conftest import Row

TRAIN = """
import json, sys
from pathlib import Path
from pipeline.config import Pack
from pipeline.pack.tokenizer import make_tokenizer
texts = json.load(sys.stdin)
make_tokenizer(Pack(vocab_size=700), lambda: iter(texts), Path(sys.argv[1]))
"""


def texts(rows: list[Row]) -> list[str]:
    return [message["content"] for row in rows for message in row["messages"]]


def files(folder: Path) -> dict[str, str]:
    return {path.name: fingerprint.of_file(path) for path in folder.iterdir()}


def test_training_gives_the_same_bytes_with_and_without_threads(rows: list[Row], tmp_path: Path) -> None:
    made = []
    for number, parallel in enumerate(["true", "true", "false"]):
        folder = tmp_path / str(number)
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-c", TRAIN, str(folder)],
            input=json.dumps(texts(rows)).encode(),
            env={**os.environ, "TOKENIZERS_PARALLELISM": parallel},
            check=True,
        )
        made.append(files(folder))
    assert made[0] == made[1] == made[2]
    assert {"tokenizer.json", "tokenizer_config.json", "chat_template.jinja"} <= set(made[0])


def test_a_trained_tokenizer_gives_every_text_back(rows: list[Row], tmp_path: Path) -> None:
    make_tokenizer(Pack(vocab_size=500), lambda: iter(texts(rows)[:100]), tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    assert len(tokenizer) == 500
    for text in [*texts(rows), "東京 🙂 \x00 \u202e", " a  b\t\n"]:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    about = describe_tokenizer(tokenizer)
    assert [tokenizer.convert_ids_to_tokens(about[key]) for key in ("pad_id", "eos_id")] == ["<|pad|>", "<|im_end|>"]
    assert tokenizer.convert_ids_to_tokens(about["stop_ids"]) == ["<|im_end|>", "<|endoftext|>"]
    assert tokenizer("<|im_start|>")["input_ids"] == [tokenizer.convert_tokens_to_ids("<|im_start|>")]


@pytest.mark.parametrize(("name", "size"), [("tokenizers/gpt2", 50257), ("model-stories260k", 512)])
def test_a_given_tokenizer_is_copied_with_its_template(data: Path, tmp_path: Path, name: str, size: int) -> None:
    pack = Pack(tokenizer=str(data / name))
    make_tokenizer(pack, lambda: pytest.fail("a given tokenizer is not trained"), tmp_path)
    ours, theirs = AutoTokenizer.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(data / name)
    assert len(ours) == size
    assert ours.chat_template
    text = "Once upon a time, 東京"
    assert ours(text)["input_ids"] == theirs(text)["input_ids"]
    assert str(data) not in (tmp_path / "tokenizer_config.json").read_text()


def test_inputs_follow_the_files_not_the_path(data: Path, tmp_path: Path) -> None:
    source = data / "model-stories260k"
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json", "README.md"):
        (copy / name).write_bytes((source / name).read_bytes())
    before = tokenizer_inputs(Pack(tokenizer=str(copy)))
    assert before == tokenizer_inputs(Pack(tokenizer=str(source)))
    (copy / "README.md").write_text("another")
    assert tokenizer_inputs(Pack(tokenizer=str(copy))) == before
    config = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps({**config, "eos_token": "<s>"}))
    assert tokenizer_inputs(Pack(tokenizer=str(copy))) != before


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("./no-such-folder", "folder is not there"),
        ("runs/a/b/tokenizer", "folder is not there"),
        ("no-such-organisation/no-such-model", "no folder 'no-such-organisation/no-such-model' here"),
    ],
)
def test_a_tokenizer_that_is_not_there_is_one_short_message_soon(name: str, what: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(InputError) as caught:
        make_tokenizer(Pack(tokenizer=name), lambda: iter([]), tmp_path)
    assert time.monotonic() - began < 30
    assert what in str(caught.value)
    assert len(str(caught.value).splitlines()) == 3
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_hub_that_may_not_be_asked_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        make_tokenizer(Pack(tokenizer="someone/something"), lambda: iter([]), tmp_path)


def test_a_near_name_is_offered(tmp_path: Path) -> None:
    (tmp_path / "tokeniser").mkdir()
    with pytest.raises(InputError, match="did you mean 'tokeniser'"):
        tokenizer_inputs(Pack(tokenizer=str(tmp_path / "tokenizer")))


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read"):
        load_tokenizer(tmp_path)
