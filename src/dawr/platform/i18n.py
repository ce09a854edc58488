"""Every text a person reads, in their language: English message ids, gettext catalogues for Arabic and Hindi.

``N_("…")`` marks a text where it is written, ``translator(lang).gettext`` says it where it is shown; templates have
``_("…")``. A text without a translation appears in English, never as a key, and a house test keeps that from happening.

    python -m dawr.platform.i18n extract    all message ids, as a template
    python -m dawr.platform.i18n update     bring the catalogues up to date with the sources
    python -m dawr.platform.i18n check      say what is missing; exit 1 if anything is
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from functools import cache, lru_cache
from gettext import NullTranslations
from typing import Literal

from babel import dates, numbers, units

from dawr.platform import catalogues
from dawr.platform.errors import N_

__all__ = [
    "LANGUAGES",
    "N_",
    "direction",
    "format_date",
    "format_long_date",
    "format_minutes",
    "format_number",
    "format_time",
    "negotiate",
    "translator",
]

LANGUAGES = ("ar", "en", "hi")
_RIGHT_TO_LEFT = frozenset({"ar"})
_SOURCE = "en"
_LONGEST_HEADER = 500
_MOST_WISHES = 20


def direction(lang: str) -> Literal["rtl", "ltr"]:
    return "rtl" if lang in _RIGHT_TO_LEFT else "ltr"


@cache
def translator(lang: str) -> NullTranslations:
    """The translations into this language, with ``gettext``, ``ngettext``, ``pgettext``. Read once; ``ValueError`` if
    the language is none of ``LANGUAGES``."""
    if lang not in LANGUAGES:
        raise ValueError(f"there are no texts in {lang!r}")
    return NullTranslations() if lang == _SOURCE else catalogues.compiled(catalogues.read(lang))


def negotiate(accept_language: str | None, offered: Sequence[str]) -> str:
    """Of the languages ``offered`` (at least one, the preferred first), the one this ``Accept-Language`` likes best.

    Regions are not told apart (``ar-QA`` is ``ar``). Where nothing fits, the first one; only so much of the header is
    read as a browser sends.
    """
    return _chosen((accept_language or "")[:_LONGEST_HEADER], tuple(offered))


@lru_cache(maxsize=1024)
def _chosen(header: str, offered: tuple[str, ...]) -> str:
    wishes = _wishes(header)
    refused = {language for language, weight in wishes if weight <= 0}
    for wish, weight in sorted(wishes, key=lambda wish: -wish[1]):
        for language in offered:
            if weight > 0 and wish in (language, "*") and language not in refused:
                return language
    return offered[0]


def _wishes(header: str) -> list[tuple[str, float]]:
    """Languages and their weights, in the header's order."""
    parts = (part.partition(";") for part in header.lower().split(",")[:_MOST_WISHES])
    return [(tag.strip().partition("-")[0], _weight(rest)) for tag, _, rest in parts if tag.strip()]


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0


def format_number(number: float, lang: str) -> str:
    """``12,345``. The digits are those printed on tickets (0-9) in every language, so that people can compare them."""
    return numbers.format_decimal(number, locale=lang)


def format_minutes(number: int, lang: str) -> str:
    """``5 minutes``, with the word in the form that the number asks for."""
    return units.format_unit(number, "duration-minute", length="long", locale=lang)


def format_time(moment: datetime, tz: tzinfo, lang: str) -> str:
    """The time of day of an aware ``moment`` on a clock in the zone ``tz``: ``9:05 AM``."""
    if moment.tzinfo is None:
        raise ValueError("a moment without a zone has no time of day elsewhere")
    return dates.format_time(moment, "short", tzinfo=tz, locale=lang)


def format_date(day: date, lang: str) -> str:
    """A whole day, such as a service day: ``Sat, Nov 21``; the year is understood."""
    return dates.format_skeleton("MMMEd", day, locale=lang)


def format_long_date(day: date, lang: str) -> str:
    """A day months ahead, to be read with care: ``Monday, November 23, 2026``."""
    return dates.format_date(day, "full", locale=lang)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dawr.platform.i18n")
    parser.add_argument("action", choices=("extract", "update", "check"))
    action = parser.parse_args(arguments).action
    template = catalogues.extract()
    if action == "extract":
        sys.stdout.write(catalogues.as_text(template))
        return 0
    if action == "update":
        for language in catalogues.TRANSLATED:
            catalogues.update(language, template)
    found = [
        f"{lang}: {fault}"
        for lang in catalogues.TRANSLATED
        for fault in catalogues.faults(catalogues.read(lang), template)
    ]
    sys.stdout.write("".join(f"{fault}\n" for fault in found))
    return 1 if found and action == "check" else 0


if __name__ == "__main__":
    sys.exit(main())
