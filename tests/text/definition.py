"""Every signal that the fused pass computes, said in plain Python; what the kernels are compared with."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests.text.unicode_runs import ANYWHERE, BULLETS, CLOSING, PARENTHESES, PUNCTUATION, TERMINAL, UNSPACED_SCRIPTS

__all__ = ["definition", "words_of"]

URL = re.compile(r"https?://(?:[A-Za-z0-9$\-_@.&+/:=?#~]|[!*(),]|%[0-9A-Fa-f]{2})+")
ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")


class Word(NamedTuple):
    """A word.

    Attributes:
        text: Its characters.
        spaced: Whitespace stands before it.
        measured: Its length says something.
    """

    text: str
    spaced: bool
    measured: bool


def definition(text: str) -> dict[str, float]:
    """The signals of a text, by name."""
    return _sizes(text) | _words(text) | _characters(text) | _lines(text) | _duplicates(text) | _ngrams(text)


def words_of(text: str) -> list[Word]:
    """The words of a text."""
    words = []
    for token in text.split():
        parts: list[str] = []
        joins = False
        for character in token:
            if _unspaced(character):
                parts.append(character)
                joins = True
            elif parts and _unspaced(parts[-1][0]):
                if unicodedata.category(character) in ("Mn", "Mc"):
                    parts[-1] += character
                else:
                    parts.append(character)
            elif parts:
                parts[-1] += character
            else:
                parts = [character]
        for place, part in enumerate(parts):
            says = any(unicodedata.category(c)[0] in "LN" for c in part) or not joins
            words.append(Word(part, place == 0, not _unspaced(part[0]) and says))
    return words


def _unspaced(character: str) -> bool:
    return unicodedata.category(character)[0] == "L" and any(
        low <= ord(character) <= high for low, high in UNSPACED_SCRIPTS
    )


def _filled(parts: Sequence[str]) -> list[str]:
    return [part for part in parts if part.strip()]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _sizes(text: str) -> dict[str, float]:
    return {
        "char_count": len(text),
        "byte_count": len(text.encode()),
        "word_count": len(words_of(text)),
        "line_count": text.count("\n") + 1 if text else 0,
        "filled_line_count": len(_filled(text.split("\n"))),
        "paragraph_count": len(_filled(text.split("\n\n"))),
        "sentence_count": _sentences(text),
    }


def _sentences(text: str) -> int:
    found, ending = 0, ""
    for character in [*text, " "]:
        if character in TERMINAL:
            if character in ANYWHERE and ending != "counted":
                found, ending = found + 1, "counted"
            ending = ending or "open"
        elif character.isspace():
            found, ending = found + (ending == "open"), ""
        elif unicodedata.category(character) not in ("Pe", "Pf") and character not in CLOSING:
            ending = ""
    return found


def _words(text: str) -> dict[str, float]:
    words = words_of(text)
    plain = [word for word in words if any(c not in PUNCTUATION | TERMINAL for c in word.text)]
    lengths = [len(word.text) for word in words if word.measured]
    plain_lengths = [len(word.text) for word in plain if word.measured]
    symbols = [w for w in words if w.text in ELLIPSES or len(re.findall("#+", w.text)) / len(w.text) > 0.5]
    return {
        "mean_word_length": sum(lengths) / len(lengths) if lengths else math.nan if words else 0.0,
        "longest_word": max(lengths, default=0),
        "nonsymbol_word_count": len(plain),
        "mean_nonsymbol_word_length": sum(plain_lengths) / len(plain_lengths)
        if plain_lengths
        else math.nan
        if plain
        else 0.0,
        "symbol_word_share_curator": _ratio(len(symbols), len(words)),
        "hash_word_ratio_datatrove": _ratio(text.count("#"), len(words)),
        "ellipsis_word_ratio_datatrove": _ratio(text.count("...") + text.count("…"), len(words)),
        "alphabetic_word_share": _ratio(sum(any(c.isalpha() for c in word.text) for word in words), len(words)),
        "stop_word_count": sum(word.text in STOP_WORDS for word in words),
        "distinct_stop_word_count": len({word.text for word in words} & set(STOP_WORDS)),
    }


def _characters(text: str) -> dict[str, float]:
    categories = Counter(unicodedata.category(c) for c in text)
    letters = sum(times for category, times in categories.items() if category[0] == "L")
    numbers = sum(times for category, times in categories.items() if category[0] == "N")
    return {
        "non_alphanumeric_share_curator": _ratio(len(text) - len(re.findall(r"[a-zA-Z0-9\n?!,.]", text)), len(text)),
        "alphanumeric_share": _ratio(letters + numbers, len(text)),
        "alphabetic_share": _ratio(letters, len(text)),
        "digit_share": _ratio(categories["Nd"], len(text)),
        "whitespace_share": _ratio(sum(map(str.isspace, text)), len(text)),
        "parenthesis_share": _ratio(sum(c in PARENTHESES for c in text), len(text)),
        "url_share": _ratio(sum(map(len, URL.findall(text))), len(text)),
    }


def _lines(text: str) -> dict[str, float]:
    every = text.split("\n") if text else []
    filled = _filled(every)
    stripped = [line.strip() for line in filled]
    pieces = text.splitlines()
    return {
        "bullet_line_share_curator": _ratio(sum(line[0] in BULLETS for line in stripped), len(filled)),
        "bullet_line_share_datatrove": _ratio(sum(p.lstrip().startswith(("•", "-")) for p in pieces), len(pieces)),
        "ellipsis_line_share_curator": _ratio(sum(line.lower().endswith(ELLIPSES) for line in stripped), len(filled)),
        "ellipsis_line_share_datatrove": _ratio(sum(p.rstrip().endswith(("...", "…")) for p in pieces), len(pieces)),
        "unmarked_line_share_curator": _ratio(sum(line[-1] not in ".?!\"'" for line in stripped), len(filled)),
        "marked_line_share_fineweb": _ratio(sum(line[-1] in TERMINAL for line in filled), len(filled)),
        "short_line_share_fineweb": _ratio(sum(len(line) <= 30 for line in filled), len(filled)),
        "newline_word_ratio_fineweb": _ratio(text.count("\n"), len(words_of(text))),
        "longest_line": max(map(len, every), default=0),
        "mean_line_length": _ratio(sum(map(len, every)), len(every)),
    }


def _duplicates(text: str) -> dict[str, float]:
    filled = _filled(text.split("\n"))
    paragraphs = text.split("\n\n") if text else []
    stretches = re.split(r"\n+", text) if text else []
    blocks = re.split(r"\n{2,}", text.strip()) if text.strip() else []
    return {
        "duplicate_line_share_curator": _ratio(_again(filled), len(filled)),
        "duplicate_line_char_share_curator": _ratio(_again_characters(filled), len("".join(filled))),
        "duplicate_paragraph_share_curator": _ratio(_again(paragraphs), len(paragraphs)),
        "duplicate_paragraph_char_share_curator": _ratio(_again_characters(paragraphs), len("".join(paragraphs))),
        "duplicate_line_share_datatrove": _ratio(_again(stretches), len(stretches)),
        "duplicate_line_char_share_datatrove": _ratio(_again_characters(stretches), len(text)),
        "duplicate_paragraph_share_datatrove": _ratio(_again(blocks), len(blocks)),
        "duplicate_paragraph_char_share_datatrove": _ratio(_again_characters(blocks), len(text)),
        "duplicate_line_char_share_fineweb": _ratio(_again_characters(filled), len(text.replace("\n", ""))),
    }


def _again(parts: Sequence[str]) -> int:
    return len(parts) - len(set(parts))


def _again_characters(parts: Sequence[str]) -> int:
    return len("".join(parts)) - len("".join(set(parts)))


def _ngrams(text: str) -> dict[str, float]:
    words = words_of(text)
    flavours = {
        "top_{}gram_share_curator": (_top, (2, 3, 4)),
        "top_{}gram_ratio_datatrove": (_top_overlapping, (2, 3, 4)),
        "duplicate_{}gram_share_curator": (_repeated, range(5, 11)),
        "duplicate_{}gram_share_datatrove": (_repeated_greedy, range(5, 11)),
    }
    return {
        name.format(size): _ratio(characters(words, size), len(text))
        for name, (characters, sizes) in flavours.items()
        for size in sizes
    }


def _grams(words: Sequence[Word], size: int) -> list[tuple[str, ...]]:
    return [tuple(word.text for word in words[i : i + size]) for i in range(len(words) - size + 1)]


def _joined(words: Sequence[Word]) -> int:
    """Characters of words that follow each other, with a space where whitespace parts two."""
    return sum(len(word.text) for word in words) + sum(word.spaced for word in words[1:])


def _top(words: Sequence[Word], size: int) -> int:
    grams = _grams(words, size)
    counts = Counter(grams)
    if not counts or max(counts.values()) < 2:
        return 0
    first = {gram: grams.index(gram) for gram in counts}
    top = min(counts, key=lambda g: (-counts[g], -_joined(words[first[g] : first[g] + size]), first[g]))
    taken, i = 0, 0
    while i < len(grams):
        hit = grams[i] == top
        taken += _joined(words[i : i + size]) if hit else 0
        i += size if hit else 1
    return taken


def _top_overlapping(words: Sequence[Word], size: int) -> int:
    grams = _grams(words, size)
    if not grams:
        return 0
    top = Counter(grams).most_common(1)[0][0]
    return sum(_joined(words[i : i + size]) for i, gram in enumerate(grams) if gram == top)


def _repeated(words: Sequence[Word], size: int) -> int:
    characters, overlap, seen = 0, 0, set()
    for i, gram in enumerate(_grams(words, size)):
        if gram in seen:
            new = words[i + overlap : i + size]
            characters += sum(len(word.text) for word in new) + sum(word.spaced for word in new[overlap == 0 :])
            overlap = size
        seen.add(gram)
        overlap = max(overlap - 1, 0)
    return characters


def _repeated_greedy(words: Sequence[Word], size: int) -> int:
    grams = _grams(words, size)
    characters, i, seen = 0, 0, set()
    while i < len(grams):
        if grams[i] in seen:
            characters += sum(map(len, grams[i]))
            i += size
        else:
            seen.add(grams[i])
            i += 1
    return characters
