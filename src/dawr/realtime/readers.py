"""Who listens: to one clinic, to one ticket, to a whole facility. Each knows up to which versions it has been told.

A reader begins with a snapshot, or where its cursor ended, and takes the news of each read after that; news it knows
already it skips, so that a snapshot and the events after it are exact whatever comes between.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from dawr.facilities.rules import Facility
from dawr.realtime.channel import Batch, Entry, Place
from dawr.realtime.outlet import Outlet
from dawr.realtime.rules import Pace, frame
from dawr.tickets.queries import QueueStatus
from dawr.tickets.rules import Status
from dawr.waits import rules as waits

RESUMED = orjson.dumps({"resumed": True})
LIVE = ("status", "position", "ahead", "desk", "wait")


@dataclass(slots=True)
class News:
    """What one read of a facility found, in one snapshot: events, where the queues stand, and what readers asked for.

    ``tickets`` are those that will be shown as a whole, ``live`` what changes of each that is watched.
    """

    place: Place
    facility: Facility
    at: datetime
    clinics: tuple[str, ...] = ()
    heads: Mapping[str, int] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    statuses: Mapping[str, QueueStatus] = field(default_factory=dict)
    tickets: Mapping[UUID, dict[str, Any]] = field(default_factory=dict)
    live: dict[UUID, dict[str, Any]] = field(default_factory=dict)

    def status(self, clinic: str) -> dict[str, Any]:
        found = self.statuses[clinic]
        own = {"as_of": self.at.isoformat(), "cursor": self.place.cursor({clinic: found.version})}
        return found.answer() | own


class Reader:
    """``last_id`` is the cursor the client came with, ``versions`` what it has been told of each queue."""

    __slots__ = ("last_id", "outlet", "pace", "versions")

    def __init__(self, outlet: Outlet, pace: Pace, last_id: str | None) -> None:
        self.outlet = outlet
        self.pace = pace
        self.last_id = last_id
        self.versions: dict[str, int] = {}

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
            # One for all who have been told the same: with ten thousand, each thing a reader has of its own is felt.
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

    __slots__ = ("clinic", "seen", "ticket")

    def __init__(self, outlet: Outlet, pace: Pace, last_id: str | None, *, clinic: str, ticket: UUID) -> None:
        super().__init__(outlet, pace, last_id)
        self.clinic = clinic
        self.ticket = ticket
        self.seen: dict[str, Any] | None = None

    def clinics(self, news: News) -> Iterable[str]:
        return (self.clinic,)

    def snapshot(self, news: News) -> tuple[dict[str, int], dict[str, Any]]:
        self.seen = news.live[self.ticket]
        head = news.heads[self.clinic] if self.clinic in news.heads else news.batches[self.clinic].last
        return {self.clinic: head}, news.tickets[self.ticket]

    def take(self, news: News) -> int:
        batch = news.batches.get(self.clinic)
        if batch is None or batch.last <= self.versions[self.clinic]:
            return 0
        part = batch.part(self.versions[self.clinic])
        sent = self._tell(news, part.entries) if part.entries else 0
        return sent + (self.show("reset", news) if part.upset else 0)

    def _tell(self, news: News, entries: tuple[Entry, ...]) -> int:
        now = news.live[self.ticket]
        own = [entry for entry in entries if entry.recorded.entity == str(self.ticket)]
        for entry in own[:-1]:
            self._send(news.place, entry, _then(entry))
        if own:
            self._send(news.place, own[-1], now)
        elif now != self.seen:
            self._send(news.place, entries[-1], now)
        sent = len(own) or int(now != self.seen)
        self.seen = now
        self.versions[self.clinic] = entries[-1].version
        return sent

    def _send(self, place: Place, entry: Entry, live: dict[str, Any]) -> None:
        data = orjson.dumps({**(entry.update or {}), **live})
        self.outlet.push(frame("queue_update", data, place.cursor({self.clinic: entry.version})))


def live(status: str, ahead: int, desk: str | None, at: waits.Pace | None) -> dict[str, Any]:
    """What changes of a ticket while it is watched, as its answer has it; ``at`` is its clinic's pace."""
    waiting = status == Status.WAITING
    wait = waits.answer(ahead, at) if waiting else None
    return {"status": status, "position": ahead + 1 if waiting else 0, "ahead": ahead, "desk": desk, "wait": wait}


def live_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: answer[name] for name in LIVE}


def _then(entry: Entry) -> dict[str, Any]:
    """The ticket right after one of its own changes that another one of its own followed at once."""
    data = entry.recorded.data
    return live(data["status"], data["ahead"] or 0, data["desk"], None)
