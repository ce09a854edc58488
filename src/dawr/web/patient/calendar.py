"""An appointment as a file for the calendar of a phone (RFC 5545). It names the house and the time, never the clinic."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

LONGEST_LINE = 75


@dataclass(frozen=True, slots=True)
class Entry:
    """``version`` counts the changes: a calendar that has the entry already takes the later one."""

    appointment: UUID
    version: int
    starts: datetime
    ends: datetime
    title: str
    place: str
    cancelled: bool


def calendar_file(entry: Entry, *, now: datetime) -> bytes:
    """Lines end with CR LF, and none is longer than 75 bytes."""
    return b"".join(_folded(line) for line in _lines(entry, now))


def _lines(entry: Entry, now: datetime) -> Iterator[str]:
    yield from ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Dawr//Dawr//EN", "CALSCALE:GREGORIAN")
    yield from ("BEGIN:VEVENT", f"UID:{entry.appointment}@dawr", f"SEQUENCE:{entry.version}", f"DTSTAMP:{_utc(now)}")
    yield from (f"DTSTART:{_utc(entry.starts)}", f"DTEND:{_utc(entry.ends)}")
    yield from (f"SUMMARY:{_escaped(entry.title)}", f"LOCATION:{_escaped(entry.place)}", "CLASS:PRIVATE")
    yield f"STATUS:{'CANCELLED' if entry.cancelled else 'CONFIRMED'}"
    if not entry.cancelled:
        yield from ("BEGIN:VALARM", "ACTION:DISPLAY", f"DESCRIPTION:{_escaped(entry.title)}", "TRIGGER:-PT1H")
        yield "END:VALARM"
    yield from ("END:VEVENT", "END:VCALENDAR")


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _escaped(text: str) -> str:
    for character in "\\;,":
        text = text.replace(character, "\\" + character)
    return "\\n".join(text.splitlines())


def _folded(line: str) -> bytes:
    """A line that is too long goes on after a break and a space; no character is cut in two."""
    parts: list[bytes] = []
    part = b""
    for character in line:
        encoded = character.encode()
        if len(part) + len(encoded) > LONGEST_LINE - bool(parts):
            parts.append(part)
            part = b""
        part += encoded
    return b"\r\n ".join([*parts, part]) + b"\r\n"
