"""What is found in the lines where something was put is what is found when whole texts are read again."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.engines import ENTITIES, cpu
from pipeline.engines.columns import from_arrow
from pipeline.engines.operations import nearby
from pipeline.engines.operations.nearby import Put, flag_whole, lines_around
from pipeline.engines.spans import Spans
from tests.text.columns import column
from tests.text.test_redact import PIECES

CALM = "a line of prose in which nothing stands that anybody looks for\n" * 30
LEFT = [
    "",
    "",
    "\n",
    "call ",
    "+44 20 7946 ",
    "4111 1111 1111 ",
    "key: 'x",
    "(415) 555",
    "a@b.",
    "https://bob:",
    "1.1.1.",
]
LEFT += [
    "DE89 3704 0044 0532 0130 ",
    "version\n",
    "call\n",
    "password:\n",
    "+1\n",
    "=\n",
    "-----BEGIN PRIVATE KEY-----\n",
]
VALUES = [
    "8.8.8.8",
    "219-09-9999",
    "j@d.org",
    "2001:db8::1",
    "00:1b:44:11:3a:b7",
    "4111 1111 1111 1111",
    "415-555-0123",
]
RIGHT = ["", "", "\n", " 0958", " 1111", "-0123", "@x.org", " the 785 8949", " fax", "9a1B8c2D'", "=py39", "@h", " 00"]
# Beside a disguise these tell a reading without it from one with it; the first is of the shape of a stand-in.
LEFT += ["password＝'<A_1#4539578763621486>'", "card ４111 1111 1111 1111 ", "－－－－－", "＝", "h＠"]
RIGHT += ["\n0958", "\nfax", "\n@x.org", "QUJD" * 10, "-----END", " \u200b", " a%40b.org"]
SPOTS = st.tuples(st.sampled_from(LEFT), st.sampled_from(VALUES), st.sampled_from(RIGHT)).map("".join)
SOME = st.one_of(SPOTS, SPOTS, SPOTS, st.just(CALM), st.sampled_from(["\n", " ", *PIECES]))
TEXTS = st.lists(st.lists(SOME, max_size=6).map("".join), max_size=3)
NEW = [
    "",
    "x",
    "0958",
    "@",
    "8.8.8",
    "\n",
    "+44 20 7946",
    "<IP>",
    "1\n2",
    "password = '",
    "call",
    "a%40",
    "0130",
    "1111",
]


class Nobody:
    """A finder that finds nothing: with one, texts are read whole in every round."""

    names = ()

    def __call__(self, texts: pa.LargeStringArray) -> Spans:
        nothing = np.empty(0, np.int64)
        return Spans(nothing, nothing, nothing, np.empty(0, np.int8))


def replaced(text: str, entity: str, new: str, **options: Any) -> str:
    """What becomes of a line among others where something new is put in place of one entity, `<X>` of all others."""

    def stand_ins(rows: np.ndarray, entities: np.ndarray, values: pa.LargeStringArray) -> pa.LargeStringArray:
        return column([new if ENTITIES[k] == entity else "<X>" for k in entities])

    texts = column([f"{CALM}{text}\n{CALM}"])
    (after,) = cpu.redact(texts, ENTITIES, stand_ins=stand_ins, **options).texts.to_pylist()
    assert after.startswith(CALM)
    assert after.endswith(f"\n{CALM}")
    return str(after[len(CALM) : -len(CALM) - 1])


@pytest.mark.parametrize(
    ("text", "entity", "new", "after"),
    [
        ("+44 20 7946 j@d.org", "email", "0958", "<X>"),
        ("4111 1111 1111 j@d.org", "email", "1111", "<X>"),
        ("DE89 3704 0044 0532 0130 j@d.org", "email", "00", "<X>"),
        ("785 8949 j@d.org", "email", "office", "<X> office"),
        ("j@d.org the 785 8949", "email", "call", "call the <X>"),
        ("8.8.8.8 = 'a1B2c3D4e5F6'", "ip", "password", "password = '<X>'"),
        ("version j@d.org", "email", "1.2.3.4", "version 1.2.3.4"),
        ("version\nj@d.org", "email", "1.2.3.4", "version\n<X>"),
        ("=j@d.org=py39", "email", "1.2.3.4", "=1.2.3.4=py39"),  # with the line feed before it, a package's version
        (f"-----BEGIN PRIVATE KEY-----\n{'QUJD' * 8}\nj@d.org\n-----END -----", "email", "QUJDQUJD", "<X>"),
        ("４\nj@d.org\u00a020 7946 0958", "email", "+44", "４\n<X>"),  # a text with a disguise is read without any
    ],
)
def test_what_is_put_in_place_may_complete_what_stands_in_its_line(
    text: str, entity: str, new: str, after: str
) -> None:
    assert replaced(text, entity, new, also=Nobody()) == after
    assert replaced(text, entity, new) == after


KEY_BODY = "QUJD" * 15


@pytest.mark.parametrize(
    ("disguised", "line", "after"),
    [
        # A span found without the disguise is the one taken, and stays as it is: what it hides is found without it.
        ("card ４111 1111 1111 1111", "password＝'<A_1#4539578763621486>'", "password＝'<A_1#<CREDIT_CARD>>'"),
        # A URL is taken before the key that begins in it, whose body is then searched for addresses.
        (
            "https://u:p４-----BEG@h－－－－－ PRIVATE KEY-----AAAA@x.org",
            f"{KEY_BODY}\nhost ＝＝8.8.8.8 and more\n-----END X-----",
            f"{KEY_BODY}\nhost ＝＝<IP> and more\n-----END X-----",
        ),
    ],
)
def test_a_text_that_was_disguised_is_read_whole_from_then_on(disguised: str, line: str, after: str) -> None:
    texts = column([f"{CALM}{disguised}\n{CALM}{line}\n{CALM}"])
    (found,) = cpu.redact(texts, ENTITIES).texts.to_pylist()
    assert found.endswith(f"{CALM}{after}\n{CALM}")
    assert cpu.redact(texts, ENTITIES, also=Nobody()).texts.to_pylist() == [found]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(SOME, max_size=4).map("".join), min_size=1, max_size=5))
def test_what_is_found_in_a_line_depends_on_no_other(texts: list[str]) -> None:
    lines = [line for text in texts for line in text.split("\n")]
    together = CALM + "".join(f"{line}\n{CALM}" for line in lines)
    whole = np.zeros(1, np.bool_)
    flag_whole(*from_arrow(column([together])), whole)
    assume(not whole[0])
    begin, wanted = len(CALM), []
    for line in lines:
        found = cpu.find_entities(column([f"{CALM}{line}\n{CALM}"]), ENTITIES)
        wanted += [(a + begin - len(CALM), b + begin - len(CALM), k) for _, a, b, k in zip(*found, strict=True)]
        begin += len(f"{line}\n{CALM}".encode())
    found = cpu.find_entities(column([together]), ENTITIES)
    assert [(a, b, k) for _, a, b, k in zip(*found, strict=True)] == wanted


@pytest.mark.parametrize("share", [nearby.SHARE, 0])
@settings(max_examples=500, deadline=None)
@given(TEXTS, st.lists(st.sampled_from(NEW), min_size=11, max_size=11), st.booleans())
def test_rounds_that_read_only_lines_find_what_those_find_that_read_everything(
    share: int, texts: list[str], new: list[str], tags: bool
) -> None:
    def stand_ins(rows: np.ndarray, entities: np.ndarray, values: pa.LargeStringArray) -> pa.LargeStringArray:
        return column([new[entity] for entity in entities])

    options = {} if tags else {"stand_ins": stand_ins}
    some = column(["x", *(f"{CALM}{text}\n{CALM}" for text in texts)])[1:]
    with mock.patch.object(nearby, "SHARE", share):  # 0: however much of a text has changed
        lines = cpu.redact(some, ENTITIES, **options)
    whole = cpu.redact(some, ENTITIES, also=Nobody(), **options)
    assert lines.texts.equals(whole.texts)
    assert np.array_equal(lines.counts, whole.counts)
    assert np.array_equal(lines.settled, whole.settled)


def lines_of(text: str, *values: str) -> tuple[bool, list[str]]:
    """Whether a text is read whole, else the lines that are read of it when those values were put in it."""
    texts = column(["before", text])[1:]
    starts = np.array([text.encode().index(value.encode()) for value in values], np.int64)
    ends = starts + [len(value.encode()) for value in values]
    put = Put(np.zeros(len(values), np.int64), starts, ends, np.zeros(1, np.bool_))
    lines = lines_around(from_arrow(texts), put)
    buffer = from_arrow(texts).buffer
    pieces = zip(lines.lows.tolist(), lines.highs.tolist(), strict=True)
    read = [
        lines.column.buffer[a:b].tobytes() for a, b in zip(lines.column.bounds, lines.column.bounds[1:], strict=False)
    ]
    for first, piece in zip(lines.firsts.tolist(), read, strict=True):
        assert buffer[first : first + len(piece)].tobytes() == piece
    return bool(lines.whole[0]), [buffer[low:high].tobytes().decode() for low, high in pieces]


def test_each_line_is_read_once_and_no_other() -> None:
    text = f"{CALM}one <IP> and <EMAIL>\n{CALM}<SSN>\n<MAC>é\n{CALM}"
    assert lines_of(text, "<IP>", "<EMAIL>", "<SSN>", "<MAC>") == (
        False,
        ["one <IP> and <EMAIL>", "<SSN>", "<MAC>é"],
    )
    assert lines_of(f"{CALM}a 1\n2 b\n{CALM}", "1\n2") == (False, ["a 1\n2 b"])
    assert lines_of(f"<IP>\n{CALM}{CALM}<MAC>", "<IP>", "<MAC>") == (False, ["<IP>", "<MAC>"])


def test_texts_in_which_lines_do_not_stand_alone_are_read_whole() -> None:
    for text in ("<IP>", f"{CALM}<IP>\n{CALM}a%40b.org", f"-----BEGIN PRIVATE KEY-----\n{CALM}<IP>\n{CALM}"):
        assert lines_of(text, "<IP>") == (True, [])
