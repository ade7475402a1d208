"""Properties: one file that requests nothing, well-formed, with every text escaped and nothing invented."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.report import report
from pipeline.run import RunDirectory
from tests.evaluate.runs import make_recipe
from tests.report.conftest import ADDRESS, ATTACK, LEDGER, Made

VOID = {"meta"}


class Page(HTMLParser):
    """Checks nesting, and collects the tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def html(whole: Made) -> str:
    path = report(*whole)
    assert path == whole[0].path("report.html")
    return path.read_text(encoding="utf-8")


def test_the_page_is_well_formed_and_requests_nothing(html: str) -> None:
    assert html.startswith("<!DOCTYPE html>")
    page = Page(html)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "use", "image"}
    assert not {name for name, _ in page.attributes} & {"src", "href", "srcset", "action", "xlink:href", "style-src"}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert not re.search(r"https?:|@import|url\(|@font-face", html)
    assert "prefers-color-scheme: dark" in html


def test_text_of_rows_is_escaped_everywhere(html: str) -> None:
    assert "<script" not in html
    page = Page(html)
    # A generation, a piece of evidence and a note, each as it was.
    assert page.text.count(ATTACK) == 8 + 1 + 1


def test_generations_are_redacted_before_they_are_cut(html: str) -> None:
    text = Page(html).text
    assert text.count("<EMAIL>") == 3 * 8
    assert ADDRESS[:4] not in text, "nor the half of one at the place where a text would be cut"


def test_every_rule_of_the_ledger_is_shown_with_at_most_five_examples(html: str) -> None:
    text = Page(html).text
    for line in LEDGER:
        assert f"{line['stage']} · {line['rule']}" in text
    assert "filter · word_count – 7 lines" in text
    shown = [n for n in range(7) if f"sums/sums.jsonl#{1010 + n}" in text]
    assert shown == [0, 1, 2, 3, 4]
    assert "sums.jsonl, line 1001" in text


def test_the_funnel_adds_up_on_the_page(html: str) -> None:
    text = Page(html).text
    assert "50 rows in = 38 kept + 10 dropped + 2 rejected" in text
    assert "train 24  validation 6  test 8" in text


def test_headline_metrics_and_decision_are_the_files_own(html: str) -> None:
    text = Page(html).text
    assert "5.8123 → 2.3456" in text
    assert "Promoted: there is no champion yet." in text
    assert "4 of 2 steps" in text  # the log's last whole line, and the recipe's steps
    assert "last loss 1.2500" in text


def test_charts_are_drawn(html: str) -> None:
    assert html.count("<svg") == 3 + 3  # a histogram a split; loss, gradient norm, learning rate
    assert html.count("<polyline") == 3
    bars = [int(count) for count in re.findall(r"<title>[^<]*: ([\d,]+)</title>", html)]
    assert sum(bars) == 38  # every example is in a bucket


def test_eight_generations_are_shown(html: str) -> None:
    text = Page(html).text
    assert sum(f"reference {n}" in text for n in range(20)) >= 8
    assert len(re.findall(r"reference \d+", text)) == 8


def test_versions_and_fingerprints_are_named(whole: Made, html: str) -> None:
    text = Page(html).text
    assert whole[1].fingerprint() in text
    for folder in ("curated", "packed", "checkpoints", "evaluation", "promotion"):
        assert f"<tr><td>{folder}</td>" in html
    assert re.search(r"torch \d+\.\d+", text)


def test_the_same_run_gives_the_same_page(whole: Made) -> None:
    once = report(*whole).read_bytes()
    assert report(*whole).read_bytes() == once


def test_what_has_not_run_is_said_to_be_missing(tmp_path: Path) -> None:
    recipe = make_recipe(tmp_path / "run")
    run = RunDirectory.open(recipe)
    text = Page(report(run, recipe).read_text(encoding="utf-8")).text
    for stage in ("curation", "packing", "training", "evaluation", "promotion"):
        assert f"Missing: {stage} has not run yet." in text
    assert "→" not in text


def test_a_run_that_stopped_after_packing_shows_what_it_has(whole: Made) -> None:
    run, recipe = whole
    for name in ("checkpoints", "evaluation", "promotion", "logs"):
        shutil.rmtree(run.path(name))
    text = Page(report(run, recipe).read_text(encoding="utf-8")).text
    assert "50 rows in = 38 kept + 10 dropped + 2 rejected" in text
    assert "Missing: training has not run yet." in text
    assert "Missing: evaluation has not run yet." in text
    assert "Missing: packing" not in text
