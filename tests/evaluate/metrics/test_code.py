"""Properties: code is told from prose, compiled by the real compiler, and never harms who looks at it."""

from __future__ import annotations

import pytest

from pipeline.evaluate.metrics.code import code_of, compiles, find_iverilog, is_python, is_verilog, parses

INVERTER = "module inverter(input a, output b);\n  assign b = ~a;\nendmodule\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(x):\n    return x\n", True),
        ("import os", True),
        ("x = 1", True),
        ("print('hello')", True),
        ("Sure:\n```python\nx + 1\n```", True),
        ("Yes", False),
        ("pass", False),
        ("Answer: twelve", False),
        ("The function adds one.", False),
        ("module top;\nendmodule", False),
        ("", False),
    ],
)
def test_python_is_told_from_prose_that_happens_to_parse(text: str, expected: bool) -> None:
    assert is_python(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("y = 2", 1.0), ("", 0.0), ("def f(:", 0.0), ("x = '\x00'", 0.0), ("(" * 5000, 0.0), ("x=1;" * 500_000, 0.0)],
)
def test_generated_code_that_breaks_the_parser_is_no_error(text: str, expected: float) -> None:
    assert parses(text) == expected


def test_the_code_of_an_answer_is_its_fenced_part() -> None:
    assert code_of("Here:\n```python\nx = 1\n```\nDone.") == "x = 1\n"
    assert code_of("```\nx = 1") == "x = 1"  # cut off by max_new_tokens
    assert code_of("x = 1") == "x = 1"


def test_verilog_is_compiled() -> None:
    if (iverilog := find_iverilog()) is None:
        pytest.skip("iverilog is not installed")
    assert is_verilog(INVERTER, iverilog)
    assert not is_verilog("x = 1", iverilog)
    assert not is_verilog("A module has ports; endmodule ends it.", iverilog)
    assert compiles(f"Here it is:\n```verilog\n{INVERTER}```", iverilog) == 1.0
    assert compiles(INVERTER.replace("~a", "~"), iverilog) == 0.0
    assert compiles(INVERTER.replace("assign", "asign"), iverilog) == 0.0
    assert compiles("", iverilog) == 0.0
    assert compiles(INVERTER + "// " + "x" * (1 << 20), iverilog) == 0.0
