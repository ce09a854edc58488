"""Who listens to one queue, in the order in which they came: memory that was taken together is read together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from dawr.realtime.readers import ClinicReader, Reader, TicketReader

Some = TypeVar("Some")


class Audience:
    """Those who watch the clinic, and those who follow a ticket in its queue."""

    __slots__ = ("followers", "watchers")

    def __init__(self) -> None:
        self.watchers: dict[ClinicReader, None] = {}
        self.followers: dict[TicketReader, None] = {}

    def __bool__(self) -> bool:
        return bool(self.watchers or self.followers)

    def __iter__(self) -> Iterator[Reader]:
        yield from self.watchers
        yield from self.followers

    def add(self, reader: Reader) -> None:
        if isinstance(reader, ClinicReader):
            self.watchers[reader] = None
        elif isinstance(reader, TicketReader):
            self.followers[reader] = None

    def discard(self, reader: Reader) -> None:
        if isinstance(reader, ClinicReader):
            self.watchers.pop(reader, None)
        elif isinstance(reader, TicketReader):
            self.followers.pop(reader, None)


def sliced(some: Iterable[Some], size: int) -> Iterator[Sequence[Some]]:
    """``size`` at a time of those who are there at the beginning."""
    whole = tuple(some)
    for at in range(0, len(whole), size):
        yield whole[at : at + size]
