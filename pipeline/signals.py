r"""Every signal: its name, type, range and formula. `pipeline.text` computes them; rules are bounds on them.

A *character* is a code point. A *word* is a maximal run without whitespace, as Python's `str.split()`; within it, every
letter (with the marks that follow it) of a script that is written without spaces between words (Han, Hiragana,
Katakana, Thai, Lao, Khmer, Myanmar) is a word by itself, and so is what stands between two of them, so that a Chinese
page is not one long word. Those letters, and the words beside them that hold no letter or number (their punctuation),
count as words and in n-grams, but not where the *length* of words is measured. A *line* is a part of
`text.split("\n")`, a *paragraph* a part of `text.split("\n\n")`; a *filled* one holds more than whitespace. Letters and
numbers are Unicode's general categories L and N (of the version in `pipeline.text.unicode_data`).

In n-grams a space is counted between two words where whitespace stands there, and nowhere else. Of a very long text,
n-grams are looked for in the first 4 194 304 words (`text.signals.WORDS_COMPARED`) and duplicate parts before line feed
2 097 152 (`text.repeats.LINES_COMPARED`): these signals are those of the text cut there.

What would be 0 / 0 is 0, so that no text fails a rule for being short (NeMo Curator scores a text of fewer than n words
as fully repetitive). NaN says that a signal does not apply to the row; it fails no rule.

Where peers compute different numbers under one name, the signal's name ends with its flavour: `curator` (NeMo Curator
0.9 and 1.x, ties settled by a rule instead of by a set's order), `datatrove`, `fineweb` (datatrove's FineWeb filter),
or `c4` (datatrove's C4 filter).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["MEASURED", "SIGNALS", "Signal"]


@dataclass(frozen=True)
class Signal:
    """A number (or a code) about a document.

    Attributes:
        name: Its column in every file, and what a rule bounds.
        type: Of the column.
        high: The largest possible value; None where there is none. The smallest is 0.
        formula: How it is computed.
        peer: Whose formula it equals, and where it does not.
        applies: Whether it is a number for every text; else NaN is possible, and `formula` says when.
        values: Of a signal that is text: all that it can be.
    """

    name: str
    type: Literal["int64", "float64", "string"]
    high: float | None
    formula: str
    peer: str = ""
    applies: bool = True
    values: frozenset[str] = frozenset()


def _count(name: str, formula: str, peer: str = "") -> Signal:
    return Signal(name, "int64", None, formula, peer)


def _share(name: str, formula: str, peer: str = "") -> Signal:
    return Signal(name, "float64", 1.0, formula, peer)


def _ratio(name: str, formula: str, peer: str = "", *, applies: bool = True) -> Signal:
    return Signal(name, "float64", None, formula, peer, applies)


_SIZES = [
    _count("char_count", "characters"),
    _count("byte_count", "UTF-8 bytes"),
    _count("word_count", "words", "NeMo Curator's WordCountFilter"),
    _count("line_count", "lines; 0 for an empty text", "NeMo Curator's NumberOfLinesOfCodeFilter, which gives 1 for it"),
    _count("filled_line_count", "filled lines"),
    _count("paragraph_count", "filled paragraphs"),
    _count("sentence_count", "runs of end marks (`. ! ?` and those of other scripts: Unicode's Sentence_Terminal), closing "
           "quotes and brackets passed over, before whitespace or the end; `。！？｡`, `។៕` and `။` anywhere"),
]  # fmt: skip

_WORDS = [
    _ratio("mean_word_length", "characters of words / words, over words of scripts with spaces; NaN if there are only "
           "others", "NeMo Curator's MeanWordLengthFilter", applies=False),
    _count("longest_word", "characters of the longest word of a script with spaces", "NeMo Curator's LongWordFilter"),
    _count("nonsymbol_word_count", "words with a character outside datatrove's punctuation (ASCII's, 34 other marks, "
           "controls, end marks of all scripts)", "datatrove's Gopher quality filter on the same words"),
    _ratio("mean_nonsymbol_word_length", "their characters / their number, over scripts with spaces; NaN if there are "
           "only others", "datatrove's Gopher quality filter on the same words", applies=False),
    _share("symbol_word_share_curator", "words that are one of `... … [...] […] (...) -»`, or with more runs of "
           "`#` than half their characters / words",
           "NeMo Curator's SymbolsToWordsFilter"),
    _ratio("hash_word_ratio_datatrove", "`#` characters / words", "datatrove's Gopher quality filter on the same words"),
    _ratio("ellipsis_word_ratio_datatrove", "`...` and `…` / words", "datatrove's Gopher quality filter"),
    _share("alphabetic_word_share", "words with a letter / words",
           "datatrove; NeMo Curator's WordsWithoutAlphabetsFilter, whose letters (Unicode's Alphabetic) include vowel "
           "signs and letter numbers"),
    _count("stop_word_count", "occurrences of the, be, to, of, and, that, have, with, as they stand",
           "NeMo Curator's CommonEnglishWordsFilter, which may stop counting early"),
    _count("distinct_stop_word_count", "how many of the eight occur", "datatrove's Gopher quality filter"),
]  # fmt: skip

_CHARACTERS = [
    _share("non_alphanumeric_share_curator", "characters that are no letter, number, line feed or one of `?!,.` / "
           "characters: a space counts", "NeMo Curator's NonAlphaNumericFilter, whose letters are ASCII's"),
    _share("alphanumeric_share", "letters and numbers / characters", "BigCode, data-juicer"),
    _share("alphabetic_share", "letters / characters", "NeMo Curator's AlphaFilter for code, whose letters include vowel signs and letter-like numbers"),
    _share("digit_share", "decimal digits (Unicode Nd) / characters", "NeMo Curator's NumbersFilter, whose digits are 0-9"),
    _share("whitespace_share", "whitespace (`str.isspace`) / characters", "NeMo Curator's WhiteSpaceFilter, which "
           "knows tab, line feed, carriage return, backspace and space"),
    _share("parenthesis_share", "`{}⟨⟩[]()` / characters", "NeMo Curator's ParenthesesFilter"),
    _share("url_share", "characters in URLs / characters", "NeMo Curator's UrlsFilter since 1.x, which gives 1 for an "
           "empty text"),
]  # fmt: skip

_LINES = [
    _share("bullet_line_share_curator", "filled lines that begin with one of `•‣⁃⁌⁍∙○●◘◦⦾⦿` / filled lines",
           "NeMo Curator's BulletsFilter"),
    _share("bullet_line_share_datatrove", "lines (`str.splitlines`) that begin, stripped, with `•` or `-` / lines",
           "datatrove's Gopher quality filter"),
    _share("ellipsis_line_share_curator", "filled lines that end, stripped, with one of `... … [...] […] (...) -»`, "
           "`read more` or `read more..`, in any case / filled lines", "NeMo Curator's EllipsisFilter"),
    _share("ellipsis_line_share_datatrove", "lines (`str.splitlines`) that end, stripped, with `...` or `…` / lines",
           "datatrove's Gopher quality filter"),
    _share("unmarked_line_share_curator", "filled lines that, stripped, do not end with one of `. ? ! \" '` / filled "
           "lines",
           "NeMo Curator's PunctuationFilter"),
    _share("marked_line_share_fineweb", "filled lines that end with an end mark (Unicode's Sentence_Terminal), and no "
           "whitespace behind it / filled lines",
           "datatrove's FineWeb filter"),
    _share("short_line_share_fineweb", "filled lines of at most 30 characters / filled lines",
           "datatrove's FineWeb filter"),
    _ratio("newline_word_ratio_fineweb", "line feeds / words", "datatrove's FineWeb filter on the same words"),
    _count("longest_line", "characters of the longest line", "BigCode"),
    _ratio("mean_line_length", "characters of lines / lines", "BigCode"),
]  # fmt: skip

_DUPLICATES = [
    _share("duplicate_line_share_curator", "1 − distinct / all filled lines, as they stand", "NeMo Curator's "
           "RepeatedLinesFilter, which keeps distinct / all"),
    _share("duplicate_line_char_share_curator", "1 − characters of distinct / of all filled lines, as they stand",
           "NeMo Curator's RepeatedLinesByCharFilter"),
    _share("duplicate_paragraph_share_curator", "1 − distinct / all paragraphs, as they stand, empty ones too",
           "NeMo Curator's RepeatedParagraphsFilter, which keeps distinct / all"),
    _share("duplicate_paragraph_char_share_curator", "1 − characters of distinct / of all paragraphs",
           "NeMo Curator's RepeatedParagraphsByCharFilter"),
    _share("duplicate_line_share_datatrove", "repeated / all parts at `\\n+`; a line feed at the beginning or end "
           "leaves an empty part there", "datatrove's Gopher repetition filter"),
    _share("duplicate_line_char_share_datatrove", "characters of repeated parts at `\\n+` / characters",
           "datatrove's Gopher repetition filter"),
    _share("duplicate_paragraph_share_datatrove", "repeated / all parts at `\\n{2,}` of the stripped text",
           "datatrove's Gopher repetition filter"),
    _share("duplicate_paragraph_char_share_datatrove", "characters of repeated parts at `\\n{2,}` / characters",
           "datatrove's Gopher repetition filter"),
    _share("duplicate_line_char_share_fineweb", "characters of repeated filled lines / characters that are no line feed",
           "datatrove's FineWeb filter"),
]  # fmt: skip

_NGRAMS = [
    *(_share(f"top_{n}gram_share_curator", f"characters of the most frequent {n}-gram of words, joined by spaces, × its "
             "occurrences without overlap / characters; 0 if none comes twice. Ties: the longest, then the first",
             "NeMo Curator's RepeatingTopNGramsFilter where words are parted by single spaces")
      for n in (2, 3, 4)),
    *(_ratio(f"top_{n}gram_ratio_datatrove", f"characters of the most frequent {n}-gram × its occurrences, overlapping "
             "ones too / characters: can exceed 1. Ties: the first", "datatrove's Gopher repetition filter on the same "
             "words")
      for n in (2, 3, 4)),
    *(_share(f"duplicate_{n}gram_share_curator", f"characters of words in {n}-grams that came before, each once, with "
             "the spaces between them / characters", "NeMo Curator's RepeatingDuplicateNGramsFilter")
      for n in range(5, 11)),
    *(_share(f"duplicate_{n}gram_share_datatrove", f"characters, without spaces, of {n}-grams that came before, found "
             "from the left without overlap (one inside a counted repeat did not come before) / characters",
             "datatrove's Gopher repetition filter on the same words, save that it takes `a bc` and `ab c` for the same")
      for n in range(5, 11)),
]  # fmt: skip

_BOILERPLATE = [
    _share("boilerplate_paragraph_share_curator", "paragraphs, blank ones too, with one of 14 policy phrases in any "
           "case / paragraphs; 1 if the text holds `lorem ipsum`", "NeMo Curator's BoilerPlateStringFilter"),
    _count("lorem_ipsum_count", "`lorem ipsum`, in any case"),
    _count("curly_bracket_count", "`{`", "datatrove's C4 filter drops a text with one"),
    _share("javascript_line_share_c4", "filled lines with `javascript`, in any case / filled lines",
           "datatrove's C4 filter removes them"),
    _share("policy_line_share_c4", "filled lines with one of C4's policy phrases, in any case / filled lines",
           "datatrove's C4 filter removes them"),
    _share("unmarked_line_share_c4", "filled lines that, stripped, do not end with one of `. ? ! \" '` or end with "
           "`...` / filled lines", "datatrove's C4 filter removes them"),
    _share("few_word_line_share_c4", "filled lines of fewer than three words / filled lines",
           "datatrove's C4 filter removes them"),
]  # fmt: skip

_CODE = [
    Signal("comment_share", "float64", 1.0, "characters in comments, marks included / characters, by the comment syntax of "
           "the row's language family; NaN where the family is not known", "NeMo Curator's PythonCommentToCodeFilter and "
           "GeneralCommentToCodeFilter, which leave quotes and marks out", False),
    Signal("xml_header", "int64", 1, "1 if `<?xml version=` stands in the first 100 characters",
           "NeMo Curator's XMLHeaderFilter"),
    _count("html_visible_char_count", "characters that a browser would show: outside tags, comments, scripts and styles; "
           "a character reference is one", "NeMo Curator's HTMLBoilerplateFilter asks for 100"),
    _share("html_visible_share", "the same / characters", "NeMo Curator's HTMLBoilerplateFilter, which gives 0 below 100 visible "
           "characters"),
]  # fmt: skip

_LANGUAGES = frozenset(
    """
    af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy da de
    diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv he hi hif hr hsb ht hu hy ia id ie
    ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr
    mrj ms mt mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah
    sc scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war wuu
    xal xmf yi yo yue zh und
    """.split()  # noqa: SIM905  (one a line, these are 176 lines)
)
"""The 176 codes of lid.176's labels, and that of a text without a letter."""

_LANGUAGE = [
    Signal("language", "string", None, "the most likely language, ISO 639; null unless `curate.language` asks for it",
           "fastText's lid.176", False, _LANGUAGES),
    Signal("language_score", "float64", 1.0, "its probability; NaN unless `curate.language` asks for it",
           "fastText's lid.176", False),
]  # fmt: skip

MEASURED: dict[str, Signal] = {
    signal.name: signal
    for signal in (*_SIZES, *_WORDS, *_CHARACTERS, *_LINES, *_DUPLICATES, *_NGRAMS, *_BOILERPLATE, *_CODE)
}
"""The signals that an engine computes, in the order of their columns."""

SIGNALS: dict[str, Signal] = {
    signal.name: signal
    for signal in (
        *_SIZES,
        *_WORDS,
        *_CHARACTERS,
        *_LINES,
        *_DUPLICATES,
        *_NGRAMS,
        *_BOILERPLATE,
        *_CODE,
        *_LANGUAGE,
    )
}
"""All signals, in the order of their columns."""
