"""Does an answer that should be code parse (Python) or compile (Verilog)?"""

from __future__ import annotations

import ast
import re
import shutil
import warnings

from pipeline.evaluate.sandbox import run

__all__ = ["code_of", "compiles", "find_iverilog", "is_python", "is_verilog", "looks_like_verilog", "parses"]

_FENCE = re.compile(r"```[^\n`]*\n(.*?)(?:```|\Z)", re.DOTALL)
_MODULE = re.compile(r"^\s*module\s+\w+.*?\bendmodule\b", re.DOTALL | re.MULTILINE)

_LONGEST = 1 << 18
"""Characters of code that are looked at; longer code does not parse."""

_SECONDS, _MEMORY_MB = 10.0, 1024
"""What a compiler may take."""


def parses(prediction: str) -> float:
    """Whether an answer holds code that Python's parser takes."""
    tree = _parse(code_of(prediction))
    return float(tree is not None and bool(tree.body))


def compiles(prediction: str, iverilog: str) -> float:
    """Whether an answer holds Verilog that Icarus Verilog elaborates (`iverilog -g2012 -t null`), in the sandbox."""
    code = code_of(prediction)
    if len(code) > _LONGEST or not looks_like_verilog(code):
        return 0.0
    argv = [iverilog, "-g2012", "-t", "null", "answer.sv"]
    return float(run(argv, {"answer.sv": code}, seconds=_SECONDS, memory_mb=_MEMORY_MB, required=False) == 0)


def find_iverilog() -> str | None:
    """The compiler's path, where it is installed."""
    return shutil.which("iverilog")


def is_python(reference: str) -> bool:
    """Whether a reference is Python code: it parses, and it is more than prose that happens to parse.

    `Yes`, `pass` and `Answer: 12` all parse. A fenced block that parses is code; text without a fence is code
    where it holds a definition, an import, an assignment, a compound statement or a call.
    """
    code = code_of(reference)
    tree = _parse(code)
    if tree is None or not tree.body:
        return False
    return code != reference or any(_is_telling(node) for node in tree.body)


def is_verilog(reference: str, iverilog: str) -> bool:
    """Whether a reference is Verilog that compiles by itself: then an answer should."""
    return looks_like_verilog(reference) and compiles(reference, iverilog) == 1.0


def looks_like_verilog(text: str) -> bool:
    """Whether a text holds a module."""
    return _MODULE.search(text[:_LONGEST]) is not None


def code_of(text: str) -> str:
    """The code in an answer: the content of its fenced blocks, or all of it where it has none."""
    blocks = _FENCE.findall(text)
    return "\n".join(blocks) if blocks else text


def _is_telling(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.AnnAssign):
        return node.value is not None
    return not isinstance(node, ast.Pass | ast.Break | ast.Continue | ast.Return | ast.Global | ast.Nonlocal)


def _parse(code: str) -> ast.Module | None:
    if len(code) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SyntaxWarning: an invalid escape is the generated code's affair
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
