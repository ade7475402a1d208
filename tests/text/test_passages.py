"""`licence_header`, `signature`, `boilerplate` and `c4_lines`: passages that go whole, and what stays beside them."""

from __future__ import annotations

import gzip
import json
import re
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from pipeline.config import Clean
from tests.text.columns import shared
from tests.text.dirt import DIRTY, clean, clean_one

CODE = tuple(Clean().code)

HEADERS = {
    "python": "# Copyright (c) 2010 Ann\n#\n# Licensed under the Apache License, Version 2.0\n",
    "spdx": "// SPDX-License-Identifier: MIT\n",
    "c": "/*\n * Copyright 2020 The Authors. All rights reserved.\n */\n",
    "jquery": "/*! x v3 | (c) copyright x */\n",
    "html": "<!--\n  Copyright 2011 x\n-->\n",
    "sql": "-- Copyright (C) 1999 x\n-- under the GNU General Public License\n",
    "lisp": ";;; Copyright (C) 1999 x\n;; GPL\n",
    "tex": "% Copyright 2003 x\n",
    "ocaml": "(* Copyright 2003 x\n *)\n",
    "haskell": "{- Copyright 2003 x -}\n",
    "two": "// Copyright 2020 a\n\n// SPDX-License-Identifier: MIT\n\n\n",
}
BODIES = (
    '"""Copyright 2010, in a docstring."""\nimport a\n',
    "#include <stdio.h>\n\nint main() { }\n",
    "/// Copyright 2010: a doc comment\nfn main() {}\n",
    "# What this module is for.\n\nx = 1  # Copyright 2010\n",
    "---\ntitle: x\n---\n",
    "package x // Copyright 2020\n",
)
PREAMBLES = (
    "",
    "#!/usr/bin/env python\n",
    "#!/bin/sh\n# -*- coding: utf-8 -*-\n",
    "<?php\n",
    "<?xml version='1.0'?>\n",
)


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("preamble", PREAMBLES)
def test_a_licence_header_goes_and_nothing_else(preamble: str, header: str, body: str) -> None:
    for gap in ("", "\n"):
        if not gap and body[0] == header[0] == "#" and body[1] == " ":
            continue  # one comment with the header
        if header[:2] == "--" and body[:2] == "--":
            continue
        assert clean_one(f"{preamble}{header}{gap}{body}", "licence_header") == preamble + body
    assert clean_one(preamble + body, "licence_header") == preamble + body


@settings(max_examples=300, deadline=None)
@given(st.one_of(DIRTY, st.sampled_from(BODIES)))
@example("#38;© 2020")
def test_code_keeps_every_line_and_byte(text: str) -> None:
    """With the default list: only controls, the kind of line breaks, and the licence header at the top change."""
    text = clean_one(text, "controls")
    whole = re.sub("\r\n|[\r\v\f\x85\u2028\u2029]", "\n", text)
    after = clean_one(text, *CODE)
    # What is left is a start of it (the preamble) and the whole end of it, so one piece went, or none.
    assert any(whole.startswith(after[:k]) and whole.endswith(after[k:]) for k in range(len(after) + 1))
    if not re.search("(?i)copyright|spdx|©|licen[cs]e|rights|permission|redistribution|domain", whole):
        assert after == whole


def test_the_standard_library_keeps_its_code() -> None:
    folder = Path(sysconfig.get_paths()["stdlib"])
    sources = [path.read_bytes() for path in sorted(folder.glob("*.py"))]
    texts = [source.decode() for source in sources if b"\r" not in source and b"\f" not in source]
    changed = 0
    for before, after in zip(texts, clean(texts, CODE), strict=True):
        if before != after:
            changed += 1
            assert compile(after, "after", "exec").co_code == compile(before, "before", "exec").co_code
            kept = set(after.splitlines())
            gone = [line for line in before.splitlines() if line not in kept]
            assert all(line.startswith("#") for line in gone), gone
    assert changed > 3


SIGNED = {
    "mark": ("Dear all,\n\nyes.\n-- \nAnn\nACME Ltd\n", "Dear all,\n\nyes.\n"),
    "bare mark": ("yes.\n--\nAnn", "yes.\n"),
    "phone": ("yes.\n\nSent from my iPhone\n", "yes.\n\n"),
    "both": ("yes.\n-- \nAnn\n\nGet Outlook for iOS", "yes.\n"),
    "reply": ("Sure.\n\nOn Mon, 5 May 2010 at 10:11, Bob <b@x.org> wrote:\n> Really?\n", "Sure.\n\n> Really?\n"),
    "reply in two lines": ("On Mon, 5 May 2010, 10:11,\nBob wrote:\n> Really?\n", "> Really?\n"),
    "original": ("Ok\n-----Original Message-----\nFrom: A\nSent: x\nTo: B\nSubject: C\n\nHello\n", "Ok\nHello\n"),
    "rule": ("a\n---\nb", "a\n---\nb"),
    "options": ("use `--` to end options:\n  -- file", "use `--` to end options:\n  -- file"),
    "far from the end": ("-- \n" + "line\n" * 20, "-- \n" + "line\n" * 20),
    "prose": ("On liberty, as Mill wrote:\nno", "On liberty, as Mill wrote:\nno"),
    "sent": ("Sent from my heart, he said.\nThen he left.", "Sent from my heart, he said.\nThen he left."),
}


@pytest.mark.parametrize(("before", "after"), SIGNED.values(), ids=SIGNED)
def test_signatures(before: str, after: str) -> None:
    assert clean_one(before, "signature") == after


def test_boilerplate_goes_at_the_top_and_the_bottom_only() -> None:
    policy, rights = "This site uses cookies.\nAccept?", "Copyright © 2020 ACME. All rights reserved."
    body = "One.\n\nTwo."
    assert clean_one(f"{policy}\n\n{policy}\n\n{body}\n\n{rights}\n", "boilerplate") == body
    assert clean_one(f"One.\n\n{policy}\n\nTwo.", "boilerplate") == f"One.\n\n{policy}\n\nTwo."
    assert clean_one(f"{policy}\n\n{rights}", "boilerplate") == ""
    article = "A privacy policy is a text. " * 60
    assert clean_one(article, "boilerplate") == article


@pytest.fixture(scope="module")
def peer() -> Callable[[str], str]:
    """datatrove's filter of lines, run until nothing changes: a line may lose its third word with a citation."""
    name = "datatrove.pipeline.filters.c4_filters"
    c4 = pytest.importorskip(name, reason="datatrove (extra `bench`) is not installed")
    from datatrove.data import Document

    one = c4.C4QualityFilter(filter_lorem_ipsum=False, filter_curly_bracket=False, min_num_sentences=-1)

    def lines(text: str) -> str:
        while True:
            document = Document(text=text, id="0")
            assert one.filter(document) is True
            if document.text == text:
                return text
            text = document.text

    return lines


def test_c4_lines_are_those_of_datatrove(peer: Callable[[str], str]) -> None:
    with gzip.open(shared("text-peps") / "peps.jsonl.gz", "rt") as file:
        texts = [json.loads(line)["text"] for _, line in zip(range(60), file, strict=False)]
    texts += ["a [1] b.", "[2] Leading words here.", "Some words end [edit].", "A b c.\x1cD e f!", "א ב ג."]
    texts += [
        "x" * 1001 + " a b c.",
        "All of it... \nThe end of it...",
        "Use JavaScript for it.",
        "Curly quotes end none.”",
    ]
    assert clean(texts, ["c4_lines"]) == [peer(text) for text in texts]


@settings(max_examples=200, deadline=None)
@given(DIRTY)
def test_c4_lines_of_any_text_are_those_of_datatrove(peer: Callable[[str], str], text: str) -> None:
    assume("<" not in text and "***" not in text)  # a tag of redaction counts as three words here
    assert clean_one(text, "c4_lines") == peer(text)
