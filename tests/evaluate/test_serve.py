"""A checkpoint is an ordinary model folder: `transformers serve` answers a chat request from it, on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.evaluate.champion import find_candidate
from pipeline.run import RunDirectory

pytest.importorskip("openai", reason="`transformers serve` needs the package openai")


@pytest.fixture
def served(run: RunDirectory, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """The address of a server, and the model's name."""
    candidate = find_candidate(run)
    assert candidate is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = (tmp_path / "serve.log").open("w")
    command = Path(sys.executable).with_name("transformers")
    server = subprocess.Popen(
        [str(command), "serve", str(candidate.folder), "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"],
        stdout=log,
        stderr=subprocess.STDOUT,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 240
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).read()
                break
            except urllib.error.HTTPError:
                break  # it listens
            except OSError:
                assert server.poll() is None, (tmp_path / "serve.log").read_text()[-3000:]
                assert time.monotonic() < deadline, (tmp_path / "serve.log").read_text()[-3000:]
                time.sleep(0.5)
        yield address, str(candidate.folder)
    finally:
        server.terminate()
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


def test_a_chat_request_is_answered(served: tuple[str, str]) -> None:
    address, model = served
    request = urllib.request.Request(
        f"{address}/v1/chat/completions",
        data=json.dumps(
            {
                "model": model,
                "messages": [{"role": "user", "content": "Write a function that adds 3."}],
                "max_tokens": 8,
                "stream": False,
            }
        ).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=240) as answer:
        value = json.loads(answer.read())
    message = value["choices"][0]["message"]
    assert message["role"] == "assistant"
    assert isinstance(message["content"], str)
