"""An appointment for the calendar of a phone: what RFC 5545 asks of a file."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from dawr.web.patient.calendar import Entry, calendar_file

START = datetime(2031, 3, 3, 7, tzinfo=UTC)


def lines(**changes: object) -> list[bytes]:
    plain = {
        "appointment": UUID(int=1),
        "version": 3,
        "starts": START,
        "ends": START + timedelta(minutes=15),
        "title": "Appointment: Hamad; Eye, Ear \\ Nose",
        "place": "مركز الفحص الطبي الكبير في الدوحة قرب الكورنيش والمتحف الوطني",
        "cancelled": False,
    }
    return calendar_file(Entry(**plain | changes), now=START).split(b"\r\n")  # type: ignore[arg-type]


def test_no_line_is_too_long_and_no_letter_is_cut() -> None:
    found = lines(title="ض" * 200)
    assert max(map(len, found)) <= 75
    assert b"SUMMARY:" + ("ض" * 200).encode() in b"\r\n".join(found).replace(b"\r\n ", b"").split(b"\r\n")


def test_marks_of_the_format_are_escaped() -> None:
    assert b"SUMMARY:Appointment: Hamad\\; Eye\\, Ear \\\\ Nose" in lines()


def test_it_says_when_in_universal_time() -> None:
    found = lines()
    assert b"DTSTART:20310303T070000Z" in found
    assert b"DTEND:20310303T071500Z" in found
    assert (found[0], found[-2:]) == (b"BEGIN:VCALENDAR", [b"END:VCALENDAR", b""])


def test_what_was_cancelled_replaces_the_entry_and_rings_no_more() -> None:
    found = lines(cancelled=True, version=4)
    assert {b"STATUS:CANCELLED", b"SEQUENCE:4", b"UID:00000000-0000-0000-0000-000000000001@dawr"} <= set(found)
    assert b"BEGIN:VALARM" not in found
