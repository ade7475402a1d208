"""N-grams of words against their definition in Python's own terms."""

from __future__ import annotations

import unicodedata

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engines import cpu
from pipeline.engines.columns import from_arrow
from tests.text.words_of import ngrams_of, words_of

ODD = "abAB1 .,-_'é\u0301ÉßẞİΣς½ㅎ한ガ\u3099株㍿ﷺ\u200d\u00ad\n\u00a0🙂ไ"
"""Whatever a character can be to a word."""

TEXTS = st.lists(st.text(st.sampled_from(ODD) | st.characters(exclude_categories=["Cs"])), max_size=4)


def column(texts: list[str]) -> pa.LargeStringArray:
    return pa.array(["before", *texts], pa.large_string()).slice(1)


@settings(deadline=None)
@given(TEXTS)
def test_words_stand_where_the_definition_puts_them(texts: list[str]) -> None:
    places = cpu.place_words(column(texts))
    starts = from_arrow(column(texts)).bounds[:-1]
    found = [
        list(zip((places.starts[low:high] - start).tolist(), (places.ends[low:high] - start).tolist(), strict=True))
        for low, high, start in zip(places.bounds, places.bounds[1:], starts, strict=False)
    ]
    assert found == [[(start, end) for _, start, end in words_of(text)] for text in texts]
    assert cpu.count_words(column(texts)).tolist() == [len(words) for words in found]


@settings(deadline=None)
@given(TEXTS, st.integers(1, 4))
def test_n_grams_are_equal_where_their_words_are(texts: list[str], length: int) -> None:
    found = cpu.hash_ngrams(column(texts), length)
    expected = [ngram for text in texts for ngram in ngrams_of(text, length)]
    assert np.diff(found.bounds).tolist() == [len(ngrams_of(text, length)) for text in texts]
    pairs = list(map(tuple, found.hashes.tolist()))
    assert len(set(pairs)) == len(set(expected)) == len(set(zip(pairs, expected, strict=True)))


@settings(deadline=None)
@given(st.text(max_size=30))
def test_words_do_not_depend_on_form_case_or_accents(text: str) -> None:
    text = "".join(character for character in text if unicodedata.category(character) not in ("Cs", "Cn"))
    hashes = cpu.hash_ngrams(column([text]), 1).hashes.tolist()
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert cpu.hash_ngrams(column([unicodedata.normalize(form, text)]), 1).hashes.tolist() == hashes
    assert cpu.hash_ngrams(column([text.casefold()]), 1).hashes.tolist() == hashes


@settings(deadline=None)
@given(TEXTS, TEXTS, st.sets(st.integers(1, 4), min_size=1))
def test_what_is_in_the_table_is_found_and_nothing_else(texts: list[str], others: list[str], lengths: set[int]) -> None:
    hashes = np.concatenate([cpu.hash_ngrams(column(others), length).hashes for length in lengths])
    table, slots = cpu.ngram_table(np.unique(hashes, axis=0), list(lengths))
    assert len(set(slots.tolist())) == len(slots)
    found = cpu.find_ngrams(column(texts), table)
    wanted = {ngram for other in others for length in lengths for ngram in ngrams_of(other, length)}
    expected = [
        (number, word, length)
        for number, text in enumerate(texts)
        for length in lengths
        for word, ngram in enumerate(ngrams_of(text, length))
        if ngram in wanted
    ]
    assert sorted(zip(found.texts.tolist(), found.words.tolist(), found.lengths.tolist(), strict=True)) == sorted(
        expected
    )
    assert set(found.slots.tolist()) <= set(slots.tolist())


def test_the_same_words_in_another_order_are_another_n_gram() -> None:
    words = [f"w{k}" for k in range(13)]
    texts = [" ".join(words)]
    for a in range(13):
        for b in range(a):
            other = words.copy()
            other[a], other[b] = other[b], other[a]
            texts.append(" ".join(other))
    hashes = cpu.hash_ngrams(column(texts), 13).hashes
    assert len(np.unique(hashes[:, 0])) == len(np.unique(hashes[:, 1])) == len(texts)


def test_unigrams_of_different_length_do_not_meet() -> None:
    assert cpu.hash_ngrams(column(["a a"]), 2).hashes.tolist() != cpu.hash_ngrams(column(["aa"]), 1).hashes.tolist()
