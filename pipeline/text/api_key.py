"""Keys and passwords of programs."""

from __future__ import annotations

import numpy as np

from pipeline.text.boundaries import is_word
from pipeline.text.kernel import declare, int64

__all__ = ["PREFIX_BOUNDS", "is_long", "key_end", "may_end_prefix", "secret_end", "secret_start", "shape_before"]

DIGIT, UPPER, LOWER, UNDERSCORE, HYPHEN, DOT, BASE64, HEX, SYMBOL = (1 << bit for bit in range(9))
ALNUM = DIGIT | UPPER | LOWER
URL64 = ALNUM | UNDERSCORE | HYPHEN

CLASSES = np.zeros(256, np.int64)
"""What a byte is, one bit for each of the names above."""
CLASSES[48:58] = DIGIT | HEX
CLASSES[65:91] = UPPER
CLASSES[97:123] = LOWER
CLASSES[97:103] |= HEX
for _characters, _class in (
    ("_", UNDERSCORE),
    ("-", HYPHEN),
    (".", DOT),
    ("+/=", BASE64),
    ("!@#$%^&*~?:,|()[]{}<>;", SYMBOL),
):
    for _character in _characters:
        CLASSES[ord(_character)] = _class

_SHAPES = [
    ("AKIA", 16, 16, DIGIT | UPPER, 0),  # Amazon Web Services
    ("ASIA", 16, 16, DIGIT | UPPER, 0),
    ("ABIA", 16, 16, DIGIT | UPPER, 1),
    ("ACCA", 16, 16, DIGIT | UPPER, 1),
    ("ghp_", 36, 251, ALNUM, 0),  # GitHub
    ("gho_", 36, 251, ALNUM, 0),
    ("ghu_", 36, 251, ALNUM, 0),
    ("ghs_", 36, 251, ALNUM, 0),
    ("ghr_", 36, 251, ALNUM, 0),
    ("github_pat_", 40, 251, ALNUM | UNDERSCORE, 0),
    ("xoxa-", 20, 251, ALNUM | HYPHEN, 1),  # Slack
    ("xoxb-", 20, 251, ALNUM | HYPHEN, 1),
    ("xoxc-", 20, 251, ALNUM | HYPHEN, 1),
    ("xoxe-", 20, 251, ALNUM | HYPHEN, 0),
    ("xoxp-", 20, 251, ALNUM | HYPHEN, 0),
    ("xoxr-", 20, 251, ALNUM | HYPHEN, 0),
    ("xoxs-", 20, 251, ALNUM | HYPHEN, 0),
    ("xapp-", 40, 251, ALNUM | HYPHEN, 1),
    ("AIza", 35, 35, URL64, 0),  # Google
    ("ya29.", 40, 512, URL64, 1),
    ("GOCSPX-", 28, 28, URL64, 0),
    ("sk_live_", 16, 251, ALNUM, 0),  # Stripe
    ("rk_live_", 16, 251, ALNUM, 0),
    ("sk_test_", 16, 251, ALNUM, 0),
    ("rk_test_", 16, 251, ALNUM, 0),
    ("whsec_", 32, 64, ALNUM, 1),
    ("sk-", 20, 251, URL64, 3),  # OpenAI, Anthropic, OpenRouter, DeepSeek
    ("hf_", 30, 40, ALNUM, 0),  # Hugging Face
    ("api_org_", 34, 34, ALNUM, 0),
    ("gsk_", 48, 64, ALNUM, 1),  # Groq
    ("xai-", 60, 100, ALNUM, 1),  # xAI
    ("pplx-", 40, 64, ALNUM, 1),  # Perplexity
    ("nvapi-", 60, 80, URL64, 1),  # NVIDIA
    ("r8_", 37, 40, ALNUM, 1),  # Replicate
    ("tvly-", 32, 64, ALNUM | HYPHEN, 1),  # Tavily
    ("pcsk_", 60, 80, ALNUM | UNDERSCORE, 1),  # Pinecone
    ("lsv2_pt_", 40, 50, HEX | UNDERSCORE, 1),  # LangSmith
    ("lsv2_sk_", 40, 50, HEX | UNDERSCORE, 1),
    ("wandb_v1_", 60, 100, ALNUM | UNDERSCORE, 1),  # Weights & Biases
    ("pnu_", 36, 36, ALNUM, 1),  # Prefect
    ("glpat-", 20, 320, URL64 | DOT, 0),  # GitLab
    ("gldt-", 20, 64, URL64, 0),
    ("glft-", 20, 64, URL64, 0),
    ("glrt-", 20, 320, URL64 | DOT, 0),
    ("glptt-", 40, 40, HEX, 1),
    ("glcbt-", 20, 64, URL64, 0),
    ("gloas-", 64, 64, URL64, 1),
    ("npm_", 36, 36, ALNUM, 0),
    ("pypi-", 50, 512, URL64, 0),
    ("rubygems_", 48, 48, HEX, 1),
    ("dckr_pat_", 27, 40, URL64, 0),  # Docker
    ("SG.", 60, 80, URL64 | DOT, 1),  # SendGrid
    ("xkeysib-", 64, 100, ALNUM | HYPHEN, 1),  # Brevo
    ("key-", 32, 32, HEX, 3),  # Mailgun
    ("SK", 32, 32, HEX, 1),  # Twilio
    ("AC", 32, 32, HEX, 1),
    ("shpat_", 32, 32, HEX | UPPER, 0),  # Shopify
    ("shpca_", 32, 32, HEX | UPPER, 1),
    ("shppa_", 32, 32, HEX | UPPER, 1),
    ("shpss_", 32, 32, HEX | UPPER, 1),
    ("sq0atp-", 22, 60, URL64, 0),  # Square
    ("sq0csp-", 43, 43, URL64, 1),
    ("shippo_live_", 40, 40, HEX, 1),  # Shippo
    ("shippo_test_", 40, 40, HEX, 1),
    ("dop_v1_", 64, 64, HEX, 0),  # DigitalOcean
    ("doo_v1_", 64, 64, HEX, 1),
    ("dor_v1_", 64, 64, HEX, 1),
    ("hvs.", 24, 200, URL64, 1),  # Vault
    ("hvb.", 100, 400, URL64, 1),
    ("dp.pt.", 40, 44, ALNUM, 1),  # Doppler
    ("pul-", 40, 40, HEX, 1),  # Pulumi
    ("tskey-", 20, 100, ALNUM | HYPHEN, 1),  # Tailscale
    ("glc_", 32, 400, ALNUM | BASE64, 1),  # Grafana
    ("glsa_", 41, 41, ALNUM | UNDERSCORE, 1),
    ("sntryu_", 64, 64, HEX, 1),  # Sentry
    ("sntrys_", 60, 512, ALNUM | UNDERSCORE | BASE64, 1),
    ("NRAK-", 27, 27, DIGIT | UPPER, 1),  # New Relic
    ("dt0c01.", 80, 100, ALNUM | DOT, 1),  # Dynatrace
    ("phx_", 40, 50, ALNUM, 1),  # PostHog
    ("PMAK-", 59, 59, HEX | HYPHEN, 1),  # Postman
    ("lin_api_", 40, 40, ALNUM, 1),  # Linear
    ("ntn_", 43, 50, ALNUM, 1),  # Notion
    ("figd_", 38, 50, URL64, 1),  # Figma
    ("CFPAT-", 43, 43, URL64, 1),  # Contentful
    ("sbp_", 40, 40, HEX, 1),  # Supabase
    ("pscale_tkn_", 32, 64, URL64 | DOT, 1),  # PlanetScale
    ("pscale_pw_", 32, 64, URL64 | DOT, 1),
    ("AGE-SECRET-KEY-", 59, 59, DIGIT | UPPER, 1),  # age
    ("eyJ", 40, 4096, URL64 | DOT, 1),  # JSON Web Token
]
"""Prefix, least and most characters after it, their classes, and the least changes between digits and letters."""

SHAPES = np.array([shape[1:] for shape in _SHAPES], np.int64)
PREFIXES = np.frombuffer("".join(shape[0] for shape in _SHAPES).encode(), np.uint8)
PREFIX_BOUNDS = np.cumsum([0] + [len(shape[0]) for shape in _SHAPES]).astype(np.int64)

_NAMES = (
    "password passwd passphrase pwd secret token apikey accesskey secretkey authkey signingkey encryptionkey "
    "accountkey credential credentials authorization"
)
NAMES = np.frombuffer(_NAMES.replace(" ", "").encode(), np.uint8)
NAME_BOUNDS = np.cumsum([0] + [len(name) for name in _NAMES.split()]).astype(np.int64)


def _pairs(endings: list[str]) -> np.ndarray:
    """Sets of pairs of characters, of whose codes only the low five bits count: a bit for the second in its first."""
    pairs = np.zeros(32, np.int64)
    for ending in endings:
        pairs[ord(ending[0]) & 31] |= 1 << (ord(ending[1]) & 31)
    return pairs


BEFORE_MARK = _pairs([shape[0][-3:-1] for shape in _SHAPES if shape[0][-1] in "._-J"])
"""What stands before the last character of a prefix that ends with one of these."""
NAME_ENDS = _pairs([name[-2:] for name in _NAMES.split()])

LONGEST = 512
"""Characters of a value that are looked at."""


@declare("int64(uint8[::1], int64, int64)")
def is_long(buffer: np.ndarray, at: int, end: int) -> int:
    """Return 1 if 16 letters, digits, `_` or `-` begin at `at`: the least that a key has after its prefix."""
    if at + 16 > end:
        return 0
    i = at
    while i < at + 16 and CLASSES[buffer[i]] & URL64:
        i += 1
    return 1 if i == at + 16 else 0


@declare("int64(uint8[::1], int64, int64)", inline=True)
def may_end_prefix(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return 1 if a prefix may end with what stands at `at`, one of `. _ - J`: a quick first look."""
    return BEFORE_MARK[buffer[at - 2] & 31] >> (buffer[at - 1] & 31) & 1 if at - 2 >= floor else 0


@declare("int64(uint8[::1], int64, int64)")
def shape_before(buffer: np.ndarray, floor: int, at: int) -> int:
    """Return which vendor's prefix ends before `at`, or -1.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: Where the rest of a key would begin.
    """
    for shape in range(len(SHAPES)):
        place = PREFIX_BOUNDS[shape + 1]
        i = at
        while place > PREFIX_BOUNDS[shape] and i > floor and buffer[i - 1] == PREFIXES[place - 1]:
            i -= 1
            place -= 1
        if place == PREFIX_BOUNDS[shape] and (i == floor or not is_word(buffer[i - 1])):
            return shape
    return -1


@declare("int64(uint8[::1], int64, int64, int64)")
def key_end(buffer: np.ndarray, at: int, end: int, shape: int) -> int:
    """Return where the key ends whose prefix, that of `shape`, ends before `at`, or 0."""
    least = SHAPES[shape, 0]
    most = SHAPES[shape, 1]
    stop = at
    while stop < end and stop - at <= most and CLASSES[buffer[stop]] & SHAPES[shape, 2]:
        stop += 1
    while stop > at and (buffer[stop - 1] == 46 or buffer[stop - 1] == 45):  # the end of a sentence
        stop -= 1
    if stop - at < least or stop - at > most or (stop < end and is_word(buffer[stop])):
        return 0
    return stop if is_random(buffer, at, stop, SHAPES[shape, 3]) else 0


@declare("int64(uint8[::1], int64, int64, int64)")
def is_random(buffer: np.ndarray, start: int, end: int, least: int) -> int:
    """Return 1 if `[start, end)` looks drawn by lot: digits and letters by turns, no character too often.

    At least so many changes between digits and others, and at most one of eight pairs of equal characters, both among
    the first 64: the collision entropy is three bits a character or more. Of hexadecimal digits 1 of 16 pairs are
    equal, of words in English about 1 of 15 (they have no digits), of `xxxxxxxx` all.
    """
    size = min(end - start, 64)
    changes = 0
    for i in range(start + 1, start + size):
        if (CLASSES[buffer[i]] ^ CLASSES[buffer[i - 1]]) & DIGIT:
            changes += 1
    if changes < least:
        return 0
    equal = 0
    for i in range(start + 1, start + size):
        for k in range(start, i):
            if buffer[k] == buffer[i]:
                equal += 1
    return 1 if 16 * equal <= size * (size - 1) else 0


@declare("int64(uint8[::1], int64, int64, int64)")
def secret_start(buffer: np.ndarray, floor: int, at: int, end: int) -> int:
    r"""Return where the value begins that is assigned at `at` to a name such as `password`, or 0.

    The name ends with one of `NAMES` in any case, `_` and `-` passed over (`AWS_SECRET_ACCESS_KEY`, `clientSecret`);
    quotes, a backslash before one, and spaces may stand around it and before the value, and `Bearer ` too.

    Args:
        buffer: Bytes of the column.
        floor: Bytes before it are out of sight.
        at: Of the `=` or `:`.
        end: One past the row's last byte.
    """
    i = at
    while i > floor and at - i < 5 and (is_filler(buffer[i - 1]) or buffer[i - 1] == 58):
        i -= 1
    if i - 2 < floor:
        return 0
    before = int64(buffer[i - 2])
    if before != 95 and before != 45 and not NAME_ENDS[before & 31] >> (buffer[i - 1] & 31) & 1:
        return 0  # most of what is assigned has another name
    named = False
    for name in range(len(NAME_BOUNDS) - 1):
        place = NAME_BOUNDS[name + 1]
        k = i
        while place > NAME_BOUNDS[name] and k > floor:
            byte = int64(buffer[k - 1])
            if byte != 95 and byte != 45:
                if byte | 0x20 != NAMES[place - 1]:
                    break
                place -= 1
            elif k == i:
                break
            k -= 1
        named = named or place == NAME_BOUNDS[name]
    if not named:
        return 0
    i = at + 1
    if i < end and (buffer[i] == 61 or buffer[i] == 62):  # == =>
        if buffer[i] == 61:
            return 0
        i += 1
    while i < end and i - at < 6 and is_filler(buffer[i]):
        i += 1
    for _ in range(2):
        word = i
        while word < end and word - i < 8 and CLASSES[buffer[word]] & (UPPER | LOWER):
            word += 1
        scheme = word - i == 6 or word - i == 5  # Bearer, Basic, Token
        if scheme and word < end and buffer[word] == 32 and CLASSES[buffer[i]] & UPPER:
            i = word + 1
    return i


@declare("int64(uint8[::1], int64, int64, int64)")
def secret_end(buffer: np.ndarray, at: int, start: int, end: int) -> int:
    """Return where the value ends that begins at `start` if it is a secret, or 0.

    In quotes: 8 characters or more without a space; else 16 or more letters, digits and `_-+/=`. Letters with digits by
    turns (`is_random`), so that names, words, templates and paths stay.

    Args:
        buffer: Bytes of the column.
        at: Of the `=` or `:` before it.
        start: Its first byte.
        end: One past the row's last byte.
    """
    quote = int64(buffer[start - 1])
    quoted = start - 1 > at and (quote == 34 or quote == 39 or quote == 96)
    allowed = URL64 | BASE64 | (SYMBOL | DOT if quoted else 0)
    if start >= end or not CLASSES[buffer[start]] & (URL64 | SYMBOL) or buffer[start] == 36 or buffer[start] == 123:
        return 0
    stop = start
    while stop < end and stop - start < LONGEST and CLASSES[buffer[stop]] & allowed:
        stop += 1
    if quoted:
        if stop >= end or (int64(buffer[stop]) != quote and buffer[stop] != 92) or stop - start < 8:
            return 0
    else:
        after = int64(buffer[stop]) if stop < end else 10
        ends = after <= 32 or after == 34 or after == 38 or after == 39 or after == 44 or after == 59 or after == 92
        if stop - start < 16 or not ends:
            return 0
    return stop if is_random(buffer, start, stop, 3) else 0


@declare("int64(uint8)")
def is_filler(byte: np.uint8) -> int:
    r"""Return 1 for a space, a quote or a backslash."""
    return 1 if byte == 32 or byte == 34 or byte == 39 or byte == 92 or byte == 96 else 0
