"""Mojibake: the kernel flags whatever ftfy would change, hardly anything else, and ftfy's repair is what comes out."""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from ftfy import fix_text
from ftfy.badness import MOJIBAKE_CATEGORIES, is_bad
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.engines.operations.clean import flags_of
from pipeline.engines.unicode_repair import ENCODING_ONLY, characters
from pipeline.text.suspects import KIND_BITS, MOJIBAKE, UNNORMAL
from tests.text.columns import column, shared
from tests.text.dirt import clean, clean_one

ENCODINGS = ("latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "mac-roman", "cp437")
POOL = [chr(code) for code in range(0x80, 1 << 16) if characters()[code] & ((1 << KIND_BITS) - 1)]
SUSPICIOUS = st.text(st.one_of(st.sampled_from(POOL), st.sampled_from("aZ. 9_\n")), max_size=8)


def flagged(texts: list[str]) -> list[bool]:
    """Whether the kernel sends the texts to ftfy."""
    return (flags_of(column(texts)) & MOJIBAKE != 0).tolist()


def test_all_of_ftfys_characters_are_in_the_table() -> None:
    assert len(POOL) > 400
    assert {c for members in MOJIBAKE_CATEGORIES.values() for c in members if c != "-"} <= set(POOL)


@settings(max_examples=1000, deadline=None)
@given(st.lists(SUSPICIOUS, max_size=8))
def test_what_ftfy_finds_bad_is_flagged(texts: list[str]) -> None:
    for text, flag in zip(texts, flagged(texts), strict=True):
        assert flag or not is_bad(text)


@example("Ì", "cp1252")
@example("𧭌", "cp1252")  # its last character is Œ, the last of the row
@settings(max_examples=300, deadline=None)
@given(
    st.text(st.one_of(st.sampled_from("é’“ñüžкю€ 語🙂"), st.characters(exclude_categories=["Cs"])), max_size=12),
    st.sampled_from(ENCODINGS),
)
def test_made_mojibake_is_repaired_as_ftfy_does(text: str, encoding: str) -> None:
    broken = text.encode().decode(encoding, "replace")
    expected, before = broken, ""
    while expected != before:  # a repair may join what belongs together, so ftfy is asked again
        before = expected
        expected = "\n".join(fix_text(f"{line}\n", ENCODING_ONLY)[:-1] for line in before.split("\n"))
    assert clean_one(broken, "mojibake") == expected


def test_examples() -> None:
    assert clean_one("voilÃ  le cafÃ©, â€œouiâ€\x9d", "mojibake") == "voilà le café, “oui”"
    assert clean_one("sound café\nbut cafÃ© here", "mojibake") == "sound café\nbut café here"
    assert clean_one("Größe, «né», ÉTÉ, Ångström, доброе утро, СССР» и", "mojibake").startswith("Größe, «né», ÉTÉ")


def test_half_surrogates_never_come_out() -> None:
    for text in ("Ã­ \xa0\x80", "\xed\xa0\xbd", "\xed\xa0\xbd\xed\xb8\x80", "í\xa0½ é"):
        raw = cpu.clean(column([text]), ["mojibake"]).cast(pa.large_binary())[0].as_py()
        assert not re.search(rb"\xed[\xa0-\xbf]", raw)
        assert raw.decode("utf-8")  # strict: what is no UTF-8 raises


def test_real_text_is_hardly_ever_flagged_and_never_missed() -> None:
    with zipfile.ZipFile(shared("text-nltk-public-domain") / "udhr2.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".txt"))[::6]
        texts = [archive.read(name).decode() for name in names]
    lines = [f"{line}\n" for text in texts for line in text.split("\n")]
    flags = flagged(lines)
    bad = [is_bad(line) for line in lines]
    assert all(flag or not wrong for flag, wrong in zip(flags, bad, strict=True))
    assert sum(flags) - sum(bad) <= len(lines) / 1000
    assert len(lines) > 10_000


def test_real_pages_in_seven_languages_come_through_unchanged() -> None:
    with gzip.open(shared("text-tldr-multilang") / "tldr.jsonl.gz", "rt") as file:
        texts = [json.loads(line)["text"] for line in file]
    assert not any(flagged(texts))
    assert clean(texts, ["mojibake"]) == texts


@pytest.mark.parametrize("plane", range(3))
def test_whatever_composition_changes_is_flagged(plane: int) -> None:
    """Every character alone, and after a letter: unflagged ones are in normalisation form C and stay so."""
    codes = [code for code in range(max(plane << 16, 0x80), (plane + 1) << 16) if not 0xD800 <= code < 0xE000]
    flags = flags_of(pa.array([chr(code) for code in codes], pa.large_string())) & UNNORMAL
    for code in np.array(codes)[flags == 0].tolist():
        text = f"a{chr(code)}"
        assert unicodedata.normalize("NFC", text) == text, hex(code)
        assert unicodedata.combining(chr(code)) == 0
