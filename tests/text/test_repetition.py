"""What repeats: the peers' published numbers, very long texts, and texts made to collide."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest

from pipeline.engines import cpu
from pipeline.text.repeats import LINES_COMPARED
from pipeline.text.signals import WORDS_COMPARED
from tests.text.columns import column
from tests.text.test_signals import signals

NGRAMS = re.compile(r"(top|duplicate)_\d+gram")
DUPLICATES = re.compile(r"duplicate_(line|paragraph)")


@pytest.mark.parametrize(
    ("text", "top_curator", "top_datatrove", "duplicate_curator", "duplicate_datatrove"),
    [
        ("the cat sat on the mat the cat ran", 14 / 34, 14 / 34, 0, 0),
        ("a b a b c d", 6 / 11, 6 / 11, 0, 0),
        ("aa bb cc dd ee " * 3, 15 / 45, 15 / 45, 29 / 45, 20 / 45),
        ("a a a a a a", 9 / 11, 15 / 11, 9 / 11, 5 / 11),
        ("x", 0, 0, 0, 0),  # Curator: 1, and the text is dropped
    ],
)
def test_the_peers_numbers(
    text: str, top_curator: float, top_datatrove: float, duplicate_curator: float, duplicate_datatrove: float
) -> None:
    found = signals(text)
    assert found["top_2gram_share_curator"] == pytest.approx(top_curator)
    assert found["top_2gram_ratio_datatrove"] == pytest.approx(top_datatrove)
    assert found["duplicate_5gram_share_curator"] == pytest.approx(duplicate_curator)
    assert found["duplicate_5gram_share_datatrove"] == pytest.approx(duplicate_datatrove)


def test_the_tie_goes_to_the_longest() -> None:
    """NeMo Curator gives .714 or .179 here, by PYTHONHASHSEED; datatrove the first."""
    text = "ab cd ab cd extraordinarily long extraordinarily long xx"
    assert signals(text)["top_2gram_share_curator"] == 2 * len("extraordinarily long") / len(text)
    assert signals(text)["top_2gram_ratio_datatrove"] == 2 * len("ab cd") / len(text)


def test_whole_words_count_and_any_whitespace_parts_them() -> None:
    assert signals("a  b\nc a\tb c")["top_3gram_share_curator"] == 2 * len("a b c") / 12
    assert signals("xa b a b y a bz")["top_2gram_share_curator"] == 0.0  # `str.replace` finds `a b` three times


@pytest.mark.parametrize("text", ["漢字", "漢 字", "ที่นี่", "ひらがなカタカナ"])
def test_text_without_spaces_never_exceeds_itself(text: str) -> None:
    for repeated in (text * 9, (text + " ") * 9, text * 5 + " " + text):
        found = signals(repeated)
        shares = {name: share for name, share in found.items() if NGRAMS.match(name) and "share" in name}
        assert all(0 <= share <= 1 for share in shares.values()), shares
        assert max(shares.values()) > 0.5


def test_a_5_megabyte_row_of_one_letter_words() -> None:
    found = signals("a b c d " * 655_360)
    assert found["word_count"] == 4 * 655_360
    assert found["top_4gram_share_curator"] == pytest.approx(7 / 8)
    assert found["duplicate_10gram_share_curator"] == pytest.approx(1, abs=1e-5)


def test_ngrams_of_a_very_long_text_are_those_of_its_beginning() -> None:
    beginning = ("a b a c " * (WORDS_COMPARED // 4)).strip()
    cut, longer = cpu.signals(column([beginning])), cpu.signals(column([beginning + " d e f g d e f g"]))
    for name in filter(NGRAMS.match, cut):
        assert longer[name][0] == cut[name][0] > 0, name
    assert longer["word_count"][0] == WORDS_COMPARED + 8


def test_duplicate_parts_of_a_very_long_text_are_those_of_its_beginning() -> None:
    beginning = "\n".join(["a", "a", "", " b", "", "b "] * (LINES_COMPARED // 6) + ["x"] * (LINES_COMPARED % 6))
    beginning += "\n" * (LINES_COMPARED - 1 - beginning.count("\n"))
    cut, longer = cpu.signals(column([beginning])), cpu.signals(column([beginning + "\n b \n\n c\n\n"]))
    for name in filter(DUPLICATES.match, cut):
        assert longer[name][0] == cut[name][0] > 0, name
    assert longer["line_count"][0] == LINES_COMPARED + 5


def test_no_text_stalls() -> None:
    """Not one word over and over, not different ones only, nor numbers in order, whose hashes could fall in line."""
    rng = np.random.default_rng(0)
    size = 300_000
    texts = {
        "ordinary": " ".join(f"w{n}" for n in rng.zipf(1.3, size) % 50_000),
        "one": "word " * size,
        "different": " ".join(f"{n:x}" for n in range(1 << 40, (1 << 40) + size)),
        "pairs": " ".join(f"{n // 600} {n % 600}" for n in range(size // 2)),
        "lines": "\n".join(f"{n}" for n in range(size)),
        "empty lines": "\n" * 2_000_000,
        "letters": " ".join(map(chr, rng.integers(97, 123, size))),
    }
    rate = {}
    for name, text in texts.items():
        begun = time.process_time()
        cpu.signals(column([text]))
        rate[name] = (time.process_time() - begun) / len(text)
    assert max(rate.values()) < 60 * rate["ordinary"], rate
