"""Where personal data may stand in a row."""

from __future__ import annotations

import numpy as np

from pipeline.text.api_key import (
    PREFIX_BOUNDS,
    is_long,
    key_end,
    may_end_prefix,
    secret_end,
    secret_start,
    shape_before,
)
from pipeline.text.boundaries import digits_end, is_digit, is_letter, is_word
from pipeline.text.context import NUMBER, PHONE, said_after, said_before
from pipeline.text.credit_card import match_credit_card
from pipeline.text.crypto import match_crypto
from pipeline.text.email import domain_end, email_start
from pipeline.text.entities import ENTITIES
from pipeline.text.iban import match_iban
from pipeline.text.ip import match_ip, match_ipv6
from pipeline.text.kernel import declare, int64
from pipeline.text.mac import match_mac
from pipeline.text.phone import match_phone
from pipeline.text.private_key import match_private_key
from pipeline.text.signs import AHEAD, BEHIND, BLOCK, STEP, has_sign
from pipeline.text.ssn import match_ssn
from pipeline.text.url_credentials import match_url_credentials
from pipeline.text.urls import is_hexadecimal

__all__ = ["ANNOUNCED", "find_candidates"]

ANNOUNCED = 16
"""Added to the entity of a telephone number that a word beside it announces."""

EMAIL, TELEPHONE, IP, CARD, SOCIAL, IBAN, MAC, CRYPTO, URL, PRIVATE, KEY = (1 << bit for bit in range(len(ENTITIES)))
NUMBERS = TELEPHONE | IP | CARD | SOCIAL | IBAN | CRYPTO

MARKS = np.zeros(256, np.int64)
"""The entities that a byte may be a mark of, one bit each: every other byte costs one look into this table."""
MARKS[48:58] = NUMBERS  # 0-9
MARKS[[40, 43]] = TELEPHONE  # ( +
MARKS[64] = EMAIL  # @
MARKS[58] = IP | MAC | URL | KEY  # :
MARKS[61] = KEY  # =
MARKS[45] = MAC | PRIVATE | KEY  # -
MARKS[46] = MAC | KEY  # .
MARKS[[65, 74, 83, 95]] = KEY  # A J S _


@declare("int64(uint8[::1], int64, int64, int64, int64, int64[::1], int64[::1], int8[::1], int64)")
def find_candidates(
    buffer: np.ndarray,
    start: int,
    end: int,
    wanted: int,
    blocks: int,
    starts: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    at: int,
) -> int:
    """List what may be personal data in the row, and return how many spans there are.

    Each entity is searched from a mark that it cannot lack, such as the `@` of an address. So the spans are almost in
    order. Those of one entity do not overlap, those of different ones may. Save a private key, none reaches over a line
    feed or depends on another line: redaction relies on it (`engines/operations/nearby.py`).

    Args:
        buffer: Bytes of the column; the row is `[start, end)`.
        start: Its first byte.
        end: One past its last byte.
        wanted: Bit k is set if the kth of `ENTITIES` is looked for.
        blocks: Whether many bytes are first asked at once for a sign of anything (`has_sign`), which finds the same:
            a gain where they are vectors, a loss where each byte has a thread's time.
        starts: Where to write the place of each span's first byte.
        ends: Where to write the place after each span's last byte.
        kinds: Where to write which of `ENTITIES` it is, or `ANNOUNCED` and that.
        at: Where in the three; what does not fit there is not written, only counted.
    """
    found = 0
    seen = start  # what lies before has been found, or looked at
    no_email = start  # likewise, for addresses
    no_phone = start  # and for telephone numbers
    close = start if blocks else end  # what lies before is looked at byte by byte
    i = start
    while i < end:
        if i >= close:
            if i >= seen + BEHIND and i + BLOCK + AHEAD <= end and not has_sign(buffer, i):
                i += STEP
                continue
            close = i + STEP
        marked = MARKS[buffer[i]] & wanted
        if marked == 0:
            i += 1
            continue
        byte = int64(buffer[i])
        begin = i
        stop = 0
        kind = 0
        going = i + 1
        telephone = marked & TELEPHONE != 0 and i >= no_phone
        if byte == 64:
            begin = email_start(buffer, no_email, i)
            stop = domain_end(buffer, i + 1, end) if begin < i else 0
            no_email = max(stop, i + 1)
        elif byte <= 57 and byte != 45 and byte != 46:
            if byte >= 48:
                going = digits_end(buffer, i, end)
                letter = going < end and is_letter(buffer[going])
                after = int64(buffer[going]) if going < end else 0
                size = going - i
                telephone = telephone and (size >= 7 or goes_on(buffer, going, end) != 0)
                if i - 2 >= seen and is_letter(buffer[i - 1]) and is_letter(buffer[i - 2]):
                    begin = i - 2
                    if marked & IBAN and size >= 2:
                        stop = match_iban(buffer, seen, begin, end)
                        kind = 5
                elif i == seen or not is_word(buffer[i - 1]):
                    if marked & IP and size <= 3 and after == 46:
                        stop = match_ip(buffer, seen, i, end)
                        kind = 2
                    elif marked & CARD and (size >= 13 or (size == 4 and (after == 32 or after == 45))):
                        stop = match_credit_card(buffer, seen, i, end)
                        kind = 3
                    elif marked & SOCIAL and (size == 9 or (size == 3 and (after == 32 or after == 45))):
                        stop = match_ssn(buffer, seen, i, end)
                        kind = 4
                if stop == 0 and marked & CRYPTO and letter and (byte == 49 or byte == 51 or byte == 48):
                    stop = match_crypto(buffer, seen, begin, end)
                    kind = 7
            else:
                telephone = telephone and going < end and 40 <= buffer[going] <= 57  # a digit, or `(` behind `+`
            if stop == 0 and telephone and (i == start or not is_word(buffer[i - 1])):
                stop = match_phone(buffer, start, i, end)
                if stop:
                    begin = i
                    no_phone = abs(stop)
                    said = said_before(buffer, start, i) | said_after(buffer, abs(stop), end)
                    kind = 1 + (ANNOUNCED if said & PHONE else 0)
                    stop = abs(stop) if said & PHONE or (stop > 0 and not said & NUMBER) else 0
        elif byte == 58 and i + 2 < end and buffer[i + 1] == 47 and buffer[i + 2] == 47:  # ://
            if marked & URL:
                begin = i + 3
                stop = match_url_credentials(buffer, begin, end)
                kind = 8
        else:
            if (byte == 58 or byte == 45) and marked & (MAC | IP):
                begin = group_start(buffer, seen, i, end)
                if begin < i:
                    if marked & MAC and i - begin == 2:
                        stop = match_mac(buffer, seen, begin, end)
                        kind = 6
                    if stop == 0 and marked & IP and byte == 58:
                        stop = match_ipv6(buffer, seen, begin, end)
                        kind = 2
            elif byte == 46 and marked & MAC and i + 5 < end and buffer[i + 5] == 46:
                begin = i - 4
                stop = match_mac(buffer, seen, begin, end)
                kind = 6
            if stop == 0 and marked & PRIVATE:
                while going < end and buffer[going] == 45:
                    going += 1
                if going - i >= 5:
                    begin = going - 5
                    stop = match_private_key(buffer, begin, end)
                    kind = 9
            if stop == 0 and marked & KEY:
                kind = 10
                if byte == 58 or byte == 61:
                    begin = secret_start(buffer, start, i, end)
                    stop = secret_end(buffer, i, begin, end) if begin else 0
                elif may_begin_key(buffer, start, i, end) and is_long(buffer, i + 1, end):
                    capital = byte == 65 or byte == 83  # A S: AKIA ABIA ACCA AIza AC SK
                    if not capital or i == start or not is_word(buffer[i - 1]):
                        step = 2 if capital else 1
                        for after in range(i + step, i + (5 if capital else 2), step):
                            shape = shape_before(buffer, start, after)
                            if shape >= 0 and stop == 0:
                                begin = after - PREFIX_BOUNDS[shape + 1] + PREFIX_BOUNDS[shape]
                                stop = key_end(buffer, after, end, shape)
        i = going
        if stop == 0:
            continue
        if kind & 15 != 1:
            i = max(going, stop) if kind != 8 else going
            if kind:
                seen = i
        if at + found < len(starts):
            starts[at + found] = begin
            ends[at + found] = stop
            kinds[at + found] = kind
        found += 1
    return found


@declare("int64(uint8[::1], int64, int64)", inline=True)
def goes_on(buffer: np.ndarray, at: int, end: int) -> int:
    """Return 1 if another group of digits may come behind those of a telephone number that end at `at`."""
    if at + 1 >= end:
        return 0
    after = buffer[at]
    between = after == 32 or 45 <= after <= 47  # space - . /
    following = buffer[at + 1] if between else after
    return 1 if following == 40 or (between and is_digit(following)) else 0


@declare("int64(uint8[::1], int64, int64, int64)", inline=True)
def may_begin_key(buffer: np.ndarray, start: int, at: int, end: int) -> int:
    """Return 1 if `at`, one of `. _ - A J S`, may end a prefix, or begin AB, AC, AI, AK, AS or SK: a first look."""
    byte = buffer[at]
    if byte != 65 and byte != 83:
        return may_end_prefix(buffer, start, at)
    after = buffer[at + 1] if at + 1 < end else byte
    return 1 if after == 75 or (byte == 65 and (66 <= after <= 67 or after == 73 or after == 83)) else 0


@declare("int64(uint8[::1], int64, int64, int64)")
def group_start(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    """Return where the one to four hexadecimal digits before the `:` or `-` at `at` begin, or `at`.

    That is `at` too if what comes after cannot be the next group.
    """
    if at + 1 >= end or not (is_hexadecimal(buffer[at + 1]) or buffer[at + 1] == 58):
        return at
    i = at
    while i > floor and at - i < 5 and is_hexadecimal(buffer[i - 1]):
        i -= 1
    return i if at - i < 5 else at
