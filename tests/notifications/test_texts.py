"""The words: short, in three languages, with the plurals and numbers of each, nothing that is medical or secret in the wrong
place."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dawr.notifications import texts
from dawr.notifications.rules import Moment
from dawr.notifications.rules_channels import Reason
from dawr.notifications.texts import Material

START = int(datetime(2026, 11, 23, 6, 30, tzinfo=UTC).timestamp())
CLINIC = {"ar": "المختبر", "en": "Laboratory", "hi": "प्रयोगशाला"}
HOUSE = {"ar": "مركز الفحص", "en": "Examination Centre", "hi": "जाँच केंद्र"}
PATIENTS = [one for one in Moment if one is not Moment.VISIT_CREATED]


def material(moment: Moment, language: str = "en", **changes: Any) -> Material:
    plain: dict[str, Any] = {"clinic": CLINIC[language], "facility": HOUSE[language], "code": "LAB-031", "desk": "2"}
    numbers = {"ahead": 3, "start": START, "minutes": 12}
    return Material(moment, language, zone="Asia/Qatar", numbers=numbers, **(plain | changes))


@pytest.mark.parametrize("language", ["ar", "en", "hi"])
@pytest.mark.parametrize("moment", PATIENTS)
def test_a_text_message_is_one_segment(moment: Moment, language: str) -> None:
    words = texts.render(material(moment, language))
    assert len(words.text) <= (160 if words.text.isascii() else 70), words.text
    assert "{" not in words.text


@pytest.mark.parametrize("language", ["ar", "hi"])
@pytest.mark.parametrize("moment", list(Moment))
def test_nothing_is_left_in_english(moment: Moment, language: str) -> None:
    words, english = texts.render(material(moment, language)), texts.render(material(moment))
    assert words.subject != english.subject
    assert words.text != english.text


@pytest.mark.parametrize(("ahead", "said"), [(1, "1 person is"), (2, "2 people are"), (11, "11 people are")])
def test_how_many_are_before_one(ahead: int, said: str) -> None:
    one = Material(Moment.NEAR, "en", "House", "Asia/Qatar", "Lab", "LAB-1", numbers={"ahead": ahead})
    assert texts.render(one).text == f"LAB-1: {said} before you. Lab"


def test_arabic_has_a_form_for_two_for_a_few_and_for_many() -> None:
    said = {
        ahead: texts.render(
            Material(Moment.NEAR, "ar", "House", "Asia/Qatar", "Lab", "LAB-1", numbers={"ahead": ahead})
        ).text.replace(str(ahead), "#")
        for ahead in (1, 2, 3, 11, 100)
    }
    assert len(set(said.values())) >= 4


def test_an_appointment_is_told_in_the_houses_time_and_without_its_clinic() -> None:
    words = texts.render(material(Moment.APPOINTMENT_REMINDER))
    assert "9:30" in words.text
    assert "Laboratory" not in words.text


def test_who_may_have_to_do_something_gets_the_link() -> None:
    link = "https://queue.example.org/t/secret"
    linked = [one for one in Moment if texts.render(material(one, link=link)).link]
    plain = {Moment.YOUR_TURN, Moment.APPOINTMENT_CANCELLED, Moment.VISIT_CREATED, Moment.PHONE_CODE}
    assert set(Moment) - set(linked) == plain
    assert all(link not in texts.render(material(one, link=link)).text for one in Moment)


def test_without_a_desk_the_clinic_is_enough() -> None:
    assert texts.render(material(Moment.YOUR_TURN, desk=None)).text == "LAB-031: it is your turn. Laboratory"


@pytest.mark.parametrize("reason", list(Reason))
def test_reception_reads_words_and_no_names_of_machines(reason: Reason) -> None:
    said = texts.said(texts.REASONS, reason.value, "en")
    assert said is not None
    assert said != reason.value
    assert "_" not in said


def test_who_speaks_another_language_reads_the_houses() -> None:
    assert texts.spoken("fr", None, "hi", "en") == "hi"
    assert texts.spoken("fr") == "en"
