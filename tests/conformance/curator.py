"""NeMo Curator's scores, written anew from its formulas (`nemo_curator/stages/text/filters/heuristic`, 1.x).

The only change: of equally frequent n-grams the longest is taken, then the first, where Curator takes whichever its set
yields first (so that the score depends on PYTHONHASHSEED).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import regex

__all__ = ["POLICY", "duplicate_ngrams", "most_frequent", "scores", "top_ngram"]

ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
BULLETS = tuple("•‣⁃⁌⁍∙○●◘◦⦾⦿")
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
URL = re.compile(r"https?://(?:[A-Za-z0-9$\-_@.&+/:=?#~]|[!*\(\),]|(?:%[0-9A-Fa-f]{2}))+")
POLICY = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "privacy overview",
    "use of cookies",
    "use cookies",
    "privacy & cookies policy",
    "privacy and cookies policy",
    "this website uses cookies to improve your experience while you navigate through the website. out of these "
    "cookies, the cookies that are categorized as necessary are stored on your browser as they are essential for the "
    "working of basic functionalities of the website. we also use third-party cookies that help us analyze and "
    "understand how you use this website. these cookies will be stored in your browser only with your consent. you "
    "also have the option to opt-out of these cookies. but opting out of some of these cookies may have an effect on "
    "your browsing experience.",
    "necessary cookies are absolutely essential for the website to function properly. this category only includes "
    "cookies that ensures basic functionalities and security features of the website. these cookies do not store any "
    "personal information.",
    "any cookies that may not be particularly necessary for the website to function and is used specifically to "
    "collect user personal data via analytics, ads, other embedded contents are termed as non-necessary cookies. it "
    "is mandatory to procure user consent prior to running these cookies on your website.",
    "this site uses cookies, including for analytics, personalization, and advertising purposes. for more information "
    "or to change your cookie settings, click here.",
    "if you continue to browse this site without changing your cookie settings, you agree to this use. acceptread more",
)


@cache
def scores(text: str) -> dict[str, float]:
    """Every score of a text that is not blank, by the name of our signal."""
    words = text.split()
    lines = [line for line in text.split("\n") if line.strip()]
    paragraphs = text.split("\n\n")
    stripped = [line.strip() for line in lines]
    found = {
        "word_count": len(words),
        "line_count": text.count("\n") + 1,
        "mean_word_length": sum(map(len, words)) / len(words),
        "longest_word": max(map(len, words)),
        "symbol_word_share_curator": _share(words, _is_symbol),
        "alphabetic_word_share": _share(words, lambda word: bool(regex.search("[[:alpha:]]", word))),
        "stop_word_count": sum(word in STOP_WORDS for word in words),
        "non_alphanumeric_share_curator": 1 - len(re.findall(r"[a-zA-Z0-9\n?!,.]", text)) / len(text),
        "alphabetic_share": len(regex.findall("[[:alpha:]]", text)) / len(text),
        "digit_share": len(regex.findall("[[:digit:]]", text)) / len(text),
        "whitespace_share": sum(character in "\t\n\r\b " for character in text) / len(text),
        "parenthesis_share": len(re.findall(r"[{}⟨⟩\[\]()]", text)) / len(text),
        "url_share": sum(map(len, URL.findall(text))) / len(text),
        "bullet_line_share_curator": _share(stripped, lambda line: line.startswith(BULLETS)),
        "ellipsis_line_share_curator": _share(stripped, lambda line: line.lower().endswith(ELLIPSES)),
        "unmarked_line_share_curator": _share(stripped, lambda line: not line.endswith((".", "?", "!", '"', "'"))),
        "boilerplate_paragraph_share_curator": _boilerplate(paragraphs),
        "xml_header": int("<?xml version=" in text[:100]),
    }
    for part, all_parts in (("line", lines), ("paragraph", paragraphs)):
        distinct = set(all_parts)
        found[f"duplicate_{part}_share_curator"] = 1 - len(distinct) / len(all_parts)
        found[f"duplicate_{part}_char_share_curator"] = 1 - len("".join(distinct)) / len("".join(all_parts))
    for size in (2, 3, 4):
        found[f"top_{size}gram_share_curator"] = top_ngram(text, size)
    for size in range(5, 11):
        found[f"duplicate_{size}gram_share_curator"] = duplicate_ngrams(text, size)
    return found


def top_ngram(text: str, size: int) -> float:
    """The share of characters that go with the most frequent n-gram; 1 for a text of fewer words."""
    if len(text.split()) < size:
        return 1.0
    return (len(text) - len(text.replace(most_frequent(text, size), ""))) / len(text)


def most_frequent(text: str, size: int) -> str:
    """The n-gram that comes most often, its words joined by spaces."""
    ngrams = _ngrams(text.split(), size)
    counts = Counter(ngrams)  # in the order of first occurrence, which `max` keeps among equals
    return " ".join(max(counts, key=lambda ngram: (counts[ngram], len(" ".join(ngram)))))


def duplicate_ngrams(text: str, size: int) -> float:
    """The share of characters in n-grams that came before; 1 for a text of fewer words."""
    words = text.split()
    if len(words) < size:
        return 1.0
    seen: set[tuple[str, ...]] = set()
    characters, counted = 0, 0
    for ngram in _ngrams(words, size):
        if ngram in seen:
            characters += sum(map(len, ngram[counted:])) + min(size - counted, size - 1)
            counted = size
        seen.add(ngram)
        counted = max(counted - 1, 0)
    return characters / len(text)


def _ngrams(words: list[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


def _is_symbol(word: str) -> bool:
    runs = sum(character == "#" and before != "#" for before, character in pairwise(f" {word}"))
    return word in ELLIPSES or runs / len(word) > 0.5


def _boilerplate(paragraphs: list[str]) -> float:
    if any("lorem ipsum" in paragraph.lower() for paragraph in paragraphs):
        return 1.0
    return _share(paragraphs, lambda paragraph: any(phrase in paragraph.strip().lower() for phrase in POLICY))


def _share(parts: list[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, parts)) / len(parts)
