"""Comments are those of Python's own tokeniser, of a plain definition for the other families, and of examples."""

from __future__ import annotations

import io
import re
import sysconfig
import token as tokens
import tokenize
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text.comments import FAMILIES, count_comment_characters

PIECES = [
    "//",
    "/*",
    "*/",
    "--",
    "[[",
    "]]",
    "{-",
    "-}",
    ";",
    "#",
    "|",
    "%",
    "<!--",
    "-->",
    "'",
    '"',
    '"""',
    "'''",
    "`",
]
SOURCE = st.lists(st.sampled_from([*PIECES, "\n", "\n", " ", "a", "é", "\\", ":", "(", ")", "r"]), max_size=24).map(
    "".join
)


def comments(text: str | bytes, family: str) -> int:
    row = text.encode() if isinstance(text, str) else text
    buffer = np.frombuffer(b"#/" + row + b"*/\n", np.uint8)
    return count_comment_characters(buffer, 2, 2 + len(row), FAMILIES.index(family))


def by_tokenize(source: str) -> int:
    """Characters of comments, and of strings in triple quotes that are a statement, as Python's tokeniser sees them."""
    found = list(tokenize.generate_tokens(io.StringIO(source).readline))
    parts = {tokens.NEWLINE, tokens.NL, tokens.INDENT, tokens.DEDENT, tokens.COMMENT}
    ends = {tokens.NEWLINE, tokens.COMMENT}
    count, depth = 0, 0
    for at, one in enumerate(found):
        if one.type == tokens.OP:
            depth += (one.string in "([{") - (one.string in ")]}")
        if one.type == tokens.COMMENT:
            count += len(one.string)
        if one.type == tokens.STRING and depth == 0:
            before = found[at - 1].type if at else tokens.NEWLINE
            after = found[at + 1]
            quoted = one.string.lstrip("rRuU")
            if before in parts and (after.type in ends or after.string == ";") and quoted[:3] in ('"""', "'''"):
                count += len(quoted)
    return count


def test_python_is_read_as_its_tokeniser_reads_it() -> None:
    """The standard library, every eighth module: none may differ."""
    checked, characters = 0, 0
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))[::8]:
        source = path.read_text(encoding="utf-8")
        expected = by_tokenize(source)
        assert comments(source, "python") == expected, path.name
        checked += 1
        characters += expected
    assert checked >= 20
    assert characters > 100_000


def by_expression(source: str) -> int:
    """Comments of C by a regular expression, which takes the leftmost string or comment again and again."""
    found = re.finditer(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|(//[^\n]*|/\*.*?\*/)', source, re.DOTALL)
    return sum(len(match[1]) for match in found if match[1])


def test_c_headers() -> None:
    """Python's own headers, in C."""
    headers = sorted(Path(sysconfig.get_paths()["include"]).rglob("*.h"))
    if not headers:
        pytest.skip("this Python came without its C headers")
    sources = [path.read_text(encoding="utf-8") for path in headers[:150]]
    sources = [source for source in sources if "'''" not in source and '"""' not in source]
    for source in sources:
        assert comments(source, "c") == by_expression(re.sub(r"(?<=[A-Za-z0-9_)}\]])'", "_", source))
    assert sum(map(len, sources)) > 100_000


@pytest.mark.parametrize(
    ("family", "source", "comment"),
    [
        ("python", "x = 1  # one\n", "# one"),
        ("python", 'def f():\n    """Doc."""\n', '"""Doc."""'),
        ("python", "r'''Doc\n'' \\''' x'''  \n# y", "'''Doc\n'' \\''' x'''# y"),
        ("python", 'x = """no # no"""\nf(\n"""no"""\n)\n', ""),
        ("python", 'x = \\\n"""no"""\n', ""),
        ("python", '"""no""" + x\n', ""),
        ("python", 'b"""no"""\n', ""),
        ("python", "'don\\'t # no' \"# no\"\n", ""),
        ("python", "don't # yes\n", "# yes"),
        ("python", '"""never closed # yes', "# yes"),
        ("hash", "#!/bin/sh\necho $# ${x##y} a#b '# no' # yes", "#!/bin/sh# yes"),
        ("hash", "it's # yes", "# yes"),
        ("c", "int x; // yes\n/* yes\n * yes */ y /= 2;", "// yes/* yes\n * yes */"),
        ("c", "s = \"// no\"; t = '// no'; c = '\\''; // yes", "// yes"),
        ("c", "url(http://a.b)", ""),
        ("c", "`// no`", ""),
        ("c", 'val s = """\n// no\n"""', ""),
        ("c", "x = 8'hFF; // it's\n", "// it's"),
        ("c", "/* never closed", ""),
        ("c", "/*/ yes */", "/*/ yes */"),
        ("c", "re = /https?:\\/\\//", ""),
        ("dash", "select '--no' -- yes\n/* yes */", "-- yes/* yes */"),
        ("dash", "--[[ yes\nyes ]] x", "--[[ yes\nyes ]]"),
        ("dash", "--[[ never closed\nx", "--[[ never closed"),
        ("dash", "f x' = {- yes -} x'", "{- yes -}"),
        ("semicolon", '(f \'a "; no") ; yes\n#| yes |#', "; yes#| yes |#"),
        ("semicolon", "mov al, ';' ; yes", "; yes"),
        ("percent", "50\\% x % yes", "% yes"),
        ("percent", "x' * y' % it's", "% it's"),
        ("xml", "<a>'<!-- yes\nyes -->' # // --</a>", "<!-- yes\nyes -->"),
    ],
)
def test_examples(family: str, source: str, comment: str) -> None:
    assert comments(source, family) == len(comment)


@settings(max_examples=300, deadline=None)
@given(SOURCE, st.sampled_from(FAMILIES))
def test_characters_in_comments_are_among_all(source: str, family: str) -> None:
    assert 0 <= comments(source, family) <= len(source)


@settings(deadline=None)
@given(st.binary(max_size=60), st.sampled_from(FAMILIES))
def test_any_bytes(row: bytes, family: str) -> None:
    assert 0 <= comments(row, family) <= len(row)


@settings(max_examples=200, deadline=None)
@given(SOURCE, st.sampled_from(["hash", "c", "dash", "percent"]))
def test_more_text_on_later_lines_changes_no_string(source: str, family: str) -> None:
    """Only an open block can reach beyond its line: after a closed text, lines add up."""
    source = re.sub(r'/\*|\{-|\[\[|"""|\\', "", source)
    assert comments(f"{source}\nx // y -- z % w # v\n", family) == comments(f"{source}\n", family) + comments(
        "x // y -- z % w # v\n", family
    )


@pytest.mark.parametrize("unit", ["/*", "'", "'\\", '"""', "{-", "`'\"", "<!--", "#|", "'''", '"\\"', "--[["])
def test_what_is_never_closed_costs_one_search(unit: str) -> None:
    """A quadratic search over a megabyte would take minutes."""
    for family in FAMILIES:
        assert 0 <= comments(unit * (1_000_000 // len(unit)), family) <= 1_000_000
