"""A hospital's morning in minutes: patients come (many at once after the doors open), watch, are called, served, sent on.

Two app processes, as a house of that size has, asked in turns as a balancer would. Ten thousand patients over sixteen clinics in
twenty minutes are 8 a second, and 13 at the peak: each with two pages, a ticket, a live stream and at least three steps of a
desk, which together take some 100 ms of processor, PostgreSQL and load generator included. So two cores are two fifths busy,
and two thirds at the peak; in half the time they would not do at the peak, and waiting for the processor would be all that is
measured.
A desk's page looks at its lists once a second at most, however much happens.
"""

import asyncio
import random
import time
from collections.abc import Sequence

import psycopg

from benchmarks.enter import beside
from benchmarks.load import quantile
from benchmarks.morning_people import CLINICS, DESKS, Desk, Morning, hall, patient, screen, sign_in
from benchmarks.morning_wire import Wire
from benchmarks.report import Line, Section
from dawr.platform.embedded_postgres_home import running_url
from tests.proof.program import Program, program

PATIENTS, SECONDS = 10_000, 1200.0
QUICK_PATIENTS, QUICK_SECONDS = 150, 10.0
LOOK_AGAIN = 1.0
WALK_SECONDS = 0.1
# How the arrivals are spread: the share of each tenth of the time, as a multiple of the mean.
PROFILE = (0.8, 1.4, 1.6, 1.4, 1.1, 0.9, 0.8, 0.7, 0.7, 0.6)
# What the desks can do, as a multiple of the mean arrivals: at the peak the queues grow.
HEADROOM = 1.35
LONGEST_REST = 120.0
MOST_SECONDS = 0.2
TOLD_SECONDS = 0.25
_TICKETS = """
SELECT clinic, count(*), count(DISTINCT number), min(number), max(number)
  FROM ticket GROUP BY facility_id, clinic, service_day, series
"""


def arrivals(patients: int, seconds: float) -> list[float]:
    """When each patient comes, in seconds."""
    times: list[float] = []
    for part in range(len(PROFILE)):
        many = round(patients * sum(PROFILE[: part + 1]) / sum(PROFILE)) - len(times)
        begins, long = seconds * part / len(PROFILE), seconds / len(PROFILE)
        times += [begins + long * n / many for n in range(many)]
    return times


async def _people_come(morning: Morning, patients: int, seconds: float) -> None:
    """Returns when the last patient has left."""
    dice = random.Random(16)
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for n, due in enumerate(arrivals(patients, seconds)):
            await asyncio.sleep(max(0.0, begun + due - time.perf_counter()))
            clinic, _ = dice.choice(DESKS)
            tasks.create_task(patient(morning, n, clinic, polls=n % 10 == 0))


async def _screens_caught_up(morning: Morning) -> None:
    """Screens hear of the last calls a moment after the phones."""
    for _ in range(100):
        if morning.screens["hall"]["ticket_called"] == morning.calls_of.total():
            return
        await asyncio.sleep(0.05)


async def _day(ports: Sequence[int], patients: int, seconds: float) -> Morning:
    wire = Wire(ports)
    morning = Morning(wire, service_seconds=seconds * len(DESKS) / patients / HEADROOM)
    async with asyncio.TaskGroup() as house:

        async def signed_in(who: str) -> dict[str, str]:
            """The headers of somebody who signs in and stays signed in all morning."""
            session = await sign_in(wire, who)
            house.create_task(session.keep(wire, morning.over))
            return session.headers

        house.create_task(hall(morning, await signed_in("display")))
        for clinic, desk in DESKS:
            # Somebody walks through the house and switches things on.
            await asyncio.sleep(WALK_SECONDS)
            if desk == "1":
                house.create_task(screen(morning, clinic))
            house.create_task(Desk(morning, clinic, desk, await signed_in(clinic)).work(LOOK_AGAIN))
        try:
            async with asyncio.timeout(seconds + LONGEST_REST):
                await _people_come(morning, patients, seconds)
        except TimeoutError:
            # A machine that is too busy for this shall say so with all that it has measured.
            wire.wrong.append(f"people were still there {LONGEST_REST:.0f} s after the last had come")
        await _screens_caught_up(morning)
        morning.over.set()
    wire.close()
    return morning


async def _kept(server: Program) -> tuple[dict[str, str], list[str]]:
    """How each ticket stands in the store, and the clinics whose numbers have a gap or a repeat."""
    address = running_url(server.folder / "data" / "postgres")
    assert address is not None
    async with await psycopg.AsyncConnection.connect(address) as connection:
        ends = await (await connection.execute("SELECT id::text, status FROM ticket")).fetchall()
        rows = await (await connection.execute(_TICKETS)).fetchall()
    odd = [clinic for clinic, count, distinct, low, high in rows if not (low == 1 and count == distinct == high)]
    return {str(ticket): str(status) for ticket, status in ends}, odd


async def run(quick: bool) -> Section:
    patients, seconds = (QUICK_PATIENTS, QUICK_SECONDS) if quick else (PATIENTS, SECONDS)
    section = Section(
        f"A morning ({patients} patients over {len(CLINICS)} clinics in {seconds:.0f} s, {len(DESKS)} desks)"
    )
    async with program() as server, beside(server) as second:
        morning = await _day((server.port, second.port), patients, seconds)
        ends, odd = await _kept(server)
    section.lines = [*_exact(morning, patients, ends, odd), *_times(morning)]
    section.figures = {
        route: {"count": len(took), **{f"p{q}": quantile(took, q / 100) for q in (50, 95, 99)}}
        for route, took in morning.wire.times.items()
    } | {"wrong": morning.wire.wrong[:20]}
    return section


def _exact(morning: Morning, patients: int, ends: dict[str, str], odd: list[str]) -> list[Line]:
    asked = sum(len(took) for took in morning.wire.times.values())
    unseen = [one for one in morning.watched if morning.seen[one] != morning.calls[one]]
    blind = [one for one in CLINICS if morning.screens[one]["ticket_called"] != morning.calls_of[one]]
    anew = sum(told["reset"] > 0 for told in morning.screens.values())
    missing = morning.calls_of.total() - morning.screens["hall"]["ticket_called"]
    return [
        _none("requests answered wrongly", len(morning.wire.wrong), of=asked),
        _none("clinics whose numbers repeat or have gaps", len(odd), of=len(CLINICS)),
        _none("patients without a ticket", patients + len(morning.moved) - len(ends), of=patients),
        _none("tickets that ended otherwise than they had to", _differing(morning.ends, ends), of=len(ends)),
        _none("phones that missed a call of theirs", len(unseen), of=len(morning.watched)),
        _none("wall screens that missed a call", len(blind) + bool(missing), of=len(CLINICS) + 1),
        _none("wall screens that were shown everything anew (a service day turned)", anew, of=len(CLINICS) + 1),
    ]


def _differing(wanted: dict[str, str], found: dict[str, str]) -> int:
    return sum(wanted.get(ticket) != found.get(ticket) for ticket in wanted.keys() | found.keys())


def _none(what: str, many: int, *, of: int) -> Line:
    return Line(what, f"{many} of {of}", limit="0", kept=many == 0 and of > 0)


def _times(morning: Morning) -> list[Line]:
    told = [morning.seen_at[one] - asked for one, asked in morning.called_at.items() if one in morning.seen_at]
    lines = [_time(route, took) for route, took in sorted(morning.wire.times.items())]
    return [*lines, _time("from a desk's call to the phone", told, most=TOLD_SECONDS)]


def _time(what: str, took: list[float], *, most: float = MOST_SECONDS) -> Line:
    p50, p95, p99 = (quantile(took, share) * 1000 for share in (0.5, 0.95, 0.99))
    spread = f"{p50:.0f}, {p95:.0f}, {p99:.0f} ms"
    kept = 0 < p95 < most * 1000
    return Line(f"{what}: p50, 95, 99", spread, f"{len(took)} times", limit=f"p95 < {most * 1000:.0f}", kept=kept)
