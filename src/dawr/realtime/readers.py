"""Who listens: to one clinic, to one ticket, to a whole facility. Each knows up to which versions it has been told.

A reader begins with a snapshot, or where its cursor ended, and takes the news of each read after that; news it knows
already it skips, so that a snapshot and the events after it are exact whatever comes between.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any
from uuid import UUID

import orjson

from dawr.facilities.rules import ClinicNotFound, Facility
from dawr.realtime.channel import Batch, Entry, Part, Place
from dawr.realtime.line import Line
from dawr.realtime.outlet import Outlet
from dawr.realtime.rules import LIVE, Pace, closed, frame
from dawr.tickets.queries import QueueStatus, TicketView
from dawr.tickets.rules import Status, TicketNotFound
from dawr.waits import rules as waits

RESUMED = orjson.dumps({"resumed": True})
May = Callable[[TicketView, datetime], None]


@dataclass(slots=True)
class News:
    """What one read of a facility found, in one snapshot: events, where the queues stand, and what readers asked for.

    ``views`` are the newcomers' tickets, ``tickets`` those that will be shown as a whole; ``lines`` and ``paces`` tell of each
    queue somebody follows a ticket in who waits there, and how fast it goes.
    """

    place: Place
    facility: Facility
    at: datetime
    clinics: tuple[str, ...] = ()
    heads: Mapping[str, int] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    statuses: Mapping[str, QueueStatus] = field(default_factory=dict)
    views: Mapping[UUID, TicketView] = field(default_factory=dict)
    tickets: Mapping[UUID, dict[str, Any]] = field(default_factory=dict)
    lines: Mapping[str, Line] = field(default_factory=dict)
    paces: Mapping[str, waits.Pace | None] = field(default_factory=dict)

    def status(self, clinic: str) -> dict[str, Any]:
        found = self.statuses[clinic]
        own = {"as_of": self.at.isoformat(), "cursor": self.place.cursor({clinic: found.version})}
        return found.answer() | own

    def ahead(self, clinic: str, ticket: UUID | str) -> int:
        """How many wait before this one; none where it does not wait."""
        line = self.lines.get(clinic)
        return line.places.get(str(ticket), 0) if line else 0

    def wait(self, clinic: str, ahead: int) -> dict[str, Any] | None:
        return waits.answer(ahead, self.paces.get(clinic))


class Reader:
    """``last_id`` is the cursor the client came with, ``versions`` what it has been told of each queue."""

    __slots__ = ("last_id", "outlet", "pace", "versions")

    def __init__(self, outlet: Outlet, pace: Pace, last_id: str | None) -> None:
        self.outlet = outlet
        self.pace = pace
        self.last_id = last_id
        self.versions: dict[str, int] = {}

    def admit(self, news: News) -> None:
        """Raises the problem of a newcomer who asks for what is not there, or not theirs."""
        if not set(self.clinics(news)) <= set(news.clinics):
            raise ClinicNotFound

    def clinics(self, news: News) -> Iterable[str]:
        """The queues it follows."""
        raise NotImplementedError

    def snapshot(self, news: News) -> tuple[dict[str, int], dict[str, Any]]:
        """What it shows at first, and the versions that includes."""
        raise NotImplementedError

    def take(self, news: News) -> int:
        """Passes on what it does not know yet; the number of events sent."""
        raise NotImplementedError

    def resumable(self, news: News) -> dict[str, int] | None:
        """The versions to go on from; ``None`` where the client has no cursor, or none that the log still serves."""
        found = news.place.versions(self.last_id) if self.last_id is not None else None
        if found is None or set(found) != set(self.clinics(news)):
            return None
        heads = [news.heads.get(clinic, 0) for clinic in found]
        near = all(
            version <= head <= version + self.pace.replay for version, head in zip(found.values(), heads, strict=True)
        )
        return found if near else None

    def resumes(self, news: News) -> dict[str, int] | None:
        """``resumable``, now that the events are read: the first one missed must be among them."""
        found = self.resumable(news)
        if found is None:
            return None
        for clinic, version in found.items():
            missed = news.heads[clinic] > version
            batch = news.batches.get(clinic)
            if missed and (batch is None or batch.entries[0].version > version + 1):
                return None
        return found

    def begin(self, news: News) -> int:
        """Sends the first event, and what was missed; the number of events sent."""
        found = self.resumes(news)
        if found is None:
            return self.show("connected" if self.last_id is None else "reset", news, first=True)
        self.resume(news.place, found)
        return 1 + self.take(news)

    def resume(self, place: Place, versions: dict[str, int], missed: bytes = b"") -> None:
        self.versions = versions
        self.outlet.first(frame("connected", RESUMED, place.cursor(versions)) + missed)

    def show(self, event: str, news: News, *, first: bool = False) -> int:
        self.versions, data = self.snapshot(news)
        chunk = frame(event, orjson.dumps(data), news.place.cursor(self.versions))
        if first:
            self.outlet.first(chunk)
        else:
            self.outlet.push(chunk)
        return 1


class ClinicReader(Reader):
    """Public: codes and desks of one clinic."""

    __slots__ = ("clinic",)

    def __init__(self, outlet: Outlet, pace: Pace, last_id: str | None, clinic: str) -> None:
        super().__init__(outlet, pace, last_id)
        self.clinic = clinic

    def clinics(self, news: News) -> Iterable[str]:
        return (self.clinic,)

    def snapshot(self, news: News) -> tuple[dict[str, int], dict[str, Any]]:
        return {self.clinic: news.statuses[self.clinic].version}, news.status(self.clinic)

    def take(self, news: News) -> int:
        batch = news.batches.get(self.clinic)
        version = self.versions[self.clinic]
        if batch is None or batch.last <= version:
            return 0
        part = batch.part(version)
        if part.entries:
            self.outlet.push(batch.chunk(version))
            # One for all who have been told the same: that is how ``Feed`` knows who can be told the next alike.
            self.versions = part.versions
        return len(part.entries) + (self.show("reset", news) if part.upset else 0)


class FacilityReader(Reader):
    """For staff: every clinic of a facility, each update with its clinic."""

    __slots__ = ()

    def clinics(self, news: News) -> Iterable[str]:
        return news.clinics

    def snapshot(self, news: News) -> tuple[dict[str, int], dict[str, Any]]:
        versions = {clinic: news.statuses[clinic].version for clinic in news.clinics}
        items = [news.status(clinic) for clinic in news.clinics]
        own = {"as_of": news.at.isoformat(), "cursor": news.place.cursor(versions)}
        return versions, {"facility": news.facility.slug, "items": items} | own

    def take(self, news: News) -> int:
        sent, upset = 0, False
        for clinic, batch in news.batches.items():
            if clinic not in self.versions:
                continue
            part = batch.part(self.versions[clinic])
            for entry in part.entries:
                self.versions[clinic] = entry.version
                data = orjson.dumps({"clinic": clinic, **(entry.update or {})})
                self.outlet.push(frame("queue_update", data, news.place.cursor(self.versions)))
            sent += len(part.entries)
            upset = upset or part.upset
        return sent + (self.show("reset", news) if upset else 0)


class TicketReader(Reader):
    """For the holder of one ticket: its own changes one by one, and what others' changes do to its place, together."""

    __slots__ = ("_desk", "_entity", "_may", "_seen", "_status", "clinic", "ticket")

    def __init__(self, outlet: Outlet, pace: Pace, last_id: str | None, *, ticket: UUID, may: May) -> None:
        """``may`` raises why somebody may not follow this ticket; which clinic it is in is found out with that."""
        super().__init__(outlet, pace, last_id)
        self.ticket = ticket
        self.clinic = ""
        self._may: May | None = may
        self._entity = str(ticket)
        self._status = ""
        self._desk: str | None = None
        self._seen: tuple[str, int, str | None] | None = None

    def admit(self, news: News) -> None:
        found = news.views.get(self.ticket)
        if found is None:
            raise TicketNotFound
        if self._may is not None:
            self._may(found, news.at)
        self._may = None
        self.clinic = intern(found.ticket.clinic)
        self._status, self._desk = found.ticket.status.value, found.ticket.desk
        super().admit(news)

    def clinics(self, news: News) -> Iterable[str]:
        return (self.clinic,)

    def snapshot(self, news: News) -> tuple[dict[str, int], dict[str, Any]]:
        shown = news.tickets[self.ticket]
        self._status, self._desk = Status(shown["status"]).value, shown["desk"]
        self._seen = self._status, shown["ahead"], self._desk
        head = news.heads[self.clinic] if self.clinic in news.heads else news.batches[self.clinic].last
        return {self.clinic: head}, shown

    def take(self, news: News) -> int:
        batch = news.batches.get(self.clinic)
        if batch is None or batch.last <= self.versions[self.clinic]:
            return 0
        part = batch.part(self.versions[self.clinic])
        sent = self._tell(news, batch, part) if part.entries else 0
        return sent + (self.show("reset", news) if part.upset else 0)

    def _tell(self, news: News, batch: Batch, part: Part) -> int:
        own = [entry for entry in part.entries if entry.recorded.entity == self._entity]
        for entry in own[:-1]:
            self.outlet.push(batch.opening(entry) + _then(entry))
        if own:
            data = own[-1].recorded.data
            self._status, self._desk = Status(data["status"]).value, data["desk"]
        ahead = news.ahead(self.clinic, self._entity) if self._status == Status.WAITING else 0
        now = self._status, ahead, self._desk
        sent = len(own) or int(now != self._seen)
        if sent:
            last = own[-1] if own else part.entries[-1]
            self.outlet.push(batch.opening(last) + live(*now, news.paces.get(self.clinic)))
        self._seen = now
        self.versions = part.versions
        return sent


@lru_cache(maxsize=4096)
def live(status: str, ahead: int, desk: str | None, at: waits.Pace | None) -> bytes:
    """What changes of a ticket while it is watched, as an event ends with it; ``at`` is its clinic's pace."""
    waiting = status == Status.WAITING
    wait = waits.answer(ahead, at) if waiting else None
    values = (status, ahead + 1 if waiting else 0, ahead, desk, wait)
    return closed(orjson.dumps(dict(zip(LIVE, values, strict=True))))


def _then(entry: Entry) -> bytes:
    """The ticket right after one of its own changes that another one of its own followed at once."""
    data = entry.recorded.data
    return live(data["status"], data["ahead"] or 0, data["desk"], None)
