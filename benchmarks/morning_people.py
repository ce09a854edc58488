"""Who is in the house on a morning: patients with their phones, a doctor at each desk, a screen on each wall.

Everybody asks for what the pages ask for, in that order. What happens to a patient follows from their number, so that at the
end it is known what must have happened to everybody.
"""

import asyncio
import re
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import orjson

from benchmarks.morning_wire import Wire
from tests.proof.program import PASSWORD

TWO_DESKS = ("lab", "xray", "vitals")
ONE_DESK = ("eyes", "internal", "ent", "surgery", "dental", "psychiatry", "derma", "bones", "ecg", "audio")
WOMEN = ("women_internal", "women_derma", "women_eyes")
CLINICS = (*TWO_DESKS, *ONE_DESK, *WOMEN)
DESKS = [(clinic, desk) for clinic in CLINICS for desk in (("1", "2") if clinic in TWO_DESKS else ("1",))]
ENDED = ("done", "no_show", "transferred", "cancelled")
COME_BACK_SECONDS = 1.0
POLL_SECONDS = 3.0
RENEW_SECONDS = 300.0
_DATA = re.compile(rb'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
_EMPTY = frozenset({409})


def fate_of(number: int, *, moved: bool, called: int) -> str:
    """What becomes of a ticket that is called for the ``called``-th time; who came from another clinic is served."""
    if moved or called > 1:
        return "done"
    if number % 20 == 7:
        return "rejoin" if number % 40 == 7 else "no_show"
    if number % 25 == 3:
        return "hold"
    return "transferred" if number % 15 == 4 else "done"


@dataclass
class Morning:
    """``calls`` counts each ticket's calls, ``seen`` those that its holder's phone showed; ``ends`` is how each ticket ends."""

    wire: Wire
    service_seconds: float
    over: asyncio.Event = field(default_factory=asyncio.Event)
    calls: Counter[str] = field(default_factory=Counter)
    called_at: dict[str, float] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    watched: set[str] = field(default_factory=set)
    seen_at: dict[str, float] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)
    moved: set[str] = field(default_factory=set)
    screens: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    calls_of: Counter[str] = field(default_factory=Counter)

    def shown(self, screen: str, event: str, data: dict[str, Any]) -> None:
        """What a wall screen is told. A ``reset`` shows everything anew, in place of single changes: so it is where a service
        day turns."""
        if event in ("queue_update", "reset"):
            self.screens[screen][data["type"] if event == "queue_update" else event] += 1

    async def follow(self, query: str, headers: dict[str, str], heard: Any, over: asyncio.Event) -> None:
        await self.wire.follow(f"/api/v1/events/stream?{query}", headers, heard, over)


async def patient(morning: Morning, n: int, clinic: str, *, polls: bool) -> None:
    """Opens the clinic's page, takes a ticket, and follows it to its end, in another clinic too."""
    wire = morning.wire
    await wire.ask("GET", f"/c/{clinic}", route="/c/{clinic}", headers={"Accept": "text/html"})
    asked = {"clinic": clinic, "user": uuid4().hex, "name": f"Patient {n}", "language": "ar"}
    key = {"Idempotency-Key": uuid4().hex}
    status, body = await wire.ask("POST", "/api/v1/queue/enter", json=asked, headers=key)
    follow = orjson.loads(body)["follow"] if status == 201 else None
    while follow:
        follow = await Phone(morning, follow).until_the_end(polls=polls)


class Phone:
    """A ticket's page, open until the ticket has ended."""

    def __init__(self, morning: Morning, follow: str) -> None:
        self._morning = morning
        self._follow = follow
        self._headers = {"Ticket-Secret": follow.removeprefix("/t/")}
        self._ticket: dict[str, Any] = {}
        self._ended = asyncio.Event()

    async def until_the_end(self, *, polls: bool) -> str | None:
        """The page of the ticket that follows this one, if there is one."""
        wire = self._morning.wire
        status, page = await wire.ask("GET", self._follow, route="/t/{secret}", headers={"Accept": "text/html"})
        found = _DATA.search(page)
        if status != 200 or found is None:
            return None
        self._show(orjson.loads(found[1])["ticket"])
        if polls:
            await self._poll()
        else:
            await self._watch()
        return (await self._ask()).get("next") if self._ticket["status"] == "transferred" else None

    async def _watch(self) -> None:
        ticket = self._ticket["ticket"]
        self._morning.watched.add(ticket)
        if self._ticket["status"] != "waiting":
            self._morning.seen[ticket] += 1
        await self._morning.follow(f"ticket={ticket}", self._headers, self._heard, self._ended)

    def _heard(self, event: str, data: dict[str, Any]) -> None:
        if event == "heartbeat" or data.get("resumed"):
            return
        before = self._ticket["status"]
        self._show(data)
        if before == "waiting" and data["status"] != "waiting":
            self._called()

    def _called(self) -> None:
        """The desk that called may not have its answer yet."""
        ticket = self._ticket["ticket"]
        self._morning.seen[ticket] += 1
        self._morning.seen_at[ticket] = time.perf_counter()

    async def _poll(self) -> None:
        while not self._ended.is_set():
            await asyncio.sleep(POLL_SECONDS)
            self._show(await self._ask())

    async def _ask(self) -> dict[str, Any]:
        path = f"/api/v1/queue/ticket/{self._ticket['ticket']}"
        _, body = await self._morning.wire.ask(
            "GET", path, route="/api/v1/queue/ticket/{ticket}", headers=self._headers
        )
        answer: dict[str, Any] = orjson.loads(body)
        return answer

    def _show(self, news: dict[str, Any]) -> None:
        self._ticket |= news
        ticket, status = self._ticket["ticket"], self._ticket["status"]
        # Somebody who was not there may come back: that is the end only where it is known to be.
        if status in ENDED and (status != "no_show" or self._morning.ends.get(ticket) == "no_show"):
            self._ended.set()


class Desk:
    """A doctor who calls, serves and sends on, a step at a time, and whose page shows the queue."""

    def __init__(self, morning: Morning, clinic: str, desk: str, headers: dict[str, str]) -> None:
        self._morning = morning
        self._clinic = clinic
        self._desk = desk
        self._headers = headers
        self._waiting = 0
        self._somebody = asyncio.Event()
        self._changed = asyncio.Event()
        self._later: set[asyncio.Task[None]] = set()

    async def work(self, look_again: float) -> None:
        """Until the morning is over; ``look_again`` is the shortest time between two looks at the lists."""
        query = f"clinic={self._clinic}"
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._morning.follow(query, self._headers, self._heard, self._morning.over))
            tasks.create_task(self._look(look_again))
            tasks.create_task(self._serve_all())

    def _heard(self, event: str, data: dict[str, Any]) -> None:
        if "counts" in data:
            self._waiting = data["counts"]["waiting"]
        elif event == "queue_update":
            self._waiting += (data["to"] == "waiting") - (data["from"] == "waiting")
        else:
            return
        self._changed.set()
        if self._waiting > 0:
            self._somebody.set()
        else:
            self._somebody.clear()

    async def _look(self, pause: float) -> None:
        """The desk's page fetches its lists after each change, one fetch at a time."""
        while await _either(self._changed, self._morning.over):
            self._changed.clear()
            path = f"/api/v1/queue/tickets?clinic={self._clinic}"
            ask = self._morning.wire.ask
            lists = (ask("GET", path + more, headers=self._headers) for more in ("", "&ended=true"))
            await asyncio.gather(*lists)
            await asyncio.sleep(pause)

    async def _serve_all(self) -> None:
        while await _either(self._somebody, self._morning.over):
            started = time.perf_counter()
            called = await self._call()
            if called:
                await self._treat(called)
                await asyncio.sleep(max(0.0, started + self._morning.service_seconds - time.perf_counter()))
        for task in self._later:
            await task

    async def _call(self) -> dict[str, Any] | None:
        asked = time.perf_counter()
        status, body = await self._post("call", {"clinic": self._clinic, "desk": self._desk}, also=_EMPTY)
        if status != 200:
            # The other desk was quicker.
            await asyncio.sleep(0.05)
            return None
        ticket: dict[str, Any] = orjson.loads(body)
        self._morning.calls[ticket["ticket"]] += 1
        self._morning.calls_of[self._clinic] += 1
        self._morning.called_at[ticket["ticket"]] = asked
        return ticket

    async def _treat(self, called: dict[str, Any]) -> None:
        morning, ticket = self._morning, called["ticket"]
        fate = fate_of(called["number"], moved=ticket in morning.moved, called=morning.calls[ticket])
        morning.ends[ticket] = "done" if fate in ("hold", "rejoin") else fate
        await asyncio.sleep(morning.service_seconds / 4)
        if fate in ("no_show", "rejoin", "hold"):
            await self._post("hold" if fate == "hold" else "no_show", {"ticket": ticket})
            if fate != "no_show":
                self._soon("resume" if fate == "hold" else "rejoin", ticket)
            return
        await self._post("serve", {"ticket": ticket})
        await asyncio.sleep(morning.service_seconds / 2)
        if fate == "done":
            await self._post("done", {"ticket": ticket})
        else:
            await self._send_on(ticket)

    async def _send_on(self, ticket: str) -> None:
        to = CLINICS[(CLINICS.index(self._clinic) + 1) % len(CLINICS)]
        status, body = await self._post("transfer", {"ticket": ticket, "to": to, "place": "end"})
        if status == 200:
            self._morning.moved.add(orjson.loads(body)["ticket"])

    def _soon(self, verb: str, ticket: str) -> None:
        async def later() -> None:
            await asyncio.sleep(COME_BACK_SECONDS)
            await self._post(verb, {"ticket": ticket})

        self._later.add(asyncio.create_task(later()))

    async def _post(self, verb: str, body: dict[str, str], *, also: frozenset[int] = frozenset()) -> tuple[int, bytes]:
        headers = self._headers | {"Idempotency-Key": uuid4().hex}
        return await self._morning.wire.ask("POST", f"/api/v1/queue/{verb}", json=body, headers=headers, also=also)


async def _either(wanted: asyncio.Event, over: asyncio.Event) -> bool:
    """Waits for one of the two; whether it was the first."""
    waits = [asyncio.ensure_future(one.wait()) for one in (wanted, over)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()
    return not over.is_set()


async def screen(morning: Morning, clinic: str) -> None:
    """A clinic's wall screen: its page, then its stream."""
    await morning.wire.ask("GET", f"/board?clinic={clinic}", headers={"Accept": "text/html"})
    await morning.follow(f"clinic={clinic}", {}, partial(morning.shown, clinic), morning.over)


async def hall(morning: Morning, headers: dict[str, str]) -> None:
    """The screen of the whole house, signed in, and one that nobody signed in: that asks every two seconds."""

    async def asking() -> None:
        while not morning.over.is_set():
            await morning.wire.ask("GET", "/board/queues")
            await asyncio.sleep(2)

    heard = partial(morning.shown, "hall")
    await asyncio.gather(morning.follow("facility=mmc", headers, heard, morning.over), asking())


@dataclass
class Session:
    """Somebody who is signed in: ``headers`` are those of their requests, as long as the session is kept."""

    headers: dict[str, str]
    refresh_token: str

    async def keep(self, wire: Wire, over: asyncio.Event) -> None:
        """Renews the token in time, as the pages' programs do."""
        while not await _over_within(over, RENEW_SECONDS):
            asked = {"refresh_token": self.refresh_token}
            _, body = await wire.ask("POST", "/api/v1/auth/refresh", json=asked)
            renewed = Session.of(orjson.loads(body))
            # Whoever asks holds these very headers.
            self.headers.update(renewed.headers)
            self.refresh_token = renewed.refresh_token

    @classmethod
    def of(cls, tokens: Mapping[str, str]) -> "Session":
        return cls({"Authorization": f"Bearer {tokens['access_token']}"}, tokens["refresh_token"])


async def _over_within(over: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(over.wait(), seconds)
    return over.is_set()


async def sign_in(wire: Wire, who: str) -> Session:
    login = {"email": f"{who}@mmc.demo", "password": PASSWORD}
    _, body = await wire.ask("POST", "/api/v1/auth/login", json=login)
    return Session.of(orjson.loads(body))
