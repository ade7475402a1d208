"""Keys in the forms that vendors print, drawn by lot."""

from __future__ import annotations

import random
import string

import pytest

from tests.text.entity_texts import found

HEXADECIMAL = "0123456789abcdef"
CAPITALS = string.ascii_uppercase + string.digits
LETTERS = string.ascii_letters + string.digits
URL_SAFE = LETTERS + "-_"

VENDORS = [
    # prefix, characters, how many (from the vendors' pages and gitleaks' rules)
    ("AKIA", CAPITALS, 16),
    ("ACCA", CAPITALS, 16),
    ("ABIA", CAPITALS, 16),
    ("ghs_", LETTERS, 36),
    ("xoxc-", string.digits + "-" + LETTERS, 60),
    ("xapp-1-A", CAPITALS, 60),
    ("GOCSPX-", URL_SAFE, 28),
    ("AIzaSy", URL_SAFE, 33),
    ("whsec_", LETTERS, 32),
    ("sk-or-v1-", HEXADECIMAL, 64),
    ("sk-proj-", URL_SAFE, 156),
    ("api_org_", LETTERS, 34),
    ("gsk_", LETTERS, 52),
    ("xai-", LETTERS, 80),
    ("pplx-", LETTERS, 48),
    ("nvapi-", URL_SAFE, 64),
    ("r8_", LETTERS, 37),
    ("tvly-", LETTERS, 32),
    ("pcsk_", LETTERS, 70),
    ("pnu_", LETTERS, 36),
    ("glpat-", URL_SAFE, 20),
    ("glrt-", URL_SAFE, 20),
    ("gldt-", URL_SAFE, 20),
    ("glptt-", HEXADECIMAL, 40),
    ("gloas-", URL_SAFE, 64),
    ("rubygems_", HEXADECIMAL, 48),
    ("dckr_pat_", URL_SAFE, 27),
    ("key-", HEXADECIMAL, 32),
    ("shpss_", HEXADECIMAL, 32),
    ("sq0atp-", URL_SAFE, 22),
    ("shippo_live_", HEXADECIMAL, 40),
    ("doo_v1_", HEXADECIMAL, 64),
    ("hvs.", URL_SAFE, 95),
    ("dp.pt.", LETTERS, 43),
    ("pul-", HEXADECIMAL, 40),
    ("tskey-auth-", LETTERS, 40),
    ("glc_eyJvIjoiNjUyOTkw", LETTERS + "+/", 64),
    ("sntryu_", HEXADECIMAL, 64),
    ("NRAK-", CAPITALS, 27),
    ("phx_", LETTERS, 43),
    ("lin_api_", LETTERS, 40),
    ("ntn_", LETTERS, 46),
    ("figd_", URL_SAFE, 40),
    ("CFPAT-", URL_SAFE, 43),
    ("sbp_", HEXADECIMAL, 40),
    ("pscale_tkn_", URL_SAFE, 43),
    ("AGE-SECRET-KEY-", CAPITALS, 59),
]


def drawn(prefix: str, characters: str, size: int, seed: int) -> str:
    """A key by lot that begins and ends with a letter or a digit, as nothing else tells where a sentence ends it."""
    rng = random.Random(f"{prefix}{seed}")
    ends = [rng.choice([one for one in characters if one.isalnum()]) for _ in range(2)]
    return prefix + ends[0] + "".join(rng.choices(characters, k=size - 2)) + ends[1]


@pytest.mark.parametrize(("prefix", "characters", "size"), VENDORS)
def test_a_vendor_s_key_is_found_whole(prefix: str, characters: str, size: int) -> None:
    for seed in range(20):
        key = drawn(prefix, characters, size, seed)
        assert found(f"use {key}, or `{key}`.") == [("api_key", key), ("api_key", key)]


@pytest.mark.parametrize(("prefix", "characters", "size"), VENDORS)
def test_what_is_not_drawn_by_lot_or_cut_short_stays(prefix: str, characters: str, size: int) -> None:
    key = drawn(prefix, characters, size, 0)
    for text in (prefix, prefix + "x" * size, key[: len(prefix) + 8], "a" + key):
        assert found(f"see {text} here") == []
