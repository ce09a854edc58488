"""People and desks over HTTP against one or several processes, who keep what they asked and were answered.

Whoever is told nothing (the line is cut, time is over, the store is out of reach) asks again with the same key and the same
body until there is an answer. What is kept of such a request is one operation, from the first question to that answer.
"""

import asyncio
import json
import random
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from time import monotonic
from typing import Any, Protocol

import httpx2

from tests.proof.linearizability import Operation
from tests.proof.recorder import QUEUE, REFUSAL, UNKNOWN, board_of

# Long enough for a slow answer, short enough to ask again while a fault lasts.
TIMEOUT = httpx2.Timeout(1.5, connect=0.5)
AGAIN_AFTER = 0.05
# After this long an outcome that stays unknown is a finding.
PATIENCE = 100.0
TICKET = ("ticket", "number", "status", "ahead", "existing", "clinic", "service_day", "series", "code")
# A replay answers what was done as it was, and everything else as it is by now.
LIVE = ("status", "ahead")
EXPECTED = (200, 201, 409)


class Reach(Protocol):
    """Where the product is found. ``well`` is set but while a fault is being done to it."""

    facility: str
    well: asyncio.Event

    @property
    def urls(self) -> Sequence[str]:
        """Of every process; a client asks now this one, now that."""

    async def token(self, old: str) -> str:
        """A token of the reception, another one than ``old``."""


@dataclass(frozen=True, slots=True)
class Given:
    """A ticket that somebody was told they have."""

    ticket: str
    clinic: str
    number: int
    series: int
    code: str
    service_day: str
    secret: str | None


@dataclass(frozen=True, slots=True)
class Lost:
    """An outcome that was unknown: since when, and when it was known again; never, where ``resolved`` is ``None``."""

    verb: str
    since: float
    resolved: float | None


@dataclass
class Journal:
    """What all clients of a run were told. ``faults``: when each began, and when its cause was gone."""

    operations: list[Operation] = field(default_factory=list)
    tickets: dict[str, Given] = field(default_factory=dict)
    lost: list[Lost] = field(default_factory=list)
    faults: list[tuple[float, float]] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    missing: int = 0
    done: list[tuple[float, str]] = field(default_factory=list)

    @property
    def acknowledged(self) -> int:
        """Changes that were answered with success; ``done`` has the instants and clinics. ``missing``: how many wait for an
        outcome."""
        return len(self.done)

    def standstill(self) -> float:
        """The longest time in seconds in which nobody in some clinic was told of a success."""
        instants: dict[str, list[float]] = {}
        for at, clinic in self.done:
            instants.setdefault(clinic, []).append(at)
        return max((after - before for mine in instants.values() for before, after in pairwise(mine)), default=0.0)

    @property
    def unresolved(self) -> list[Lost]:
        return [one for one in self.lost if one.resolved is None]

    def slowest(self) -> float:
        """The longest time in seconds until a missed outcome was known: from the recovery where it was missed during a fault,
        else from when it was missed; 0 where none was."""
        return max((self._took(one.since, one.resolved) for one in self.lost if one.resolved), default=0.0)

    def _took(self, since: float, resolved: float) -> float:
        recovered = [end for begin, end in self.faults if begin <= since <= end]
        return max(0.0, resolved - max([since, *recovered]))


@dataclass(frozen=True, slots=True)
class Question:
    """``first`` and ``last``: when it was asked first and, with the answer that came, last. ``since``: when it was missed."""

    process: int
    verb: str
    asked: Mapping[str, str]
    first: float
    last: float
    since: float | None


def keep(journal: Journal, question: Question, answer: httpx2.Response) -> dict[str, Any]:
    """Records an answer; what it said."""
    now, content = monotonic(), json.loads(answer.content)
    if answer.status_code not in EXPECTED:
        journal.strange.append(f"{question.verb} {dict(question.asked)}: {answer.status_code} {content}")
    said = _said(answer, content)
    refused = answer.status_code >= 400
    if question.since is not None and question.verb != "status":
        journal.lost.append(Lost(question.verb, question.since, now))
        if refused:
            # A refusal claims no key: the earlier question may have been granted, and may still be.
            _add(journal, question, question.first, None, None)
    if not refused and question.verb != "status":
        journal.done.append((now, question.asked["clinic"]))
    fresh = refused or question.verb == "status"
    _add(journal, question, question.last if fresh else question.first, now, said)
    if not refused and question.verb in ("enter", "transfer") and not said["existing"]:
        follow = content.get("follow")
        known = {name: said[name] for name in Given.__slots__ if name != "secret"}
        journal.tickets[said["ticket"]] = Given(**known, secret=follow and follow.removeprefix("/t/"))
    return said


def _add(journal: Journal, one: Question, call: float, returned: float | None, said: dict[str, Any] | None) -> None:
    journal.operations.append(Operation(one.process, call, returned, one.verb, one.asked, said))


def _said(answer: httpx2.Response, content: dict[str, Any]) -> dict[str, Any]:
    seen = {"http": answer.status_code}
    if answer.status_code >= 400:
        return seen | {name: content[name] for name in REFUSAL if name in content}
    if "waiting" in content:
        return seen | board_of(content)
    replayed = "idempotent-replayed" in answer.headers
    return seen | {name: content[name] for name in TICKET if not (replayed and name in LIVE)}


@dataclass
class Client:
    """One person's device, or one desk (``staff``)."""

    reach: Reach
    journal: Journal
    process: int
    http: httpx2.AsyncClient
    staff: bool = False
    bearer: str = ""

    async def ask(self, verb: str, *, secret: str | None = None, **asked: str) -> dict[str, Any] | None:
        """What was answered in the end; ``None`` where nothing was within ``PATIENCE``. ``asked`` always names the clinic."""
        key, first = secrets.token_urlsafe(18), monotonic()
        answer = await self._sent(verb, asked, key=key, secret=secret)
        if answer is not None:
            return keep(self.journal, Question(self.process, verb, asked, first, first, None), answer)
        self.journal.missing += 1
        since = last = monotonic()
        try:
            while answer is None and last - since < PATIENCE:
                await self._pause()
                last = monotonic()
                answer = await self._sent(verb, asked, key=key, secret=secret)
        finally:
            self.journal.missing -= 1
        question = Question(self.process, verb, asked, first, last, since)
        if answer is None:
            self._given_up(question)
            return None
        return keep(self.journal, question, answer)

    async def _sent(
        self, verb: str, asked: Mapping[str, str], *, key: str, secret: str | None
    ) -> httpx2.Response | None:
        """``None`` where nobody knows what came of it."""
        headers = {"X-Facility": self.reach.facility, "Idempotency-Key": key}
        if self.staff:
            headers["Authorization"] = f"Bearer {self.bearer}"
        if secret:
            headers["Ticket-Secret"] = secret
        base = random.choice(self.reach.urls) + QUEUE
        try:
            if verb == "status":
                answer = await self.http.get(f"{base}/status", params=dict(asked), headers=headers)
            else:
                answer = await self.http.post(f"{base}/{path_of(verb)}", json=body_of(verb, asked), headers=headers)
        except httpx2.TransportError:
            return None
        if answer.status_code == 401 and self.staff:
            self.bearer = await self.reach.token(self.bearer)
            return await self._sent(verb, asked, key=key, secret=secret)
        return None if answer.status_code in UNKNOWN else answer

    async def _pause(self) -> None:
        """A moment; while a fault lasts until it is over, but for some questions in between."""
        if self.reach.well.is_set():
            await asyncio.sleep(AGAIN_AFTER)
            return
        try:
            await asyncio.wait_for(self.reach.well.wait(), random.uniform(0.1, 1.0))
        except TimeoutError:
            return

    def _given_up(self, question: Question) -> None:
        if question.verb == "status":
            return
        assert question.since is not None
        _add(self.journal, question, question.first, None, None)
        self.journal.lost.append(Lost(question.verb, question.since, None))


def path_of(verb: str) -> str:
    return verb.removesuffix("_next")


def body_of(verb: str, asked: Mapping[str, str]) -> dict[str, str]:
    """The clinic is kept with every question, but sent only where it is what is asked for."""
    return {name: value for name, value in asked.items() if name != "clinic" or verb in ("enter", "call_next")}


# People


@dataclass
class Person:
    """Joins under one name after the other, now and then asks again, looks at the board, or goes home."""

    client: Client
    clinics: Sequence[str]
    name: str
    over: asyncio.Event
    mix: "Mix"

    async def live(self) -> None:
        for n in range(100_000):
            if self.over.is_set():
                return
            await self._come(random.choice(self.clinics), f"{self.name}-{n}")
            await asyncio.sleep(random.uniform(0, 2 * self.mix.pause))

    async def _come(self, clinic: str, user: str) -> None:
        got = await self.client.ask("enter", clinic=clinic, user=user)
        if self.mix.only_joins or got is None or "ticket" not in got:
            return
        chance = random.random()
        if chance < 0.1:
            await self.client.ask("enter", clinic=clinic, user=user)
        elif chance < 0.3 and self.mix.looks:
            await self.client.ask("status", clinic=clinic)
        elif chance < 0.35:
            known = self.client.journal.tickets.get(got["ticket"])
            if known and known.secret:
                await self.client.ask("cancel", ticket=got["ticket"], clinic=clinic, secret=known.secret)


PATHS = (
    ("serve", "done"),
    ("serve", "done"),
    ("serve", "done"),
    ("done",),
    ("no_show", "rejoin"),
    ("no_show",),
    ("hold", "resume"),
    ("late",),
    ("undo",),
    ("recall", "serve", "undo", "done"),
    ("serve", "done", "undo", "done"),
    ("transfer",),
)


@dataclass
class Desk:
    """Calls the next, and does with them what comes to people at desks."""

    client: Client
    clinic: str
    others: Sequence[str]
    pause: float
    over: asyncio.Event

    async def work(self) -> None:
        while not self.over.is_set():
            called = await self.client.ask("call_next", clinic=self.clinic)
            if called and called["http"] == 200:
                await self._serve(called["ticket"])
            await asyncio.sleep(random.uniform(0, 2 * self.pause))

    async def _serve(self, ticket: str) -> None:
        for verb in random.choice(PATHS):
            if verb == "transfer":
                await self._transfer(ticket)
            else:
                await self.client.ask(verb, ticket=ticket, clinic=self.clinic)

    async def _transfer(self, ticket: str) -> None:
        others = [one for one in self.others if one != self.clinic]
        if others:
            await self.client.ask("transfer", ticket=ticket, clinic=self.clinic, to=random.choice(others), place="end")

    async def empty(self) -> None:
        """Calls until nobody waits, and looks at the board then."""
        while (called := await self.client.ask("call_next", clinic=self.clinic)) and called["http"] == 200:
            pass
        await self.client.ask("status", clinic=self.clinic)


@dataclass(frozen=True, slots=True)
class Mix:
    """``desks`` for each clinic; ``pause``: the mean in seconds between what one of them does; ``looks``: at the boards."""

    people: int = 6
    desks: int = 2
    pause: float = 0.06
    transfers: bool = True
    looks: bool = True
    only_joins: bool = False


@dataclass
class Traffic:
    """All who are at work. The desks can be asked for more once everybody has gone home."""

    desks: list[Desk]
    over: asyncio.Event
    working: list[asyncio.Task[None]]

    async def go_home(self) -> None:
        """Ends the day: each waits for its last answer."""
        self.over.set()
        await asyncio.gather(*self.working)

    async def call_all(self) -> None:
        """Empties every queue."""
        first = {one.clinic: one for one in reversed(self.desks)}
        await asyncio.gather(*(one.empty() for one in first.values()))


@asynccontextmanager
async def traffic(reach: Reach, journal: Journal, clinics: Sequence[str], mix: Mix) -> AsyncIterator[Traffic]:
    """People and desks at work while the block runs, or until they are sent home."""
    over = asyncio.Event()
    token = await reach.token("")
    async with AsyncExitStack() as stack:

        async def client(process: int, *, staff: bool = False) -> Client:
            http = await stack.enter_async_context(httpx2.AsyncClient(timeout=TIMEOUT, verify=False))
            return Client(reach, journal, process, http, staff=staff, bearer=token if staff else "")

        people = [Person(await client(n), clinics, f"p{n}", over, mix) for n in range(mix.people)]
        desks = [
            Desk(await client(100 + n, staff=True), clinic, clinics if mix.transfers else (), mix.pause, over)
            for n, clinic in enumerate(one for one in clinics for _ in range(mix.desks))
        ]
        tasks = [asyncio.create_task(one.live()) for one in people]
        tasks += [asyncio.create_task(one.work()) for one in desks if not mix.only_joins]
        try:
            yield Traffic(desks, over, tasks)
        finally:
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
