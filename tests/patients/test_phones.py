"""A phone number is one, however it is typed."""

import pytest

from dawr.patients.phones import international, region_of, spellings
from dawr.patients.rules import masked

WAYS = ["55501234", "5550 1234", "+974 5550 1234", "00974 5550-1234", "٥٥٥٠١٢٣٤", "५५५०१२३४", "(974) 5550.1234"]


@pytest.mark.parametrize("way", WAYS[:6])
def test_every_way_gives_one_form(way: str) -> None:
    assert international(way, "QA") == "+97455501234"


@pytest.mark.parametrize("way", WAYS)
def test_every_way_finds_the_number(way: str) -> None:
    assert spellings(way, "QA") & spellings("+97455501234", None)


def test_a_visitor_is_found_by_the_number_at_home() -> None:
    assert spellings("0501234567", "QA") & spellings("+966 50 123 4567", "QA")


def test_what_is_no_number_stays_as_its_digits() -> None:
    assert international("12", "QA") == "12"
    assert international("+1 2", "QA") == "+12"


def test_two_numbers_have_nothing_in_common() -> None:
    assert not spellings("55501234", "QA") & spellings("55501235", "QA")


@pytest.mark.parametrize(("zone", "region"), [("Asia/Qatar", "QA"), ("Asia/Kolkata", "IN"), ("UTC", None)])
def test_a_zone_s_country(zone: str, region: str | None) -> None:
    assert region_of(zone) == region


def test_a_masked_number_keeps_its_last_digits() -> None:
    assert masked("+97455501234") == "•••••••••234"
    assert masked(None) is None
