"""Telephone numbers that the numbering plans of countries know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache

import phonenumbers
from phonenumbers import Leniency, PhoneMetadata, PhoneNumberMatcher

__all__ = ["COUNTRIES", "is_phone", "unknown_countries"]

_CODES = (
    "US CA MX BR AR CL CO PE VE EC GB IE DE AT CH FR BE NL LU IT ES PT DK SE NO FI IS PL CZ SK HU RO BG "
    "GR HR SI RS UA LT LV EE TR RU IL AE SA EG MA NG KE ZA IN PK BD LK CN HK TW JP KR SG MY TH VN ID PH "
    "AU NZ"
)

COUNTRIES: tuple[str, ...] = tuple(_CODES.split())
"""The countries (ISO 3166) whose national forms are looked for, unless the recipe names others.

A number with `+` needs no country. One without is only looked for in the forms of `pipeline.text.phone`, so a wide list
costs little precision and a narrow one much recall: these are the countries with the most telephones, and Europe.
"""


def unknown_countries(countries: Sequence[str]) -> list[str]:
    """The codes that are of no country with a numbering plan."""
    return [code for code in countries if code not in phonenumbers.SUPPORTED_REGIONS]


@lru_cache(1 << 14)
def is_phone(number: str, announced: bool, countries: tuple[str, ...]) -> bool:
    """Whether a candidate is a telephone number.

    Args:
        number: As it stands in the text.
        announced: Whether a word such as `call` stands beside it. Then it is enough that a number of some country can
            have so many digits. Otherwise one with `+` or of the North American form must be valid, and one with a
            trunk 0 must also be grouped as its country groups it.
        countries: Whose national forms count.
    """
    if announced:
        return _is_possible(number, countries)
    if number.lstrip("(")[0] == "+":
        return _is_valid(number, None)
    digits = re.sub(r"[^0-9]", "", re.split("[xX]", number)[0])
    return any(_pattern(country).fullmatch(digits) and _is_written(number, country) for country in countries)


def _is_possible(number: str, countries: Sequence[str]) -> bool:
    for country in countries:
        try:
            parsed = phonenumbers.parse(number, country)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_possible_number(parsed):
            return True
    return False


def _is_valid(number: str, country: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, country))
    except phonenumbers.NumberParseException:
        return False


def _is_written(number: str, country: str) -> bool:
    if _country_code(country) == 1:
        return _is_valid(number, country)
    return any(PhoneNumberMatcher(number, country, leniency=Leniency.STRICT_GROUPING, max_tries=1))


@lru_cache(512)
def _country_code(country: str) -> int:
    return phonenumbers.country_code_for_region(country)


@cache
def _pattern(country: str) -> re.Pattern[str]:
    """What the digits of a national number match, with the prefix that is dialled before: a quick first look."""
    plan = PhoneMetadata.metadata_for_region(country)
    if plan is None or plan.general_desc is None:
        raise ValueError(f"no country with a numbering plan has the code {country!r}")
    prefix = plan.national_prefix_for_parsing or plan.national_prefix or ""
    return re.compile(f"(?:00\\d*|(?:{prefix})?(?:{plan.general_desc.national_number_pattern}))")
