"""How much of a text is comments, by the comment syntax of a family of languages.

| family | comments | languages |
|---|---|---|
| `python` | `#`, and strings in triple quotes that stand as statements | Python |
| `hash` | `#` at the start of a line or after whitespace | shells, Ruby, Perl, R, Julia, YAML, TOML, make |
| `c` | `//` (not right after `:`, as in a URL), `/* */` | C, C++, Java, JavaScript, Go, Rust, CSS, Verilog |
| `dash` | `--`, `/* */`, `--[[ ]]`, `{- -}` | SQL, Lua, Haskell, Ada, VHDL |
| `semicolon` | `;`, `#| |#` | Lisps, assembly |
| `percent` | `%` | TeX, Erlang, Prolog, MATLAB |
| `xml` | `<!-- -->` | XML, HTML |

A comment counts with its marks, a line comment without the line feed. What stands in a string is no comment. A string
ends on the line where it begins (a backslash takes the next character with it, a line feed too), else its quote is an
ordinary character, so that an apostrophe in another language's text costs one line at most; strings in triple quotes
of Python, and of Java, Kotlin and Swift, may span lines. Outside Python a `'` right after a letter, digit, `_` or
closing bracket opens nothing (`don't`, `8'hFF`, `x'`). A block that is never closed is no comment.

These are the rules of a scanner, not of each language's grammar: nested block comments, here-documents, regular
expressions and strings of several lines (shell, Lisp, Go) are read as the rules say.
"""

from __future__ import annotations

import numpy as np

from pipeline.text.kernel import declare, int64

__all__ = ["FAMILIES", "count_comment_characters"]

FAMILIES = ("python", "hash", "c", "dash", "semicolon", "percent", "xml")
"""Families of languages; a kernel takes one by its place here."""

PYTHON, HASH, C, DASH, SEMICOLON, PERCENT, XML = range(len(FAMILIES))

PLAIN, ESCAPE, OPEN, CLOSE, QUOTE, MARK = range(6)
_MARKS = ("#", "#", "/", "-/{", ";#", "%", "<")

KINDS = np.zeros((len(FAMILIES), 256), np.uint8)
"""What a byte may begin, by family."""
for _family, _marks in enumerate(_MARKS):
    if _family != XML:
        KINDS[_family, ord("\\")] = ESCAPE
        KINDS[_family, [ord("'"), ord('"')]] = QUOTE
    KINDS[_family, [ord(mark) for mark in _marks]] = MARK
KINDS[[HASH, C], ord("`")] = QUOTE
KINDS[PYTHON, [ord(bracket) for bracket in "([{"]] = OPEN
KINDS[PYTHON, [ord(bracket) for bracket in ")]}"]] = CLOSE

# Ends of block comments as their bytes in one number, and the bits of the blocks that are known never to close.
STAR_SLASH = 0x2A2F
BRACKETS = 0x5D5D
DASH_CURLY = 0x2D7D
BAR_HASH = 0x7C23
ARROW = 0x2D2D3E
TRIPLE_SINGLE = 0x272727
TRIPLE_DOUBLE = 0x222222


@declare("int64(uint8[::1], int64, int64, int64)")
def count_comment_characters(buffer: np.ndarray, start: int, end: int, family: int) -> int:
    """Return the number of characters in comments.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        family: A place in `FAMILIES`.
    """
    count = 0
    depth = 0  # brackets of Python that are open
    unclosed = 0  # a bit for each quote that does not occur again before `line_end`
    line_end = start
    endless = 0  # a bit for each block that no later place closes
    i = start
    while i < end:
        kind = KINDS[family, buffer[i]]
        if kind == PLAIN:
            i += 1
        elif kind == ESCAPE:
            i += 2
        elif kind == OPEN:
            depth += 1
            i += 1
        elif kind == CLOSE:
            depth = max(depth - 1, 0)
            i += 1
        elif kind == MARK:
            block = block_at(buffer, i, end, family)
            stop = i
            if block and not endless & block_bit(block):
                opening = 4 if block in (ARROW, BRACKETS) else 2
                stop = find_bytes(buffer, i + opening, end, block)
                if stop == 0:
                    endless |= block_bit(block)
                    stop = i
            if stop == i and is_line_comment(buffer, start, i, end, family):
                stop = line_stop(buffer, i, end)
            count += count_characters(buffer, i, stop)
            i = max(stop, i + 1)
        else:
            block = triple_at(buffer, i, end, family)
            stop = 0
            if block and not endless & block_bit(block):
                stop = find_triple(buffer, i + 3, end, block)
                if stop == 0:
                    endless |= block_bit(block)
                elif family == PYTHON and depth == 0 and is_statement(buffer, start, i, stop, end):
                    count += count_characters(buffer, i, stop)
            if stop == 0 and opens_string(buffer, start, i, end, family):
                if i >= line_end:
                    unclosed = 0
                bit = 1 if buffer[i] == 39 else 2 if buffer[i] == 34 else 4
                if not unclosed & bit:
                    stop = string_stop(buffer, i, end)
                    if stop < 0:
                        unclosed |= bit
                        line_end = -stop
            i = stop if stop > 0 else i + 1
    return count


@declare("int64(uint8[::1], int64, int64, int64)")
def block_at(buffer: np.ndarray, at: int, end: int, family: int) -> int:
    """Return what ends the block comment that begins at `at`, or 0 if none does."""
    if at + 1 >= end:
        return 0
    first = buffer[at]
    second = buffer[at + 1]
    if first == 47:
        return STAR_SLASH if second == 42 else 0  # /*
    if first == 35:
        return BAR_HASH if second == 124 and family == SEMICOLON else 0  # #|
    if first == 123:
        return DASH_CURLY if second == 45 else 0  # {-
    if first == 45:  # --[[
        lua = second == 45 and at + 3 < end and buffer[at + 2] == 91 and buffer[at + 3] == 91
        return BRACKETS if lua else 0
    if first == 60:  # <!--
        arrow = second == 33 and at + 3 < end and buffer[at + 2] == 45 and buffer[at + 3] == 45
        return ARROW if arrow else 0
    return 0


@declare("int64(int64)")
def block_bit(block: int) -> int:
    """Return a bit of its own for each end of a block."""
    return 1 << (block % 13)


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def is_line_comment(buffer: np.ndarray, start: int, at: int, end: int, family: int) -> int:
    """Return 1 if a comment that ends with its line begins at `at`, where a mark stands."""
    mark = buffer[at]
    if mark == 35:  # #
        if family == HASH:
            return 1 if at == start or buffer[at - 1] <= 32 else 0
        return 1 if family == PYTHON else 0
    if mark == 47:  # //
        url = at > start and buffer[at - 1] == 58
        return 1 if family == C and at + 1 < end and buffer[at + 1] == 47 and not url else 0
    if mark == 45:  # --
        return 1 if at + 1 < end and buffer[at + 1] == 45 else 0
    return 1 if mark == 59 or mark == 37 else 0  # ; %


@declare("int64(uint8[::1], int64, int64, int64)")
def triple_at(buffer: np.ndarray, at: int, end: int, family: int) -> int:
    """Return what ends the string in triple quotes that begins at `at`, or 0 if none does."""
    quote = buffer[at]
    if at + 2 >= end or buffer[at + 1] != quote or buffer[at + 2] != quote:
        return 0
    if quote == 34:
        return TRIPLE_DOUBLE if family in (PYTHON, C) else 0
    return TRIPLE_SINGLE if quote == 39 and family == PYTHON else 0


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def opens_string(buffer: np.ndarray, start: int, at: int, end: int, family: int) -> int:
    """Return 1 if the quote at `at` can begin a string."""
    if buffer[at] != 39 or family == PYTHON:
        return 1
    if family == SEMICOLON:  # a Lisp quotes with it; assembly has characters
        return 1 if at + 2 < end and buffer[at + 2] == 39 else 0
    if at == start:
        return 1
    before = int64(buffer[at - 1])
    letter = 97 <= before | 0x20 <= 122 or 48 <= before <= 57 or before == 95
    return 0 if letter or before == 41 or before == 93 or before == 125 else 1


@declare("int64(uint8[::1], int64, int64, int64, int64)")
def is_statement(buffer: np.ndarray, start: int, at: int, stop: int, end: int) -> int:
    """Return 1 if nothing else stands on the lines of the Python string `[at, stop)`: a docstring, as a rule."""
    i = at
    while i > start and (buffer[i - 1] | 0x20 == 114 or buffer[i - 1] | 0x20 == 117):  # r u
        i -= 1
    while i > start and (buffer[i - 1] == 32 or buffer[i - 1] == 9 or buffer[i - 1] == 12):
        i -= 1
    if i > start and buffer[i - 1] != 10:
        return 0
    back = i - 2
    if back > start and buffer[back] == 13:
        back -= 1
    if back >= start and buffer[back] == 92:  # the line before goes on
        return 0
    i = stop
    while i < end and (buffer[i] == 32 or buffer[i] == 9 or buffer[i] == 12 or buffer[i] == 13):
        i += 1
    return 1 if i == end or buffer[i] == 10 or buffer[i] == 35 or buffer[i] == 59 else 0  # # ;


@declare("int64(uint8[::1], int64, int64)")
def string_stop(buffer: np.ndarray, at: int, end: int) -> int:
    """Return one past the string whose quote stands at `at`, or minus the end of its line if it is not closed."""
    quote = buffer[at]
    i = at + 1
    while i < end and buffer[i] != 10:
        if buffer[i] == quote:
            return i + 1
        i += 2 if buffer[i] == 92 else 1
    return -min(i, end)


@declare("int64(uint8[::1], int64, int64)")
def line_stop(buffer: np.ndarray, at: int, end: int) -> int:
    """Return where the line ends: at its line feed, or at the row's end."""
    i = at
    while i < end and buffer[i] != 10:
        i += 1
    return i


@declare("int64(uint8[::1], int64, int64, int64)")
def find_bytes(buffer: np.ndarray, at: int, end: int, wanted: int) -> int:
    """Return one past the first occurrence of two or three bytes, written as one number; 0 if there is none."""
    mask = 0xFFFF if wanted <= 0xFFFF else 0xFFFFFF
    window = 0
    for i in range(at, end):
        window = (window << 8 | int64(buffer[i])) & mask
        if window == wanted:
            return i + 1
    return 0


@declare("int64(uint8[::1], int64, int64, int64)")
def find_triple(buffer: np.ndarray, at: int, end: int, wanted: int) -> int:
    """Return one past the triple quotes `wanted`, in which no backslash takes part; 0 if there are none."""
    window = 0
    i = at
    while i < end:
        if buffer[i] == 92:
            window = 0
            i += 2
            continue
        window = (window << 8 | int64(buffer[i])) & 0xFFFFFF
        i += 1
        if window == wanted:
            return i
    return 0


@declare("int64(uint8[::1], int64, int64)")
def count_characters(buffer: np.ndarray, start: int, end: int) -> int:
    """Return the number of characters: bytes that do not continue one."""
    count = 0
    for i in range(start, end):
        count += 1 if buffer[i] & 0xC0 != 0x80 else 0
    return count
