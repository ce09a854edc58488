"""One facility's streams. A single reader task, one read at a time: news of all its watched queues, and what newcomers
need, come from the same snapshot, so that what a newcomer is shown and what it is told after that fit exactly.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from typing import Any
from uuid import UUID

from dawr.accounts.rules import SYSTEM
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import FacilityNotFound
from dawr.platform.db import ReadTx
from dawr.platform.errors import Problem, Unavailable
from dawr.platform.logging import get_logger
from dawr.platform.services import Services
from dawr.realtime import queries
from dawr.realtime.audience import Audience, sliced
from dawr.realtime.channel import Batch, Channel, Place, Step
from dawr.realtime.line import Line
from dawr.realtime.readers import ClinicReader, FacilityReader, News, Reader, TicketReader
from dawr.realtime.rules import RETRY_MILLISECONDS, STREAM, Pace, retry
from dawr.tickets import commands
from dawr.tickets import queries as tickets
from dawr.tickets.queries import TicketView
from dawr.tickets.rules import Status
from dawr.waits.queries import waits_of

JOIN_SECONDS = 1.8
NEWCOMERS = 500
# Requests of desks are served between two slices, and each takes some ten turns of the loop: a slice is a third of a millisecond.
SLICE = 20
log = get_logger(__name__)
Joining = tuple[Reader, "asyncio.Future[None]"]


class Feed:
    def __init__(self, facility_id: UUID, services: Services, pace: Pace, gate: asyncio.Semaphore) -> None:
        """``gate`` bounds how many facilities are read at once."""
        self.facility_id = facility_id
        self.failing = False
        self._services = services
        self._pace = pace
        self._gate = gate
        self._waits = waits_of(services)
        self._place: Place | None = None
        self._channels: dict[str, Channel] = {}
        self._lines: dict[str, Line] = {}
        self._audiences: dict[str, Audience] = {}
        self._whole: set[FacilityReader] = set()
        self._dirty: set[str] = set()
        self._joining: list[Joining] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        return not (self._channels or self._joining or self._task)

    def wake(self, streams: Iterable[str] | None = None) -> None:
        """These streams may have news; ``None`` stands for all that are watched."""
        if streams is None:
            self._dirty.update(self._channels)
        else:
            self._dirty.update(stream.removeprefix(STREAM) for stream in streams)
            self._dirty &= self._channels.keys()
        self._start()

    async def join(self, reader: Reader) -> None:
        """Returns when the reader's first bytes are in its outlet. ``Unavailable`` when the store cannot say in time."""
        if self._resumed_from_memory(reader):
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._joining.append((reader, done))
        self._start()
        try:
            await asyncio.wait_for(done, JOIN_SECONDS)
        except TimeoutError as error:
            raise Unavailable from error

    def leave(self, reader: Reader) -> None:
        if isinstance(reader, FacilityReader):
            self._whole.discard(reader)
        for audience in (self._audiences[clinic] for clinic in reader.versions if clinic in self._audiences):
            audience.discard(reader)
        self._audiences = {clinic: audience for clinic, audience in self._audiences.items() if audience}
        watched = set(self._audiences).union(*(reader.versions for reader in self._whole))
        self._channels = {clinic: channel for clinic, channel in self._channels.items() if clinic in watched}
        self._lines = {clinic: line for clinic, line in self._lines.items() if clinic in self._audiences}

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _start(self) -> None:
        if self._task is None and (self._dirty or self._joining):
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._dirty or self._joining:
                await self._once()
                await asyncio.sleep(self._pace.together)
        finally:
            self._task = None

    def _resumed_from_memory(self, reader: Reader) -> bool:
        """A clinic's client that comes back soon needs nothing from the store."""
        if self._place is None or reader.last_id is None or not isinstance(reader, ClinicReader):
            return False
        found = self._place.versions(reader.last_id)
        channel = self._channels.get(reader.clinic)
        if found is None or list(found) != [reader.clinic] or channel is None:
            return False
        missed = channel.missed(found[reader.clinic])
        if missed is None:
            return False
        reader.resume(self._place, found, missed)
        reader.versions = channel.told
        self._add(reader)
        return True

    def _add(self, reader: Reader) -> None:
        if isinstance(reader, FacilityReader):
            self._whole.add(reader)
            return
        for clinic in reader.versions:
            self._audiences.setdefault(clinic, Audience()).add(reader)

    async def _once(self) -> None:
        dirty, self._dirty = self._dirty & self._channels.keys(), set()
        joining, self._joining = self._joining[:NEWCOMERS], self._joining[NEWCOMERS:]
        joining = [(reader, done) for reader, done in joining if not done.done()]
        try:
            async with self._gate:
                news = await self._read(dirty, joining)
            await self._deliver(news, joining)
        except Exception as error:
            self._failed(error, joining)
        else:
            self.failing = False

    def _failed(self, error: Exception, joining: list[Joining]) -> None:
        """The poll will ask again; newcomers are told."""
        if not isinstance(error, Problem) and not self.failing:
            log.error("stream_read_failed", error=type(error).__name__, exc_info=error)
        self.failing = not isinstance(error, FacilityNotFound)
        for _, done in joining:
            if not done.done():
                done.set_exception(error if isinstance(error, Problem) else Unavailable())

    async def _read(self, dirty: set[str], joining: list[Joining]) -> News:
        news = await self._look(dirty, joining)
        due = [one.clinic for one in news.statuses.values() if tickets.is_due(news.facility, news.at, one.service_day)]
        if not due:
            return news
        for clinic in due:
            async with self._services.db.write(self.facility_id) as tx:
                await commands.turn(tx, news.facility, clinic_id=clinic)
        return await self._look(dirty, joining)

    async def _look(self, dirty: set[str], joining: list[Joining]) -> News:
        facility = await facilities.locate(self._services, id=self.facility_id)
        if facility is None:
            raise FacilityNotFound
        followed = _followed(reader for reader, _ in joining)
        wanted = {one.ticket for one in _of_tickets(reader for reader, _ in joining)}
        known = {clinic: self._channels[clinic].version for clinic in dirty & self._channels.keys()}
        async with self._services.db.read(self.facility_id) as tx:
            found = await queries.look(tx, heads_of=followed, tickets=wanted, since=known, limit=self._pace.replay)
            place = Place(found.epoch, self.facility_id)
            news = News(place, facility, tx.now, clinics=tuple(found.heads), heads=found.heads, views=found.tickets)
            news.batches = _batches(place, found.news)
            _admit(news, joining)
            newcomers = [reader for reader, done in joining if not done.done()]
            await self._catch_up(tx, news, newcomers)
            await self._fill(tx, news, newcomers)
        return news

    async def _catch_up(self, tx: ReadTx, news: News, newcomers: list[Reader]) -> None:
        """Reads what those who come back have missed, together with what the others do not know yet."""
        floors: dict[str, int] = {}
        for reader in newcomers:
            for clinic, version in (reader.resumable(news) or {}).items():
                if version < news.heads[clinic]:
                    floors[clinic] = min(version, floors.get(clinic, version))
        for clinic in floors.keys() & self._channels.keys():
            floors[clinic] = min(floors[clinic], self._channels[clinic].version)
        if floors:
            found = await queries.news(tx, floors, limit=self._pace.replay)
            news.batches |= _batches(news.place, found)

    async def _fill(self, tx: ReadTx, news: News, newcomers: list[Reader]) -> None:
        """Reads what will have to be shown: snapshots for newcomers and after upsets, and how the others' tickets stand."""
        shown = [reader for reader in newcomers if reader.resumes(news) is None]
        listening = [self._audiences[clinic] for clinic in news.batches if clinic in self._audiences]
        upset = any(self._upset(batch) for batch in news.batches.values())
        only_tickets = all(isinstance(one, TicketReader) for one in shown)
        clinics = [] if only_tickets and not upset else await facilities.clinics(tx)
        if upset:
            news.clinics = tuple(one.id for one in clinics)
            shown = [*newcomers, *self._whole, *chain.from_iterable(listening)]
        wanted = {clinic for reader in shown if not isinstance(reader, TicketReader) for clinic in reader.clinics(news)}
        news.statuses = {one.id: await tickets.status(tx, news.facility, one) for one in clinics if one.id in wanted}
        followers = chain(_of_tickets(newcomers), *(audience.followers for audience in listening))
        await self._line_up(tx, news, {one.clinic for one in followers})
        news.tickets = await self._tickets(tx, news, {one.ticket for one in _of_tickets(shown)})

    async def _line_up(self, tx: ReadTx, news: News, clinics: set[str]) -> None:
        """Who waits in these clinics, folded from what happened; read where that does not lead to what the others know."""
        if self._place not in (None, news.place):
            # Of an earlier life of the log.
            self._lines.clear()
        missing = [clinic for clinic in clinics if not self._follows(news, clinic)]
        if missing:
            self._lines |= {one.clinic: one for one in await queries.lines(tx, missing)}
        news.lines = {clinic: self._lines[clinic] for clinic in clinics & self._lines.keys()}
        # Where nobody waits there may be no such clinic any more.
        news.paces = await self._waits.paces(tx, [clinic for clinic, line in news.lines.items() if line.places])

    def _follows(self, news: News, clinic: str) -> bool:
        line, batch = self._lines.get(clinic), news.batches.get(clinic)
        if line is None or (batch and not line.follow([one.recorded for one in batch.entries])):
            return False
        return line.version >= max(news.heads.get(clinic, 0), batch.last if batch else 0)

    async def _tickets(self, tx: ReadTx, news: News, wanted: set[UUID]) -> dict[UUID, dict[str, Any]]:
        """Each ticket as ``GET /queue/ticket/…`` answers it to whoever may see it."""
        here = Context(self._services, news.facility, SYSTEM, language="en", address="", device="")
        unknown = wanted - news.views.keys()
        views = {**news.views, **(await tickets.views_found(await tickets.views_asked(tx, unknown)) if unknown else {})}
        found: dict[UUID, dict[str, Any]] = {}
        for ticket in wanted & views.keys():
            found[ticket] = _placed(news, views[ticket]).answer(follow=tickets.follow_of(here, ticket))
            next_id = await tickets.following(tx, views[ticket].ticket)
            if next_id:
                found[ticket]["next"] = tickets.follow_of(here, next_id)
        return found

    def _upset(self, batch: Batch) -> bool:
        """Whether anybody may need a snapshot because of these events."""
        channel = self._channels.get(batch.clinic)
        floor = batch.entries[0].version - 1
        return batch.part(floor).upset or (channel is not None and floor > channel.version)

    async def _deliver(self, news: News, joining: list[Joining]) -> None:
        if self._place not in (None, news.place):
            self._end_all()
        self._place = news.place
        sent = self._begin(news, joining)
        steps = {batch.clinic: self._advance(batch) for batch in news.batches.values()}
        sent += await self._tell_each(self._whole, news)
        for clinic, step in steps.items():
            audience = self._audiences.get(clinic)
            if audience is not None:
                sent += await self._tell_alike(audience.watchers, news, step)
                sent += await self._tell_each(audience.followers, news)
        self._services.metrics.stream_events.inc(sent)

    def _begin(self, news: News, joining: list[Joining]) -> int:
        sent = 0
        for reader, done in joining:
            if done.done():
                continue
            sent += reader.begin(news)
            self._add(reader)
            self._follow(reader)
            done.set_result(None)
        return sent

    def _follow(self, reader: Reader) -> None:
        """Watches its queues from here on; what was committed since the snapshot is found by one more read."""
        for clinic, version in reader.versions.items():
            if clinic not in self._channels:
                self._channels[clinic] = Channel(clinic, version, keep=self._pace.keep)
                self._dirty.add(clinic)

    async def _tell_alike(self, watchers: Iterable[ClinicReader], news: News, step: Step | None) -> int:
        """Nearly all have been told the same, and now are: of ten thousand, all that is done for one is felt by the last."""
        if step is None:
            return await self._tell_each(watchers, news)
        sent = 0
        for part in sliced(watchers, SLICE):
            for reader in part:
                if reader.versions is step.before:
                    reader.versions = step.after
                    reader.outlet.push(step.chunk)
                    sent += step.events
                else:
                    sent += self._tell(reader, news)
            await asyncio.sleep(0)
        return sent

    async def _tell_each(self, readers: Iterable[Reader], news: News) -> int:
        sent = 0
        for part in sliced(readers, SLICE):
            for reader in part:
                sent += self._tell(reader, news)
            await asyncio.sleep(0)
        return sent

    def _tell(self, reader: Reader, news: News) -> int:
        """Whoever cannot be told the news is sent away, and comes back with the cursor of what it knows."""
        try:
            return reader.take(news)
        except Exception as error:
            log.error("stream_reader_failed", error=type(error).__name__, exc_info=error)
            reader.outlet.end(retry(RETRY_MILLISECONDS))
            return 0
        finally:
            if isinstance(reader, FacilityReader):
                self._follow(reader)

    def _advance(self, batch: Batch) -> Step | None:
        channel = self._channels.get(batch.clinic)
        if channel is None:
            return None
        if len(batch.entries) >= self._pace.replay:
            self._dirty.add(batch.clinic)
        return channel.advance(batch) if batch.last > channel.version else None

    def _end_all(self) -> None:
        """The log began another life: nobody's versions mean anything any more."""
        for reader in chain(self._whole, *self._audiences.values()):
            reader.outlet.end(retry(RETRY_MILLISECONDS))
        self._whole.clear()
        self._audiences.clear()
        self._channels.clear()
        self._lines.clear()


def _of_tickets(readers: Iterable[Reader]) -> list[TicketReader]:
    return [one for one in readers if isinstance(one, TicketReader)]


def _admit(news: News, joining: list[Joining]) -> None:
    """Tells those newcomers who may not have what they ask for."""
    for reader, done in joining:
        try:
            reader.admit(news)
        except Problem as problem:
            if not done.done():
                done.set_exception(problem)


def _placed(news: News, view: TicketView) -> TicketView:
    if view.ticket.status is not Status.WAITING:
        return view
    ahead = news.ahead(view.ticket.clinic, view.ticket.id)
    return replace(view, ahead=ahead, wait=news.wait(view.ticket.clinic, ahead))


def _followed(readers: Iterable[Reader]) -> set[str] | None:
    """The clinics whose queues they follow by name; ``None``: every one of the facility's."""
    readers = tuple(readers)
    if any(isinstance(one, FacilityReader) for one in readers):
        return None
    return {one.clinic for one in readers if isinstance(one, ClinicReader)}


def _batches(place: Place, found: queries.News) -> dict[str, Batch]:
    return {clinic: Batch(clinic, place, recorded) for clinic, recorded in found.items()}
