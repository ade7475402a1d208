"""The table of folded characters is what `unicodedata` says."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from pipeline.text import word_fold, word_fold_data
from pipeline.text.unicode_classes import UNICODE_VERSION
from tests.text.word_fold_runs import table, write


def test_the_file_is_what_the_generator_writes() -> None:
    if unicodedata.unidata_version != UNICODE_VERSION:
        pytest.skip(f"this Python has Unicode {unicodedata.unidata_version}, the table {UNICODE_VERSION}")
    with open(word_fold_data.__file__, encoding="utf-8") as file:
        assert file.read() == write()


def test_every_code_point_that_both_know() -> None:
    entries, items = table()
    ours = word_fold.ROWS.reshape(-1, 256)[word_fold.ROW_OF].ravel()
    if unicodedata.unidata_version == UNICODE_VERSION:
        assert (ours == entries).all()
        assert (items == word_fold.ITEMS).all()
        return
    other = [
        code
        for code in np.flatnonzero((ours != entries) & (ours & 7 != word_fold.LONGER))
        if unicodedata.category(chr(code)) != "Cn" and ours[code] != word_fold.SEPARATOR
    ]
    assert len(other) < 100, list(map(hex, other))
