"""What settings may be: each mistake names its field and leaves nothing half changed."""

from datetime import UTC, time
from typing import Any
from uuid import UUID

import pytest

from dawr.facilities.rules import Clinic, Facility, InvalidSetting, UnknownZone, named
from dawr.facilities.rules_settings import (
    changed_clinic,
    changed_facility,
    clean_names,
    clinic_settings,
    difference,
    fresh_clinic,
    fresh_facility,
    require_desk_name,
    require_slug,
)

HOUSE = UUID(int=1)
RIGHT_FACILITY: dict[str, Any] = {"name": {"en": "Test"}, "zone": "Asia/Qatar", "languages": ("ar", "en")}
RIGHT_CLINIC: dict[str, Any] = {"name": {"en": "Laboratory"}, "prefix": "LAB"}


def facility(**changes: Any) -> Facility:
    return changed_facility(fresh_facility(HOUSE, "test"), RIGHT_FACILITY | changes)  # type: ignore[arg-type]


def clinic(**changes: Any) -> Clinic:
    return changed_clinic(fresh_clinic(HOUSE, "lab"), RIGHT_CLINIC | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", ["", "Qatar/Asia", "Asia", "../etc/passwd", "localtime", "asia/qatar", "UTC+3"])
def test_a_zone_is_one_of_the_world(zone: str) -> None:
    with pytest.raises(UnknownZone) as refused:
        facility(zone=zone)
    assert refused.value.extra == {"field": "zone"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("pivot", time(5, 0, 1)),
        ("pivot", time(5, tzinfo=UTC)),
        ("languages", ()),
        ("languages", ("en", "en")),
        ("languages", ("English",)),
        ("languages", tuple(f"a{letter}" for letter in "abcdefghijklmnopqrstu")),
        ("grace_minutes", -1),
        ("grace_minutes", 721),
    ],
)
def test_a_facility_refuses(field: str, value: object) -> None:
    with pytest.raises(InvalidSetting) as refused:
        facility(**{field: value})
    assert refused.value.extra == {"field": field}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prefix", ""),
        ("prefix", "lab"),
        ("prefix", "1A"),
        ("prefix", "LAB-"),
        ("prefix", "ABCDEFGHI"),
        ("capacity", -1),
        ("capacity", 10**30),
        ("mean_service_seconds", 9),
        ("mean_service_seconds", 28_801),
        ("late_after_seconds", 29),
        ("priority_credit_seconds", -1),
        ("place", -1),
        ("floor", " "),
        ("floor", "x" * 41),
        ("floor", "2\n3"),
    ],
)
def test_a_clinic_refuses(field: str, value: object) -> None:
    with pytest.raises(InvalidSetting) as refused:
        clinic(**{field: value})
    assert refused.value.extra == {"field": field}


@pytest.mark.parametrize(
    "names",
    [{}, {"en": ""}, {"en": " "}, {"EN": "Lab"}, {"english": "Lab"}, {"en": "x" * 101}, {"en": "a\u2028b"}],
)
def test_names_are_one_line_in_languages_that_exist(names: dict[str, str]) -> None:
    with pytest.raises(InvalidSetting) as refused:
        clean_names(names)
    assert refused.value.extra == {"field": "names"}


def test_names_keep_every_script_and_lose_the_spaces_around() -> None:
    names = {"ar": " مختبر ٢ ", "hi": "हृदय रोग", "zh-Hant": "檢驗", "en-GB": "Lab 🧪"}
    assert clean_names(names) == {language: name.strip() for language, name in names.items()}


@pytest.mark.parametrize("slug", ["", "Lab", ".lab", "lab/x", "lab\n", "x" * 64, "مختبر"])
def test_a_short_name_fits_into_an_address(slug: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        require_slug("clinic", slug)
    assert refused.value.extra == {"field": "clinic"}


@pytest.mark.parametrize("desk", ["", "-1", "1 2", "x" * 17])
def test_a_desk_has_a_plain_name(desk: str) -> None:
    with pytest.raises(InvalidSetting):
        require_desk_name(desk)


def test_what_may_be_empty_may_be_emptied() -> None:
    empty = dict.fromkeys(("department", "floor", "capacity", "hours", "mean_service_seconds", "late_after_seconds"))
    assert {field: getattr(clinic(**empty), field) for field in empty} == empty


def test_a_difference_tells_values_but_no_free_text() -> None:
    before, after = clinic_settings(clinic()), clinic_settings(clinic(name={"en": "X"}, floor="2", capacity=5))
    assert difference(before, after) == {"changed": ["names", "floor", "capacity"], "to": {"capacity": 5}}


def test_a_name_is_shown_in_the_readers_language_else_in_english_else_in_any() -> None:
    names = {"ar": "مختبر", "en": "Laboratory"}
    assert [named(names, "ar"), named(names, "hi"), named({"ar": "مختبر"}, "en"), named({}, "en")] == [
        "مختبر",
        "Laboratory",
        "مختبر",
        "",
    ]
