"""Languages: the right one is chosen, every text is said in it, numbers and times as its readers write them."""

import subprocess
import sys
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.platform import errors
from dawr.platform.catalogues import compiled, read
from dawr.platform.i18n import (
    LANGUAGES,
    N_,
    direction,
    format_date,
    format_minutes,
    format_number,
    format_time,
    negotiate,
    translator,
)

OFFERED = ("ar", "en", "hi")


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, "ar"),
        ("", "ar"),
        ("en", "en"),
        ("ar-QA,ar;q=0.9,en;q=0.8", "ar"),
        ("EN-us", "en"),
        ("fr, de;q=0.9, hi;q=0.1", "hi"),
        ("en;q=0.5, hi;q=0.7", "hi"),
        ("hi;q=0.7, en;q=0.7", "hi"),
        ("fr", "ar"),
        ("*", "ar"),
        ("ar;q=0, *", "en"),
        ("ar;q=0, en;q=0", "ar"),
        ("en;q=nonsense, hi;q=0.2", "hi"),
        ("en;q=nan, hi;q=2", "ar"),
        ("; , ;;q=1,,", "ar"),
        ("fr," * 100 + "en", "ar"),
    ],
)
def test_the_best_offered_language_is_chosen(header: str | None, chosen: str) -> None:
    assert negotiate(header, OFFERED) == chosen


def test_only_what_a_facility_offers_is_chosen_its_first_by_default() -> None:
    assert negotiate("ar", ("en", "hi")) == "en"
    assert negotiate(None, ("hi", "en")) == "hi"


@given(st.text() | st.text(alphabet="aren hi,;q=.*0123-"), st.permutations(OFFERED))
def test_any_header_gives_an_offered_language(header: str, offered: list[str]) -> None:
    assert negotiate(header, offered) in offered


@pytest.mark.timeout(5)
def test_a_huge_header_costs_nothing() -> None:
    assert negotiate("en;q=0.1," * 1_000_000, OFFERED) == "en"


def test_arabic_runs_from_the_right() -> None:
    assert [direction(lang) for lang in LANGUAGES] == ["rtl", "ltr", "ltr"]


def problems() -> list[type[errors.Problem]]:
    return [errors.Problem, *(kind for kind in errors.Problem.__subclasses__() if kind.__module__ == errors.__name__)]


@pytest.mark.parametrize("lang", ["ar", "hi"])
def test_every_problem_has_a_title_in_the_language(lang: str) -> None:
    titles = [translator(lang).gettext(problem.title) for problem in problems()]
    assert len(titles) >= 9
    assert not {problem.title for problem in problems()} & set(titles)


def test_english_is_said_as_it_is_written() -> None:
    english = translator("en")
    assert english.gettext(N_("Please sign in")) == "Please sign in"
    assert [english.ngettext("%(num)s day", "%(num)s days", number) for number in (1, 2)] == [
        "%(num)s day",
        "%(num)s days",
    ]


def test_a_text_nobody_translated_is_english_and_no_key() -> None:
    assert translator("ar").gettext("Nobody has written this yet") == "Nobody has written this yet"


def test_a_language_without_texts_is_refused() -> None:
    with pytest.raises(ValueError, match="tlh"):
        translator("tlh")


def test_arabic_has_its_six_plural_forms_and_hindi_its_two() -> None:
    for lang, forms in (("ar", 6), ("hi", 2)):
        catalog = read(lang)
        catalog.add(("%(num)s x", "%(num)s xs"), tuple(f"form {form}" for form in range(forms)))
        said = compiled(catalog)
        spoken = {said.ngettext("%(num)s x", "%(num)s xs", number) for number in (0, 1, 2, 3, 11, 100)}
        assert spoken == {f"form {form}" for form in range(forms)}


def test_numbers_keep_the_digits_of_the_tickets() -> None:
    assert {format_number(12345, lang) for lang in LANGUAGES} == {"12,345"}


def test_minutes_follow_the_grammar() -> None:
    assert [format_minutes(number, "ar") for number in (1, 2, 3, 11)] == ["دقيقة", "دقيقتان", "3 دقائق", "11 دقيقة"]
    assert [format_minutes(number, "en") for number in (1, 2)] == ["1 minute", "2 minutes"]
    assert format_minutes(5, "hi") == "5 मिनट"


def test_a_time_is_shown_in_the_zone_of_the_place() -> None:
    moment = datetime(2026, 11, 21, 6, 5, tzinfo=UTC)
    assert format_time(moment, ZoneInfo("Asia/Qatar"), "en") == "9:05\u202fAM"
    assert format_time(moment, ZoneInfo("Asia/Qatar"), "ar") == "9:05 ص"
    assert format_time(moment, ZoneInfo("Asia/Kolkata"), "hi") == "11:35 am"
    with pytest.raises(ValueError, match="zone"):
        format_time(datetime(2026, 11, 21), UTC, "en")  # noqa: DTZ001 - the mistake that is refused


def test_a_day_is_named() -> None:
    assert format_date(date(2026, 11, 21), "en") == "Sat, Nov 21"
    assert "نوفمبر" in format_date(date(2026, 11, 21), "ar")


def test_extract_prints_the_message_ids_of_the_sources() -> None:
    command = [sys.executable, "-m", "dawr.platform.i18n", "extract"]
    printed = subprocess.run(command, capture_output=True, check=True, text=True, encoding="utf-8").stdout
    assert 'msgid "Please sign in"' in printed
