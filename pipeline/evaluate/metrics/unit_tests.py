"""Functional correctness: generated Python on a row's own tests, and the unbiased estimate of pass@k."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from pipeline.config import UnitTests
from pipeline.evaluate.metrics.code import code_of
from pipeline.evaluate.prompts import Prompt
from pipeline.evaluate.sandbox import passes

__all__ = ["RowTests", "pass_at", "passed", "tests_of"]


@dataclass(frozen=True, kw_only=True)
class RowTests:
    """What a row brings along to test an answer with."""

    prompt: str
    """The last thing that the user said: an answer may go on from it instead of repeating it."""
    test: str
    entry_point: str


def tests_of(prompt: Prompt, settings: UnitTests) -> RowTests | None:
    """The tests of a row, from its metadata; None where it has none."""
    try:
        keys = json.loads(prompt.metadata) if prompt.metadata else {}
    except ValueError:
        return None
    test, name = (
        keys.get(field) if isinstance(keys, dict) else None for field in (settings.field, settings.entry_point)
    )
    if not isinstance(test, str) or not isinstance(name, str) or not name.isidentifier():
        return None
    asked = next((message["content"] for message in reversed(prompt.messages) if message["role"] == "user"), "")
    return RowTests(prompt=asked, test=test, entry_point=name)


def passed(answer: str, tests: RowTests, settings: UnitTests) -> bool:
    """Whether an answer passes, in the sandbox.

    An answer that defines the function is put behind the prompt's code (its imports and helpers), another is taken to
    go on from the prompt, as HumanEval's are.

    Raises:
        MachineError: the machine allows no sandbox.
    """
    code, given = code_of(answer), code_of(tests.prompt)
    whole = _defines(code, tests.entry_point)
    opening = given if _is_code(given) or not whole else ""
    program = f"{opening}\n{code}" if whole else f"{opening}{code}"
    call = f"check({tests.entry_point})" if _defines(tests.test, "check") else ""
    return passes(f"{program}\n\n{tests.test}\n{call}", seconds=settings.seconds, memory_mb=settings.memory_mb)


def pass_at(k: int, outcomes: Sequence[bool]) -> float:
    """The chance that one of k answers passes, estimated without bias from n ≥ k of them: 1 - C(n-c, k) / C(n, k).

    Chen et al. 2021, https://arxiv.org/abs/2107.03374, equation 1.
    """
    right = sum(outcomes)
    return 1.0 - comb(len(outcomes) - right, k) / comb(len(outcomes), k)


def _defines(code: str, name: str) -> bool:
    try:
        return any(isinstance(node, ast.FunctionDef) and node.name == name for node in ast.parse(code).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _is_code(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
