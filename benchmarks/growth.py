"""What a request costs as queues and the past grow: one client, one request at a time, the small and the grown in turn.

*small* is a program with 10 people in one clinic. Beside it, in the same minute: the same program's clinic with 2 000; a
program with 100 000 people over 1 000 clinics; that one with five million past tickets (and as many events) besides.
"""

import itertools
import secrets
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from benchmarks import load
from benchmarks.load import request
from benchmarks.report import Line, Section
from tests.proof.bulk import Bulk
from tests.proof.program import PASSWORD, Program, program

ENTER, CALL, STATUS, TICKET, PAGE = "enter", "call", "status", "ticket", "ticket page"
VERBS = (ENTER, CALL, STATUS, TICKET, PAGE)
SMALL, CROWD = "lab", "xray"
Times = dict[str, list[float]]


@dataclass(frozen=True)
class Size:
    """How much of everything: ``rounds`` is requests of each kind on each side."""

    rounds: int
    crowd: int
    clinics: int
    each: int
    past: int


FULL = Size(rounds=250, crowd=2_000, clinics=1_000, each=100, past=5_000_000)
QUICK = Size(rounds=25, crowd=2_000, clinics=50, each=100, past=40_000)


@dataclass
class Side:
    """One client of one program, who asks about the clinics that ``pick`` gives, and how long each kind of request took."""

    server: Program
    pick: Callable[[], str]
    times: Times = field(default_factory=lambda: defaultdict(list))
    line: load.Line = field(default_factory=load.Line)
    token: str = ""

    async def sign_in(self) -> None:
        self.line = await load.connect(self.server.port)
        who = {"email": "reception@mmc.demo", "password": PASSWORD}
        self.token = (await self._ask(request("POST", "/api/v1/auth/login", json=who)))["access_token"]

    async def turn(self) -> None:
        """One person comes and looks, another is called and leaves: as many wait afterwards as before."""
        clinic = self.pick()
        person = {"clinic": clinic, "user": secrets.token_hex(8)}
        key = {"Idempotency-Key": secrets.token_hex(16)}
        ticket = await self._ask(request("POST", "/api/v1/queue/enter", json=person, headers=key), ENTER)
        await self._ask(request("GET", f"/api/v1/queue/status?clinic={clinic}"), STATUS)
        secret = {"Ticket-Secret": ticket["follow"].rpartition("/")[2]}
        await self._ask(request("GET", f"/api/v1/queue/ticket/{ticket['ticket']}", headers=secret), TICKET)
        await self._ask(request("GET", ticket["follow"]), PAGE)
        staff = {"Authorization": f"Bearer {self.token}"}
        called = await self._ask(request("POST", "/api/v1/queue/call", json={"clinic": clinic}, headers=staff), CALL)
        await self._ask(request("POST", "/api/v1/queue/done", json={"ticket": called["ticket"]}, headers=staff))

    async def _ask(self, sent: bytes, kind: str = "") -> Any:
        started = time.perf_counter()
        status, body = await self.line.ask(sent)
        if kind:
            self.times[kind].append(time.perf_counter() - started)
        assert status in (200, 201), (status, body[:500])
        return None if kind == PAGE else orjson.loads(body)


async def side_by_side(rounds: int, *sides: Side) -> None:
    """Takes the sides in turn, each time another one first. The first turns warm up and do not count."""
    for one in sides:
        await one.sign_in()
    for n in range(-8, rounds):
        if n == 0:
            for one in sides:
                one.times.clear()
        for one in sides if n % 2 else sides[::-1]:
            await one.turn()
    for one in sides:
        one.line.close()


async def run(quick: bool) -> Section:
    size = QUICK if quick else FULL
    section = Section(
        "Growth: a request's median, one client, against 10 people in one clinic, nobody else and no past (floor)"
    )
    async with program() as small, program() as grown:
        for one in (small, grown):
            await _first_steps(one)
        tables = Bulk.of(small)
        await tables.waiting([SMALL], 10)
        await tables.waiting([CROWD], size.crowd)
        await tables.settle()
        floor, crowd = Side(small, lambda: SMALL), Side(small, lambda: CROWD)
        await side_by_side(size.rounds, floor, crowd)
        _tell(section, f"{size.crowd} here", 1.5, floor, crowd)
        await _grow(section, size, small, grown)
    return section


async def _first_steps(server: Program) -> None:
    """One person goes all the way, so that there are events to copy."""
    one = Side(server, lambda: "eyes")
    await one.sign_in()
    await one.turn()
    one.line.close()


async def _grow(section: Section, size: Size, small: Program, grown: Program) -> None:
    tables = Bulk.of(grown)
    rooms = await tables.clinics(size.clinics)
    await tables.waiting(rooms, size.each)
    await tables.waiting([SMALL], 10)
    await tables.settle()
    everybody = f"{size.clinics * size.each} in all"
    await _against(section, size, everybody, [Side(small, lambda: SMALL), *_sides(grown, rooms)])
    started = time.perf_counter()
    made = await tables.past([*rooms[:15], SMALL], size.past)
    await tables.settle()
    seconds, held = round(time.perf_counter() - started), await tables.size()
    section.figures["past"] = {"tickets": made, "made_in_seconds": seconds, "database_bytes": held}
    everybody += f", {made / 1e6:.2g}M past"
    await _against(section, size, everybody, [Side(small, lambda: SMALL), *_sides(grown, rooms)])


def _sides(grown: Program, rooms: list[str]) -> list[Side]:
    """Who asks about the clinic with 10, about one of the many, about each of the many in turn."""
    around = itertools.cycle(rooms)
    return [Side(grown, lambda: SMALL), Side(grown, lambda: rooms[0]), Side(grown, lambda: next(around))]


async def _against(section: Section, size: Size, everybody: str, sides: list[Side]) -> None:
    await side_by_side(size.rounds, *sides)
    for name, side in zip(("10 here", f"{size.each} here", "each clinic in turn"), sides[1:], strict=True):
        _tell(section, f"{name}, {everybody}", 1.2, sides[0], side)


def _tell(section: Section, what: str, limit: float, small: Side, big: Side) -> None:
    for verb in VERBS:
        base, now = statistics.median(small.times[verb]), statistics.median(big.times[verb])
        ratio = now / base
        told = Line(f"{verb}: {what}", _ms(now), _ms(base), ratio, f"<= {limit}", ratio <= limit)
        section.lines.append(told)
        tails = [round(load.quantile(one.times[verb], 0.95) * 1000, 2) for one in (small, big)]
        section.figures[told.what] = {"median_ms": [round(base * 1000, 3), round(now * 1000, 3)], "p95_ms": tails}


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.2f} ms"
