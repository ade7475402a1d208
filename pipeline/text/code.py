"""What tells code from other text: comments, an XML header, how much of an HTML page is text."""

from __future__ import annotations

import numpy as np

from pipeline.text.comments import count_comment_characters
from pipeline.text.derive import ratio
from pipeline.text.html import count_visible_characters
from pipeline.text.kernel import declare

__all__ = ["CODE_MEASURES", "derive_code", "measure_code"]

CODE_MEASURES = ("comment_characters", "xml_header", "html_visible_characters")
"""What `measure_code` writes, in this order."""

HEADER = np.frombuffer(b"<?xml version=", np.uint8).copy()
HEADER_CHARACTERS = 100
"""The header must end within so many characters (NeMo Curator's `XMLHeaderFilter`)."""


def derive_code(measures: np.ndarray, characters: np.ndarray) -> dict[str, np.ndarray]:
    """Return the signals of code, int64 and float64 arrays of n values, from what `measure_code` wrote.

    Args:
        measures: int64 array (n, len(CODE_MEASURES)).
        characters: int64 array (n), the characters of each text.
    """
    comments, header, visible = measures.T
    comment_share = ratio(comments, characters)
    comment_share[comments < 0] = np.nan
    return {
        "comment_share": comment_share,
        "xml_header": header.copy(),
        "html_visible_char_count": visible.copy(),
        "html_visible_share": ratio(visible, characters),
    }


@declare("int64(uint8[::1], int64, int64, int64, int64[::1])")
def measure_code(buffer: np.ndarray, start: int, end: int, family: int, measures: np.ndarray) -> int:
    """Measure one document as code, and return the characters in comments, which are -1 where they are not known.

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        family: A place in `comments.FAMILIES`, below 0 if the syntax of comments is not known.
        measures: Where to write the `CODE_MEASURES`.
    """
    comments = count_comment_characters(buffer, start, end, family) if family >= 0 else -1
    measures[0] = comments
    measures[1] = has_xml_header(buffer, start, end)
    measures[2] = count_visible_characters(buffer, start, end)
    return comments


@declare("int64(uint8[::1], int64, int64)")
def has_xml_header(buffer: np.ndarray, start: int, end: int) -> int:
    """Return 1 if `<?xml version=` stands within the first 100 characters, else 0."""
    angle = False
    begun = 0
    sight = min(end, start + 4 * HEADER_CHARACTERS)
    for i in range(start, sight):  # without a branch, so in vector instructions
        byte = buffer[np.uint64(i)]
        angle |= byte == 60
        begun += byte & 0xC0 != 0x80
    if not angle and (sight == end or begun > HEADER_CHARACTERS):  # so they are in valid UTF-8
        return 0
    characters = 0
    matched = 0
    for i in range(start, end):
        byte = buffer[i]
        if byte & 0xC0 != 0x80:
            characters += 1
            if characters > HEADER_CHARACTERS:
                return 0
        if byte == HEADER[matched]:
            matched += 1
            if matched == len(HEADER):
                return 1
        else:
            matched = 1 if byte == HEADER[0] else 0
    return 0
