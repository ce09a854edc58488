"""Phone numbers in one form, whatever way they were typed."""

import re
import unicodedata

import phonenumbers
from babel.core import get_global

_NOT_DIGITS = re.compile(r"[^0-9]")


def region_of(zone: str) -> str | None:
    """The country that a time zone is in, whose numbers are written without a country code: ``Asia/Qatar`` is ``QA``."""
    found: str | None = get_global("zone_territories").get(zone)
    return found if found and found != "001" else None


def international(text: str, region: str | None) -> str:
    """``+97455501234`` where the text is a number that can exist; otherwise its digits as they stand."""
    parsed = _parsed(text, region)
    if parsed is None or not phonenumbers.is_possible_number(parsed):
        return ("+" if text.strip().startswith("+") else "") + _digits(text)
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def spellings(text: str, region: str | None) -> set[str]:
    """The forms by which a number is found: with its country's code and without, so that a visitor's number, which was noted
    with its code, is found by how the visitor says it."""
    parsed = _parsed(text, region)
    whole, digits = international(text, region), _digits(text).lstrip("0")
    local = "" if parsed is None else str(parsed.national_number)
    return {one for one in (whole.lstrip("+"), local, digits) if one}


def _parsed(text: str, region: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(_decimal(text), region)
    except phonenumbers.NumberParseException:
        return None


def _digits(text: str) -> str:
    return _NOT_DIGITS.sub("", _decimal(text))


def _decimal(text: str) -> str:
    """Digits of any script as ASCII digits."""
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)
