"""Where the time comes from. Nothing else in the product asks the machine for it when deciding something."""

from datetime import UTC, date, datetime, timedelta
from typing import Protocol


def iso(moment: date | None) -> str | None:
    """RFC 3339 of an instant or a day that may not have come yet."""
    return moment.isoformat() if moment else None


class Clock(Protocol):
    def now(self) -> datetime:
        """The present as an aware datetime in UTC."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class ShiftedClock:
    """The machine's clock moved by ``offset``; tests jump with it, forwards and backwards."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset
