"""Personal data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipeline.text.signs import AHEAD, BEHIND, BLOCK
from tests.text.cases.rows import TEXT, as_bytes, as_row, as_rows

__all__ = ["cases"]

ALL = (1 << 11) - 1

MORE = (
    b"00:1b:44:11:3a:b7 00-1B-44-11-3A-B7 ff:ff:ff:ff:ff:ff 4f8a:c99e:dc86:faf9:5988:5f63:375e:8a2a fe80::1 ==8.8.8.8 ",
    b"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq 0x" + b"5aAe" * 10 + b" 0x5aAe ",
    b"https://bob:s3cret@h/ x://a:%41@b x://a:%s@b x://a:b/ ssn 219 09 9999 social 219099999 call 785 8949 061-4 fax ",
    b"-----BEGIN EC PRIVATE KEY-----\\n"
    + b"MIIB/+==" * 6
    + b"\n-----END EC PRIVATE KEY----- -----BEGIN X PRIVATE KEY----- ",
    b"ghp_"
    + b"a1B2c3D4e5F6" * 3
    + b" AKIAIOSFODNN7EXAMPLE sk-"
    + b"aB3dE6gH9j" * 3
    + b". SG.x SK"
    + b"0123456789abcdef" * 2,
    "иван@почта.рф a%20b%3Dc@例え.jp %2Bx@a.рф ".encode(),
    b"8.8.8.8-8.8.4.4-1 4111-1111-1111-1111-123 r://:a@b p://u:{x!K}@h p://u:{s.p!r}@h p://u:$A${B:-c}@h p://u:$e!@h ",
    b" api_key = \"3f9c2b7a1d5e8f60\"; TOKEN=tok_a8d7f6a8s7d6f8a pass_word: 'x' Authorization: Bearer a1b2c3d4e5f6a7b8",
    b" FileVersion = 9.4.2.1 fileVer=1.2.3.4 v=1.2.3.4 a=4.5.5.64=py39 section Dept. 8.8.4.4 1a2b.3c4d.5e6f "
    b"2e10.1e10.4e10 (+44) (0)20 7946 0958 ",
)
"""Every entity that `ROWS` lack, and what is almost one."""

PLACES = TEXT + b"".join(MORE)


def cases() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield (kernel, arguments)."""
    for row in (*as_rows(), *map(as_row, MORE)):
        for wanted in (ALL, 2, 1 << 10):
            for room, blocks in ((0, 0), (12, 1)):
                spans = np.zeros(room, np.int64), np.zeros(room, np.int64), np.zeros(room, np.int8)
                yield "find.find_candidates", (*row, wanted, blocks, *spans, room // 4)
    for at in range(BEHIND, len(PLACES) - BLOCK - AHEAD, 31):
        for name in ("has_sign", "signs_of", "has_key", "has_secret", "has_group"):
            yield f"signs.{name}", (as_bytes(PLACES), at)
    disguised = (
        "j\u200ban\xade%40co\ufeffrp ＊ｊ＠４．～ 100%4\u2060",
        "é\u200cé，。％",
        "Tel.\xa0(030)\xa0231\u201125\u2009123 a&#64;b &commat; &#6",
        "1999–2003\u3000+49\u202f(0)30−1",
    )
    for text in disguised:
        row = as_row(text.encode())
        yield "disguises.is_disguised", row
        for at in range(row[1], row[2]):
            yield "disguises.disguise_at", (row[0], row[1], at, row[2])
            yield "disguises.escaped_at", (row[0], at, row[2])
            yield "context.space_before", (row[0], row[1], at)
            yield "disguises.digits_beside", (row[0], at, row[2], 1)
            yield "disguises.digits_beside", (row[0], at, row[1] - 1, -1)
            yield "disguises.may_hide", (row[0], at, row[2])
            yield "disguises.is_year", (row[0], at, row[2])
            for width in (2, 3):
                yield "disguises.parts_number", (row[0], row[1], at, width, row[2])
        for at in (-1, 2):
            entries = np.zeros(40, np.int64), np.zeros(40, np.int64), 3
            yield "disguises.undisguise", (*row, np.zeros(80, np.uint8), at, *entries)
    for byte in range(256):
        for name in (
            "boundaries.is_digit",
            "boundaries.is_letter",
            "boundaries.is_word",
            "api_key.is_filler",
        ):
            yield name, (np.uint8(byte),)
    for character in b"09AZaz":
        yield "iban.append", (96, character)
    for word in (0, 3556498, 110379):
        yield "context.meaning_before", (word,)
    for form in (
        (0, 0, 10, 3, 0x334, 0x455, 0, 0, 49),
        (0, 0, 10, 3, 0x334, 0x155, 0, 0, 49),
        (1, 0, 11, 4, 0x1334, 0x1455, 1, 0, 49),
        (1, 0, 8, 3, 0x422, 0x200, 0, 0, 50),
        (0, 1, 11, 3, 0x344, 0x070, 0, 1, 50),
        (0, 0, 12, 4, 0x4332, 0x0123, 0, 0, 48),
        (0, 0, 9, 3, 0x333, 0x012, 0, 0, 49),
    ):
        yield "phone.has_form", form
    yield from _places()


def _places() -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Kernels that look at one place: at every place where they may be called, or every fifth if that is all."""
    buffer, end = as_bytes(PLACES), len(PLACES)
    digit: Callable[[int], bool] = lambda byte: 48 <= byte <= 57  # noqa: E731
    hexadecimal: Callable[[int], bool] = lambda byte: byte in b"0123456789abcdefABCDEF"  # noqa: E731
    anything: Callable[[int], bool] = lambda byte: True  # noqa: E731
    by_place = {
        "boundaries.digits_end": anything,
        "boundaries.continues": anything,
        "context.said_after": anything,
        "email.letter_width": anything,
        "email.domain_end": anything,
        "ip.octets_end": digit,
        "phone.extension_end": anything,
        "email.is_escaped_mark": anything,
        "api_key.is_long": anything,
        "find.goes_on": anything,
        "private_key.match_private_key": lambda byte: byte == 45,
        "private_key.hyphens": anything,
        "private_key.names_private_key": anything,
        "private_key.names_armour": anything,
        "url_credentials.match_url_credentials": anything,
    }
    after_floor = {
        "ip.match_ip": digit,
        "ip.match_ipv6": hexadecimal,
        "phone.match_phone": lambda byte: digit(byte) or byte in b"+(",
        "credit_card.match_credit_card": digit,
        "ssn.match_ssn": digit,
        "iban.match_iban": lambda byte: chr(byte).isascii() and chr(byte).isalpha(),
        "mac.match_mac": hexadecimal,
        "crypto.match_crypto": lambda byte: byte in b"013bB",
        "api_key.secret_start": lambda byte: byte in b"=:",
        "find.group_start": lambda byte: byte in b":-",
        "find.may_begin_key": lambda byte: byte in b"._-AJS",
    }
    for name, allowed in by_place.items():
        for at in range(0, end, 5 if allowed is anything else 1):
            if allowed(PLACES[at]):
                yield name, (buffer, at, end)
    for name, allowed in after_floor.items():
        for at in range(end):
            if allowed(PLACES[at]):
                yield name, (buffer, 0, at, end)
                yield name, (buffer, at, at, min(at + 12, end))
    for at in range(0, end, 3):
        yield "boundaries.follows", (buffer, 0, at)
        yield "context.said_before", (buffer, max(at - 50, 0), at)
        yield "api_key.shape_before", (buffer, 0, at)
        yield "api_key.may_end_prefix", (buffer, 0, at)
        if PLACES[at - 1 : at] == b'"' or PLACES[at - 1 : at] == b"=":
            yield "api_key.secret_end", (buffer, at - 2, at, end)
        for dollar in (0, 1):
            yield "email.script_letter", (buffer, at, end, dollar)
            yield "url_credentials.braces_end", (buffer, at, min(at + 12, end), dollar)
        yield "url_credentials.is_template", (buffer, at, min(at + 9, end))
        yield "ip.ends_range", (buffer, 0, at)
        yield "ip.names_version", (buffer, 0, at)
    for at in range(end):
        if PLACES[at] == 64:
            yield "email.email_start", (buffer, max(at - 30, 0), at)
    for at in range(0, end, 7):
        yield "credit_card.is_card", (buffer, at, min(at + 19, end))
        yield "context.word_hash", (buffer, at, min(at + 8, end))
        for shape in (0, 10, 20):
            yield "api_key.key_end", (buffer, at, end, shape)
        for least in (0, 3):
            yield "api_key.is_random", (buffer, at, min(at + 20, end), least)
