"""JSON texts thick with personal data and escapes, and what their redaction must be, said with Python's own parser."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence

import numpy as np
import orjson
from hypothesis import strategies as st

from pipeline.engines import ENTITIES, cpu
from tests.text.columns import column

TOKEN = re.compile(
    r'(?P<string>"(?:[^"\\]|\\.)*")(?P<key>\s*:)?|(?<![\d.eE+-])(?P<number>[1-9]\d{6,})(?![\d.eE])|[^"\d{}]+|.', re.S
)
"""A key with its colon, a string, an integer of seven digits or more, or anything between."""

LONE = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\(u[dD][89a-fA-F]..)|\\.")
"""An escape; the group is there only for half a surrogate pair."""

PIECES = [
    *["1", "555", "8.8.8.8", "4111 1111 1111 1111", "219-09-9999", "415-555-0123", "+44 20 7946 0123", "2001:db8::1"],
    *["a@b.com", "x", "@", ".", "-", " ", "(", ":", "é", "中", "😀", "<IP>", "version ", "DE89370400440532013000"],
    *['"', "\\", "/", "\n", "\t", "\x00", "\x1f", "\x7f", "\u2028", "u0041", "jane.doe@northwind.org", "{}", "[,]"],
]


halves = st.from_regex(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}", fullmatch=True) | st.sampled_from(["\\ud83d", "\\uDE00"])
"""Halves of surrogate pairs."""


def content(draw: st.DrawFn) -> str:
    """Draw the content of a literal."""
    pieces = draw(st.lists(st.sampled_from(PIECES) | st.characters(exclude_categories=["Cs", "Co"])))
    written = [_written(draw, character) for piece in pieces for character in piece]
    for half in draw(st.just([]) | st.lists(halves, max_size=3)):  # two may meet and be a whole pair
        written.insert(draw(st.integers(0, len(written))), half)
    return "".join(written)


def _written(draw: st.DrawFn, character: str) -> str:
    """A character in one of the forms that JSON has for it, most often the plainest."""
    form = draw(st.integers(0, 12))
    if form == 12 and character == "/":
        return "\\/"
    if form in (10, 11):
        units = np.frombuffer(character.encode("utf-16-le"), "<u2")
        return "".join(f"\\u{unit:04x}" if form == 10 else f"\\u{unit:04X}" for unit in units)
    return json.dumps(character, ensure_ascii=False)[1:-1]


literals = st.composite(lambda draw: f'"{content(draw)}"')()
numbers = st.sampled_from(["4111111111111111", "-1.0e5", "219099999", "0", "true", "null"])
spaces = st.sampled_from(["", "", " ", "\n  "])


def _containers(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.builds(
        lambda items, space: f"[{space}{(',' + space).join(items)}]", st.lists(values, max_size=3), spaces
    )
    members = st.lists(st.tuples(literals, values), max_size=3)
    return lists | st.builds(
        lambda items, space: "{" + ",".join(f"{space}{key}{space}:{value}" for key, value in items) + space + "}",
        members,
        spaces,
    )


json_texts = st.recursive(literals | numbers, _containers, max_leaves=6)
"""Valid JSON texts."""


def redact_slowly(text: str, entities: Sequence[str]) -> tuple[str, np.ndarray]:
    """Redact a JSON text scalar by scalar until nothing changes, with `json` for the escapes."""
    counts = np.zeros(len(ENTITIES), np.int64)
    while True:
        text, found = _once(text, entities)
        if not found.any():
            return text, counts
        counts += found


def _once(text: str, entities: Sequence[str]) -> tuple[str, np.ndarray]:
    counts = np.zeros(len(ENTITIES), np.int64)
    taken: dict[int, set[str]] = {}  # object → keys that stay
    halves: dict[str, str] = {}

    def hidden(escape: re.Match[str]) -> str:
        if escape[1] is None:
            return escape[0]
        halves.setdefault(escape[0], chr(0xE000 + len(halves)))  # no entity has it, and no text that is drawn
        return halves[escape[0]]

    def written(value: str) -> str:
        shown = {character: escape for escape, character in halves.items()}
        return re.sub("[\ue000-\uf8ff]", lambda half: shown[half[0]], json.dumps(value, ensure_ascii=False))

    tokens = list(TOKEN.finditer(text))
    homes = list(_objects(tokens))
    values = [json.loads(LONE.sub(hidden, token["string"])) if token["string"] else token[0] for token in tokens]
    new: dict[int, str] = {}
    for place, token in enumerate(tokens):
        if token["string"] is None and token["number"] is None:
            continue
        value = values[place]
        before = place - 1 if place and tokens[place - 1]["key"] is None and not tokens[place - 1][0].strip() else place
        key = values[before - 1] if before and not token["key"] and tokens[before - 1]["key"] else None
        quote = '"' if token["string"] and key is not None else ""
        head = "" if key is None else f'{key}": {quote}'
        if token["string"] and not token["key"] and _is_nested(value):
            after, found = redact_slowly(value, entities)
        else:
            after, found = _replaced(value, head, quote, entities, whole=token["number"] is not None)
        if not found.any():
            if token["key"]:
                taken.setdefault(homes[place], set()).add(value)
            continue
        counts += found
        new[place] = after
    given: dict[tuple[int, str], str] = {}
    for place, after in new.items():
        home = homes[place]
        if tokens[place]["key"]:
            if (home, values[place]) not in given:
                free = next(name for name in _names(after) if name not in taken.get(home, set()))
                taken.setdefault(home, set()).add(free)
                given[home, values[place]] = free
            new[place] = given[home, values[place]]
    parts = [
        written(new[place]) + (token["key"] or "") if place in new else token[0] for place, token in enumerate(tokens)
    ]
    return "".join(parts), counts


def _replaced(value: str, head: str, tail: str, entities: Sequence[str], *, whole: bool) -> tuple[str, np.ndarray]:
    """Put tags into a value that is read between head and tail."""
    counts = np.zeros(len(ENTITIES), np.int64)
    old, first = value.encode(), len(head.encode())
    new, floor = b"", 0
    for _, start, end, entity in zip(*cpu.find_entities(column([head + value + tail]), entities), strict=True):
        if start < first or end > first + len(old) or (whole and end - start < len(old)):
            continue
        new += old[floor : start - first] + f"<{ENTITIES[entity].upper()}>".encode()
        floor = end - first
        counts[entity] += 1
    return (new + old[floor:]).decode(), counts


def _is_nested(value: str) -> bool:
    if re.search("[\ue000-\uf8ff]", value) or not re.fullmatch(r"\{.*\}|\[.*\]", value, re.S):
        return False
    try:
        orjson.loads(value)
    except ValueError:
        return False
    return True


def _objects(tokens: list[re.Match[str]]) -> Iterator[int]:
    """The object that each token stands in: where its brace is, or -1."""
    around = [-1]
    for token in tokens:
        if token[0] == "}":
            around.pop()
        yield around[-1]
        if token[0] == "{":
            around.append(token.start())


def _names(key: str) -> Iterator[str]:
    yield key
    for number in itertools.count(2):
        yield f"{key[:-1]}#{number}>" if key.endswith(">") else f"{key}#{number}"
