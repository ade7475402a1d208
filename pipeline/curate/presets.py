"""The presets of `curate.rules`: whose bounds they are, and for which kinds of rows.

Every number has its source beside it. Peers wrote their rules for web pages and source files, one text each; what a
preset asks of `pair` and `chat` rows is what can be asked of a conversation:

- a short answer, a list or a table is a good answer: no bound on sentences, lines, bullets, end marks or stop words,
  and of words only five in all (the supervised fine-tuning playbook's number for short rows);
- an answer may be code, numbers or JSON: no bound on symbols, digits, brackets, white space or word lengths;
- an answer quotes its prompt, and turns of a chat repeat short lines: no bound on duplicate n-grams, nor on duplicate
  paragraphs of a chat. The most frequent n-gram stays bounded, since it finds answers that run in a circle.

A preset that has nothing to say about a kind leaves its rows alone. All bounds are inclusive.
"""

from __future__ import annotations

from pipeline.config import Bound

__all__ = ["PRESETS"]

Preset = dict[str, dict[str, Bound]]
"""Kind of row → rule, which is also the signal → bound."""

# Gopher (Rae et al. 2021, arXiv 2112.11446, table A1): the share of characters in the most
# frequent n-gram, and in all n-grams that came before. NeMo Curator and datatrove have the same numbers and other
# formulas, so the signals' names end with a flavour.
_TOP = {2: 0.20, 3: 0.18, 4: 0.16}
_DUPLICATE = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}

_TOP_CURATOR = {f"top_{n}gram_share_curator": Bound(max=share) for n, share in _TOP.items()}
_TOP_DATATROVE = {f"top_{n}gram_ratio_datatrove": Bound(max=share) for n, share in _TOP.items()}
_DUPLICATE_CURATOR = {f"duplicate_{n}gram_share_curator": Bound(max=share) for n, share in _DUPLICATE.items()}
_DUPLICATE_DATATROVE = {f"duplicate_{n}gram_share_datatrove": Bound(max=share) for n, share in _DUPLICATE.items()}

_SHORT_ROWS = {"word_count": Bound(min=5, max=100_000)}
"""Of a pair or a chat: the playbook's least number of words, and everyone's greatest."""

# The supervised fine-tuning playbook: NeMo Curator's word and line counts, Gopher's thresholds for the most frequent
# n-gram, Curator's URL share and its 0.7 distinct paragraphs; 50 words of running text, 5 of code. A pair is short text
# and code in one row, so it gets the lower bound, and the repetition bounds of text, which its prompts had to pass too.
_PLAYBOOK: Preset = {
    "text": {
        "line_count": Bound(min=1),
        "word_count": Bound(min=50, max=100_000),
        **_TOP_CURATOR,
        "duplicate_line_share_curator": Bound(max=0.3),
        "duplicate_paragraph_share_curator": Bound(max=0.3),
        "url_share": Bound(max=0.2),
    },
    "code": {
        "line_count": Bound(min=5, max=20_000),
        "word_count": Bound(min=5, max=100_000),
        "url_share": Bound(max=0.2),
    },
    "pair": {
        **_SHORT_ROWS,
        **_TOP_CURATOR,
        "duplicate_paragraph_share_curator": Bound(max=0.3),
        "url_share": Bound(max=0.2),
    },
    "chat": {
        **_SHORT_ROWS,
        **_TOP_CURATOR,
        "url_share": Bound(max=0.2),
    },
}

# MassiveText's quality and repetition filters (Rae et al. 2021, §A.1.1) as datatrove computes and bounds them: the
# defaults of `GopherQualityFilter` and `GopherRepetitionFilter`, all of them. Rows of code have none: the paper
# filters web text only.
_GOPHER: Preset = {
    "text": {
        "nonsymbol_word_count": Bound(min=50, max=100_000),  # min_doc_words, max_doc_words
        "mean_nonsymbol_word_length": Bound(min=3, max=10),  # min_avg_word_length, max_avg_word_length
        "hash_word_ratio_datatrove": Bound(max=0.1),  # max_symbol_word_ratio
        "ellipsis_word_ratio_datatrove": Bound(max=0.1),  # max_symbol_word_ratio
        "bullet_line_share_datatrove": Bound(max=0.9),  # max_bullet_lines_ratio
        "ellipsis_line_share_datatrove": Bound(max=0.3),  # max_ellipsis_lines_ratio
        "alphabetic_word_share": Bound(min=0.8),  # max_non_alpha_words_ratio, which is a minimum
        "distinct_stop_word_count": Bound(min=2),  # min_stop_words
        "duplicate_line_share_datatrove": Bound(max=0.3),  # dup_line_frac
        "duplicate_paragraph_share_datatrove": Bound(max=0.3),  # dup_para_frac
        "duplicate_line_char_share_datatrove": Bound(max=0.2),  # dup_line_char_frac
        "duplicate_paragraph_char_share_datatrove": Bound(max=0.2),  # dup_para_char_frac
        **_TOP_DATATROVE,  # top_n_grams
        **_DUPLICATE_DATATROVE,  # dup_n_grams
    },
    "code": {},
    "pair": {
        **_SHORT_ROWS,
        **_TOP_DATATROVE,
        "duplicate_paragraph_share_datatrove": Bound(max=0.3),
    },
    "chat": {**_SHORT_ROWS, **_TOP_DATATROVE},
}

# C4's rules for a page (Raffel et al. 2019, arXiv 1910.10683, §2.2), numbers of datatrove's `C4QualityFilter`. Its
# rules for a line (end mark, three words, javascript, policies, citations) are the cleaner `c4_lines`: with it, these
# rules see what it left, as datatrove's do. datatrove removes a line with a word of more than 1000 characters, and
# looks for lorem ipsum and brackets only in lines that it has not removed; here both are asked of the whole text.
_C4_CONVERSATION = {"lorem_ipsum_count": Bound(max=0), "longest_word": Bound(max=1000)}
_C4: Preset = {
    "text": {
        **_C4_CONVERSATION,  # filter_lorem_ipsum, max_word_length
        "curly_bracket_count": Bound(max=0),  # filter_curly_bracket
        "sentence_count": Bound(min=5),  # min_num_sentences
    },
    "code": {},  # a curly bracket drops it
    "pair": _C4_CONVERSATION,
    "chat": _C4_CONVERSATION,
}

# The FineWeb pipeline (Penedo et al. 2024, arXiv 2406.17557; datatrove's `examples/fineweb.py`) stacks four filters:
# Gopher's repetition, Gopher's quality, C4's with `filter_no_terminal_punct=False`, and FineWeb's own with its
# defaults. Of C4's line rules there are none here; `c4_lines` would also ask for the end mark, which FineWeb does not.
# What is no rule on text is left out: URL block lists, language identification, near duplicates.
_FINEWEB: Preset = {
    "text": {
        **_GOPHER["text"],
        **_C4["text"],
        "marked_line_share_fineweb": Bound(min=0.12),  # line_punct_thr
        "short_line_share_fineweb": Bound(max=0.67),  # short_line_thr, lines of at most 30 characters
        "duplicate_line_char_share_fineweb": Bound(max=0.01),  # char_duplicates_ratio
        "newline_word_ratio_fineweb": Bound(max=0.3),  # new_line_ratio
    },
    "code": {},
    "pair": {**_GOPHER["pair"], **_C4_CONVERSATION},
    "chat": {**_GOPHER["chat"], **_C4_CONVERSATION},
}

# The 28 filters of NeMo Curator's English recipe (`config/text/heuristic_filter_english_pipeline.yaml`), in its order.
# Class defaults and the recipe agree but for n-grams, whose class default is n = 2 at 0.2; the numbers are the
# recipe's. Curator keeps a text whose share of *distinct* lines is at least 0.7 (characters: 0.8), so that the share
# of repeated ones is at most 0.3 (0.2).
_CURATOR_ENGLISH: Preset = {
    "text": {
        "non_alphanumeric_share_curator": Bound(max=0.25),
        "symbol_word_share_curator": Bound(max=0.1),
        "digit_share": Bound(max=0.15),
        "url_share": Bound(max=0.2),
        "whitespace_share": Bound(max=0.25),
        "parenthesis_share": Bound(max=0.1),
        "boilerplate_paragraph_share_curator": Bound(max=0.4),
        "duplicate_line_share_curator": Bound(max=0.3),
        "duplicate_paragraph_share_curator": Bound(max=0.3),
        "duplicate_line_char_share_curator": Bound(max=0.2),
        "duplicate_paragraph_char_share_curator": Bound(max=0.2),
        "word_count": Bound(min=50, max=100_000),
        "unmarked_line_share_curator": Bound(max=0.85),
        "alphabetic_word_share": Bound(min=0.8),
        "stop_word_count": Bound(min=2),
        "mean_word_length": Bound(min=3, max=10),
        "longest_word": Bound(max=1000),
        "ellipsis_line_share_curator": Bound(max=0.3),
        **_TOP_CURATOR,
        **_DUPLICATE_CURATOR,
        "bullet_line_share_curator": Bound(max=0.9),
    },
    "code": {},  # Curator has a recipe of its own for it: the preset `code`
    "pair": {
        **_SHORT_ROWS,
        "url_share": Bound(max=0.2),
        "boilerplate_paragraph_share_curator": Bound(max=0.4),
        "duplicate_paragraph_share_curator": Bound(max=0.3),
        "longest_word": Bound(max=1000),
        **_TOP_CURATOR,
    },
    "chat": {
        **_SHORT_ROWS,
        "url_share": Bound(max=0.2),
        "boilerplate_paragraph_share_curator": Bound(max=0.4),
        "longest_word": Bound(max=1000),
        **_TOP_CURATOR,
    },
}

# NeMo Curator's code filters and BigCode's (`bigcode/preprocessing`, and The Stack's length rules). Left out: tokenizer
# fertility, which needs a tokenizer; the share of visible text, which both ask of HTML files only; and Curator's table
# of bounds for each file extension. Running text has none, and of a pair or a chat, whose prose stands in lines as long
# as paragraphs, only letters are asked for.
_CODE: Preset = {
    "text": {},
    "code": {
        "comment_share": Bound(min=0.001, max=0.85),  # Curator's recipe; class default 0.01; BigCode 0.01 to 0.80
        "line_count": Bound(min=5, max=20_000),  # Curator's recipe; class default 10
        "alphabetic_share": Bound(min=0.25),  # Curator's AlphaFilter
        "alphanumeric_share": Bound(min=0.25),  # BigCode
        "longest_line": Bound(max=1000),  # BigCode's line_max
        "mean_line_length": Bound(max=100),  # BigCode's line_mean
        "xml_header": Bound(max=0),  # Curator's XMLHeaderFilter, BigCode
    },
    "pair": {"alphabetic_share": Bound(min=0.25)},
    "chat": {"alphabetic_share": Bound(min=0.25)},
}

PRESETS: dict[str, Preset] = {
    "playbook": _PLAYBOOK,
    "gopher": _GOPHER,
    "c4": _C4,
    "fineweb": _FINEWEB,
    "curator-english": _CURATOR_ENGLISH,
    "code": _CODE,
    "none": {"text": {}, "code": {}, "pair": {}, "chat": {}},
}
"""Preset → kind of row → rule → bound."""
