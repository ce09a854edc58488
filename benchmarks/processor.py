"""The processor time of one request of a morning, in the app's process and in PostgreSQL's: what does not depend on how busy the
machine is otherwise, and what decides how many people it serves. One process; who asks, asks one thing at a time.
"""

import asyncio
import os
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from uuid import uuid4

import orjson

from benchmarks.morning_people import CLINICS, Session, sign_in
from benchmarks.morning_wire import Wire
from benchmarks.report import Line, Section
from tests.proof.program import Program, program

WATCHING, QUICK_WATCHING = 20, 2
ROUNDS, QUICK_ROUNDS = 12, 1
HTML = {"Accept": "text/html"}
_TICK = 1000 / os.sysconf("SC_CLK_TCK")
_STATUS = "/api/v1/queue/ticket/"


def _milliseconds(process: int) -> float:
    """Of one process and of those it has waited for, since it began."""
    numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, numbers[11:15])) * _TICK


def _children(process: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@dataclass(frozen=True, slots=True)
class Spent:
    """Milliseconds of processor."""

    app: float
    store: float

    def since(self, before: "Spent", *, times: int) -> "Spent":
        return Spent((self.app - before.app) / times, (self.store - before.store) / times)


@dataclass(frozen=True)
class House:
    """A server with people in each clinic: ``held`` are their tickets and secrets."""

    server: Program
    wire: Wire
    desks: dict[str, Session]
    held: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    watched: Counter[str] = field(default_factory=Counter)
    running: list[asyncio.Task[None]] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def spent(self) -> Spent:
        assert self.server.process is not None
        app = self.server.process.pid
        store = int((self.server.data_folder / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
        return Spent(_milliseconds(app), sum(map(_milliseconds, [store, *_children(store)])))

    async def enter(self, clinic: str) -> tuple[str, str]:
        asked = {"clinic": clinic, "user": uuid4().hex, "name": "Somebody", "language": "ar"}
        key = {"Idempotency-Key": uuid4().hex}
        _, body = await self.wire.ask("POST", "/api/v1/queue/enter", json=asked, headers=key)
        answer = orjson.loads(body)
        return answer["ticket"], answer["follow"]

    async def comes(self, clinic: str) -> None:
        self.held[clinic].append(await self.enter(clinic))

    async def page(self, path: str, clinic: str) -> None:
        await self.wire.ask("GET", path.format(clinic=clinic), route=path, headers=HTML)

    async def ticket_page(self, clinic: str) -> None:
        await self.page(self.held[clinic][-1][1], clinic)

    async def ticket(self, clinic: str) -> None:
        ticket, follow = self.held[clinic][-1]
        await self.wire.ask("GET", _STATUS + ticket, headers={"Ticket-Secret": follow.removeprefix("/t/")})

    async def lists(self, clinic: str) -> None:
        for more in ("", "&ended=true"):
            path = f"/api/v1/queue/tickets?clinic={clinic}{more}"
            await self.wire.ask("GET", path, headers=self._staff(clinic))

    async def watch(self, clinic: str) -> None:
        """Until the stream has begun; it stays open. From the last in the queue to the first."""
        self.watched[clinic] += 1
        ticket, follow = self.held[clinic][-self.watched[clinic]]
        begun = asyncio.Event()
        own = {"Ticket-Secret": follow.removeprefix("/t/")}
        path = f"/api/v1/events/stream?ticket={ticket}"
        following = self.wire.follow(path, own, lambda *_: begun.set(), self.over)
        self.running.append(asyncio.create_task(following))
        await begun.wait()

    async def serve(self, clinic: str) -> None:
        _, body = await self._post(clinic, "call", {"clinic": clinic, "desk": "1"})
        ticket = {"ticket": orjson.loads(body)["ticket"]}
        # As people do: so that what each step tells is told before the next.
        await asyncio.sleep(0.03)
        await self._post(clinic, "serve", ticket)
        await asyncio.sleep(0.03)
        await self._post(clinic, "done", ticket)
        await asyncio.sleep(0.03)

    async def quiet(self, _: str) -> None:
        await asyncio.sleep(1 / len(CLINICS))

    async def _post(self, clinic: str, verb: str, body: dict[str, str]) -> tuple[int, bytes]:
        headers = self._staff(clinic) | {"Idempotency-Key": uuid4().hex}
        return await self.wire.ask("POST", f"/api/v1/queue/{verb}", json=body, headers=headers)

    def _staff(self, clinic: str) -> dict[str, str]:
        return self.desks[clinic].headers


Step = Callable[[str], Awaitable[object]]


async def run(quick: bool) -> Section:
    watching, rounds = (QUICK_WATCHING, QUICK_ROUNDS) if quick else (WATCHING, ROUNDS)
    section = Section("Processor time of one request, in milliseconds: the app's process, PostgreSQL")
    async with program() as server:
        wire = Wire([server.port])
        house = House(server, wire, {one: await sign_in(wire, one) for one in CLINICS})
        for clinic in chain.from_iterable([CLINICS] * 4):
            await house.comes(clinic)
            await house.serve(clinic)
        house.held.clear()
        for step, rounds_, name in _steps(house, watching, rounds):
            await _measure(section, house, step, rounds_, name)
        section.lines.append(Line("answered wrongly", str(len(wire.wrong)), limit="0", kept=not wire.wrong))
        house.over.set()
        await asyncio.gather(*house.running)
        wire.close()
    return section


def _steps(house: House, watching: int, rounds: int) -> list[tuple[Step, int, str]]:
    page = house.page
    return [
        (house.comes, watching + rounds, "a ticket, nobody watching"),
        (house.serve, rounds, "call, serve and done, nobody watching"),
        (partial(page, "/c/{clinic}"), rounds, "join page"),
        (house.ticket_page, rounds, "ticket's page"),
        (house.ticket, rounds, "ticket as JSON"),
        (partial(page, "/board?clinic={clinic}"), rounds, "board of one clinic"),
        (partial(page, "/board/queues"), rounds, "boards of all clinics, as JSON"),
        (house.lists, rounds, "a desk's two lists"),
        (house.watch, watching, "start of a ticket's stream"),
        (house.serve, rounds, "call, serve and done, all watching"),
        (house.comes, rounds, "a ticket, all watching"),
        (house.quiet, rounds, f"a second with {len(CLINICS) * watching} streams and nothing else"),
    ]


async def _measure(section: Section, house: House, step: Step, rounds: int, name: str) -> None:
    before = house.spent()
    for clinic in chain.from_iterable([CLINICS] * rounds):
        await step(clinic)
    spent = house.spent().since(before, times=rounds * (1 if step == house.quiet else len(CLINICS)))
    section.lines.append(Line(name, f"{spent.app:.1f}", f"{spent.store:.1f}"))
    section.figures[name] = {"app": spent.app, "store": spent.store}
