"""From what the kernels counted to the signals of `pipeline.signals`: shares, ratios and means."""

from __future__ import annotations

import numpy as np

from pipeline.text import measures as m

__all__ = ["derive"]


def derive(measures: np.ndarray) -> dict[str, np.ndarray]:
    """Return the signals, int64 and float64 arrays of n values, from what `signals.measure` wrote.

    Args:
        measures: int64 array (n, MEASURES).
    """

    def count(place: int) -> np.ndarray:
        return measures[:, place].copy()

    def share(part: int, whole: int) -> np.ndarray:
        return _ratio(measures[:, part], measures[:, whole])

    words, characters, lines = m.WORDS, m.CHARACTERS, m.FILLED_LINES
    line_count = np.where(measures[:, m.BYTES] > 0, measures[:, m.BREAKS] + 1, 0)
    line_characters = measures[:, characters] - measures[:, m.BREAKS]
    word_characters = measures[:, characters] - measures[:, m.SPACES]
    plain_words = measures[:, words] - measures[:, m.BARE_WORDS]
    compared_characters = measures[:, m.COMPARED_CHARACTERS]
    signals = {
        "char_count": count(characters),
        "byte_count": count(m.BYTES),
        "word_count": count(words),
        "line_count": line_count,
        "filled_line_count": count(lines),
        "paragraph_count": count(m.FILLED_PARAGRAPHS),
        "sentence_count": count(m.SENTENCES),
        "mean_word_length": _mean_length(
            word_characters - measures[:, m.UNMEASURED_CHARACTERS],
            measures[:, words] - measures[:, m.UNMEASURED_WORDS],
            measures[:, words],
        ),
        "longest_word": count(m.LONGEST_WORD),
        "nonsymbol_word_count": plain_words,
        "mean_nonsymbol_word_length": _mean_length(
            word_characters - measures[:, m.UNMEASURED_OR_BARE_CHARACTERS],
            measures[:, words] - measures[:, m.UNMEASURED_OR_BARE_WORDS],
            plain_words,
        ),
        "symbol_word_share_curator": share(m.SYMBOL_WORDS, words),
        "hash_word_ratio_datatrove": share(m.HASHES, words),
        "ellipsis_word_ratio_datatrove": share(m.ELLIPSES, words),
        "alphabetic_word_share": _ratio(measures[:, words] - measures[:, m.UNALPHABETIC_WORDS], measures[:, words]),
        "stop_word_count": count(m.STOP_WORDS),
        "distinct_stop_word_count": np.bitwise_count(measures[:, m.STOP_WORD_SET]).astype(np.int64),
        "non_alphanumeric_share_curator": _ratio(
            measures[:, characters] - measures[:, m.KEPT_CHARACTERS], measures[:, characters]
        ),
        "alphanumeric_share": _ratio(measures[:, m.LETTERS] + measures[:, m.NUMBERS], measures[:, characters]),
        "alphabetic_share": share(m.LETTERS, characters),
        "digit_share": share(m.DIGITS, characters),
        "whitespace_share": share(m.SPACES, characters),
        "parenthesis_share": share(m.PARENTHESES, characters),
        "url_share": share(m.URL_CHARACTERS, characters),
        "bullet_line_share_curator": share(m.BULLET_LINES, lines),
        "bullet_line_share_datatrove": share(m.BULLET_PIECES, m.PIECES),
        "ellipsis_line_share_curator": share(m.ELLIPSIS_LINES, lines),
        "ellipsis_line_share_datatrove": share(m.ELLIPSIS_PIECES, m.PIECES),
        "unmarked_line_share_curator": _ratio(measures[:, lines] - measures[:, m.MARKED_LINES], measures[:, lines]),
        "marked_line_share_fineweb": share(m.TERMINAL_LINES, lines),
        "short_line_share_fineweb": share(m.SHORT_LINES, lines),
        "newline_word_ratio_fineweb": share(m.BREAKS, words),
        "longest_line": count(m.LONGEST_LINE),
        "mean_line_length": _ratio(line_characters, line_count),
        "duplicate_line_share_curator": share(m.AGAIN_LINES, m.COMPARED_LINES),
        "duplicate_line_char_share_curator": share(m.AGAIN_LINE_CHARACTERS, m.COMPARED_LINE_CHARACTERS),
        "duplicate_paragraph_share_curator": share(m.AGAIN_PARAGRAPHS, m.COMPARED_PARAGRAPHS),
        "duplicate_paragraph_char_share_curator": share(m.AGAIN_PARAGRAPH_CHARACTERS, m.COMPARED_PARAGRAPH_CHARACTERS),
        "duplicate_line_share_datatrove": share(m.AGAIN_STRETCHES, m.COMPARED_STRETCHES),
        "duplicate_line_char_share_datatrove": share(m.AGAIN_STRETCH_CHARACTERS, m.COMPARED_CHARACTERS),
        "duplicate_paragraph_share_datatrove": share(m.AGAIN_BLOCKS, m.COMPARED_BLOCKS),
        "duplicate_paragraph_char_share_datatrove": share(m.AGAIN_BLOCK_CHARACTERS, m.COMPARED_CHARACTERS),
        "duplicate_line_char_share_fineweb": _ratio(
            measures[:, m.AGAIN_LINE_CHARACTERS], compared_characters - measures[:, m.COMPARED_BREAKS]
        ),
    }
    for size in (2, 3, 4):
        signals[f"top_{size}gram_share_curator"] = share(m.TOP_GRAM + size, m.GRAM_CHARACTERS)
    for size in (2, 3, 4):
        signals[f"top_{size}gram_ratio_datatrove"] = share(m.OVERLAPPING_GRAM + size, m.GRAM_CHARACTERS)
    for size in range(5, 11):
        signals[f"duplicate_{size}gram_share_curator"] = share(m.AGAIN_GRAM + size, m.GRAM_CHARACTERS)
    for size in range(5, 11):
        signals[f"duplicate_{size}gram_share_datatrove"] = share(m.GREEDY_GRAM + size, m.GRAM_CHARACTERS)
    return signals


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; 0 / 0 is 0."""
    ratios: np.ndarray = np.divide(part, whole, out=np.zeros(len(whole)), where=whole != 0)
    return ratios


def _mean_length(characters: np.ndarray, measured: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Divide; NaN where there are words but none whose length is measured."""
    means = _ratio(characters, measured)
    means[(measured == 0) & (words > 0)] = np.nan
    return means
