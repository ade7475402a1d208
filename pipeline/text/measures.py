r"""Where the kernels write what they count about a document: an int64 array of `MEASURES` places.

A *piece* is a line of `str.splitlines`, a *stretch* a part at `\n+`, a *block* a part at `\n{2,}` of the stripped text.
*Compared* parts are those in which repeats are looked for, *again* ones came before. Of words the exceptions are
counted, since most are none.
"""

from __future__ import annotations

__all__ = ["MEASURES"]

(
    CHARACTERS,
    BYTES,
    WORDS,
    BREAKS,  # line feeds
    FILLED_LINES,
    FILLED_PARAGRAPHS,
    SENTENCES,
    LONGEST_WORD,
    UNMEASURED_WORDS,  # words whose length says nothing
    UNMEASURED_CHARACTERS,
    BARE_WORDS,  # words of punctuation only
    UNMEASURED_OR_BARE_WORDS,
    UNMEASURED_OR_BARE_CHARACTERS,
    UNALPHABETIC_WORDS,
    SYMBOL_WORDS,
    HASHES,
    ELLIPSES,
    STOP_WORDS,
    STOP_WORD_SET,  # a bit for each that occurs
    KEPT_CHARACTERS,  # what NeMo Curator does not count as symbols
    LETTERS,
    NUMBERS,
    DIGITS,
    SPACES,
    PARENTHESES,
    URL_CHARACTERS,
    BULLET_LINES,
    ELLIPSIS_LINES,
    MARKED_LINES,
    TERMINAL_LINES,
    SHORT_LINES,
    LONGEST_LINE,
    PIECES,
    BULLET_PIECES,
    ELLIPSIS_PIECES,
    COMPARED_CHARACTERS,
    COMPARED_BREAKS,
    COMPARED_LINES,  # filled ones
    COMPARED_LINE_CHARACTERS,
    AGAIN_LINES,
    AGAIN_LINE_CHARACTERS,
    COMPARED_STRETCHES,
    AGAIN_STRETCHES,
    AGAIN_STRETCH_CHARACTERS,
    COMPARED_PARAGRAPHS,
    COMPARED_PARAGRAPH_CHARACTERS,
    AGAIN_PARAGRAPHS,
    AGAIN_PARAGRAPH_CHARACTERS,
    COMPARED_BLOCKS,
    AGAIN_BLOCKS,
    AGAIN_BLOCK_CHARACTERS,
    GRAM_CHARACTERS,  # of the text in which n-grams are looked for
    PARAGRAPH_BREAKS,
    CURLY_BRACKETS,
    UNMARKED_LINES,  # filled ones that end with no mark of C4's
    FEW_WORD_LINES,  # filled ones of fewer than three words
    POLICY_PARAGRAPHS,  # with one of the phrases
    POLICY_LINES,
    JAVASCRIPT_LINES,
    LOREM_IPSUMS,
) = range(60)
TOP_GRAM = 60 - 2  # + n for n = 2, 3, 4: the most frequent n-gram without overlap
OVERLAPPING_GRAM = 63 - 2  # + n for n = 2, 3, 4: with overlap
AGAIN_GRAM = 66 - 5  # + n for n = 5 … 10: words of n-grams that came before
GREEDY_GRAM = 72 - 5  # + n for n = 5 … 10: such n-grams, found from the left

MEASURES = 78
"""How many there are."""
