"""Properties: what passes passes; time, memory, files, processes and the network end; nobody is left behind."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import psutil
import pytest

from pipeline.config import UnitTests
from pipeline.errors import MachineError
from pipeline.evaluate import sandbox
from pipeline.evaluate.metrics.unit_tests import RowTests, pass_at, passed
from pipeline.evaluate.sandbox import passes, run
from tests.processes import command
from tests.text.columns import shared


@pytest.fixture(scope="module", autouse=True)
def allowed() -> None:
    try:
        passes("", seconds=20, memory_mb=256)
    except MachineError as error:
        pytest.skip(str(error))


def ok(program: str, *, seconds: float = 20, memory_mb: int = 256) -> bool:
    return passes(program, seconds=seconds, memory_mb=memory_mb)


def test_a_program_passes_if_it_comes_to_its_end() -> None:
    assert ok("assert 1 + 1 == 2")
    assert not ok("assert 1 + 1 == 3")
    assert not ok("def f(:")
    assert not ok("import sys; sys.exit(0)")  # before its tests
    assert not ok("import os; os._exit(0)")
    assert not ok("x = 1" + " " * (2 << 20))


def test_memory_and_files_are_limited() -> None:
    assert not ok("x = bytearray(1 << 30)")
    assert ok("open('x', 'w').write('a'); import os; assert os.listdir('.')")
    assert not ok("open('x', 'wb').write(b'a' * (1 << 25))")
    assert not ok("open('/etc/mine', 'w')")
    assert ok("print('x' * 10**7)", memory_mb=512)  # output goes nowhere


def test_memory_that_no_limit_of_a_process_counts_is_not_there() -> None:
    """A segment of System V stays when it is let go of: loops of them would take all memory of the machine."""
    asks = "import ctypes\nlibc = ctypes.CDLL(None)\nassert libc.{call} < 0"
    assert ok(asks.format(call="shmget(0, ctypes.c_size_t(1 << 20), 0o1600)"))
    assert ok(asks.format(call="msgget(0, 0o1600)"))
    assert ok(asks.format(call="memfd_create(b'mine', 0)"))


def test_tests_that_never_end_are_ended() -> None:
    assert not ok("while True: pass", seconds=1)
    assert not ok("import time; time.sleep(1000)", seconds=1)


def test_a_fork_bomb_is_held_and_nobody_survives(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.process_iter()}
    assert not ok("import os\nwhile True: os.fork()", seconds=2)
    assert ok(
        "import os, time\nn = 0\ntry:\n  while n < 200:\n    if os.fork() == 0: time.sleep(1000)\n    n += 1\n"
        "except OSError: pass\nassert n < 40, n"
    )
    assert not [one for one in psutil.process_iter() if one.pid not in before and "main.py" in command(one)]


def test_it_is_alone() -> None:
    """No network, not even loopback; no other process; nothing of this user's home, folder or environment."""
    os.environ["A_SECRET_OF_THE_TESTS"] = "x"
    program = f"""
import os, socket
try:
    socket.create_connection(("127.0.0.1", 1), timeout=1)
except OSError as error:
    assert error.errno == 101, error  # the network is unreachable
processes = [name for name in os.listdir("/proc") if name.isdigit()]
assert len(processes) <= 2, processes
assert "A_SECRET_OF_THE_TESTS" not in os.environ
assert os.listdir("/tmp") in (["main.py"], [".python", "main.py"], ["main.py", ".python"])
assert not os.listdir({str(Path.home())!r})
assert not os.path.exists({os.getcwd() + "/pyproject.toml"!r})
import ctypes
assert ctypes.CDLL(None).mount(b"none", b"/", None, 32 | 4096, None) != 0  # may not be made writable again
"""
    try:
        assert ok(program)
    finally:
        del os.environ["A_SECRET_OF_THE_TESTS"]


def test_a_command_s_exit_code_comes_back() -> None:
    assert run(["/bin/sh", "-c", "exit 7"], {}, seconds=5, memory_mb=256) == 7
    assert run(["/bin/cat", "a"], {"a": "text"}, seconds=5, memory_mb=256) == 0
    assert run(["/bin/sh", "-c", "kill -9 $$"], {}, seconds=5, memory_mb=256) == 128 + 9


def test_no_exit_code_of_a_program_is_taken_for_the_machine_s_refusal() -> None:
    for code in (96, 97, 98, 255):
        assert not ok(f"import sys; sys.exit({code})")


def test_what_cannot_be_started_is_not_the_answer_s_fault() -> None:
    with pytest.raises(MachineError, match="could not be started"):
        run(["/no/such/program"], {}, seconds=5, memory_mb=256)
    assert run(["/no/such/program"], {}, seconds=5, memory_mb=256, required=False) == 1


def test_where_no_filter_of_calls_is_known_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    text = sandbox._jail()
    assert f'"{os.uname().machine}": (' in text
    monkeypatch.setattr(sandbox, "_jail", lambda: text.replace(f'"{os.uname().machine}": (', '"another": ('))
    with pytest.raises(MachineError, match="no seccomp filter is known"):
        ok("")


def test_humaneval_s_own_solutions_pass_and_others_do_not() -> None:
    file = shared("eval-humaneval") / "HumanEval.jsonl.gz"
    problems = [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    assert len(problems) == 164
    settings = UnitTests(seconds=20)
    for problem in problems[::27]:
        tests = RowTests(prompt=problem["prompt"], test=problem["test"], entry_point=problem["entry_point"])
        body = problem["canonical_solution"]
        assert passed(body, tests, settings)  # goes on from the prompt
        assert passed(f"Sure:\n```python\n{problem['prompt']}{body}\n```", tests, settings)  # the whole function
    assert not passed("    return None\n", tests, settings)
    assert not passed("", tests, settings)


@pytest.mark.parametrize(
    ("outcomes", "k", "expected"),
    [([True], 1, 1.0), ([False] * 4, 2, 0.0), ([True, False, False, False], 1, 0.25), ([True, False, False], 2, 2 / 3)],
)
def test_pass_at_k_is_the_unbiased_estimate(outcomes: list[bool], k: int, expected: float) -> None:
    assert pass_at(k, outcomes) == pytest.approx(expected)
