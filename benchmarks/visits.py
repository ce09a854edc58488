"""Creating visits: 50 receptions, one visit a second each, whatever the server does; beside a bare handler with the same SQL.

Rounds of the floor, of the product, and of the product with an audience of 10 000 users who are to hear of every visit take
turns; the median round counts. The time of a request runs from when it was due.
"""

import asyncio
import itertools
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx2
import orjson
import psycopg

from benchmarks import floor
from benchmarks.load import Answered, Make, closed_loop, open_loop, quantile, request
from benchmarks.report import Line, Section
from dawr.accounts.rules import SYSTEM
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from dawr.platform.embedded_postgres_home import running_url
from tests.conftest import make_services
from tests.proof.program import PASSWORD, Program, free_port, program

RECEPTIONS = 50
CLINICS = 16
AUDIENCE = 10_000
MOST_SECONDS = 0.050
MOST_RATIO = 2.0
MOST_GROWTH = 1.10
WARM = 32
_COME = """
INSERT INTO directory.account (account_id, email, email_index, display_name, password_hash, created_at)
SELECT gen_random_uuid(), 'audience', sha256(n::text::bytea), 'audience', '$argon2id$', now() FROM generate_series(1, %(n)s) n;
INSERT INTO membership (facility_id, account_id, role, created_at, version)
SELECT f.facility_id, a.account_id, 'reception', now(), 1 FROM directory.account a, facility f
WHERE a.email = 'audience' AND f.slug = 'mmc'
"""
_GO = """
DELETE FROM membership USING directory.account a WHERE a.account_id = membership.account_id AND a.email = 'audience';
DELETE FROM directory.account WHERE email = 'audience'
"""
_WRONG = """
SELECT count(*) FROM (SELECT number, row_number() OVER (PARTITION BY facility_id, service_day ORDER BY number) AS place
FROM visit) AS v WHERE number <> place
"""


@dataclass
class Side:
    """One of those that are compared: whom it is asked for, and what each round brought."""

    port: int
    clinics: Sequence[str]
    people: Sequence[str]
    tokens: Sequence[str]
    rounds: list[list[Answered]] = field(default_factory=list)

    def p(self, share: float) -> float:
        return median(quantile([a.seconds for a in one], share) for one in self.rounds)


async def run(quick: bool) -> Section:
    rounds, seconds = (1, 3) if quick else (3, 12)
    needed = 2 * (rounds * seconds * RECEPTIONS + 3 * WARM) // CLINICS + RECEPTIONS
    async with program() as server, floor_on(server, people=needed + needed % 2) as bare:
        alone = await _product(server, people=needed + needed % 2)
        crowded = Side(alone.port, alone.clinics, alone.people, alone.tokens)
        makes = {id(bare): _asks(bare), id(alone): _asks(alone)}
        makes[id(crowded)] = makes[id(alone)]
        for side in (bare, alone):
            await closed_loop(side.port, makes[id(side)], clients=1, total=WARM)
        for n in range(rounds):
            for side in (bare, alone, crowded)[:: -1 if n % 2 else 1]:
                audience = _audience(server) if side is crowded else _nobody()
                async with audience:
                    side.rounds.append(await _round(makes[id(side)], side, seconds))
        wrong = await _asked(server, _WRONG)
    return _told(bare, alone, crowded, wrong)


async def _round(make: Make, side: Side, seconds: float) -> list[Answered]:
    answered = await open_loop(side.port, make, rate=RECEPTIONS, seconds=seconds)
    refused = [one for one in answered if one.status != 201]
    assert not refused, (len(refused), refused[0].status, refused[0].body[:300])
    return answered


def _asks(side: Side) -> Make:
    """Requests for visits, each person once in each clinic; the receptions take turns."""
    places = itertools.count()

    def make(_: int) -> bytes:
        n = next(places)
        person = side.people[n % len(side.people)]
        # Another clinic in each turn through the people, whose number is even.
        clinic = side.clinics[(n + n // len(side.people)) % len(side.clinics)]
        headers = {"Authorization": f"Bearer {side.tokens[n % len(side.tokens)]}"} if side.tokens else {}
        return request("POST", "/api/v1/visits", json={"patient": person, "clinic": clinic}, headers=headers)

    return make


def _told(bare: Side, alone: Side, crowded: Side, wrong: int) -> Section:
    section = Section(f"Creating visits ({RECEPTIONS} receptions, one a second each, open loop)")
    p95, floor_p95, crowd_p95 = alone.p(0.95), bare.p(0.95), crowded.p(0.95)
    kept = p95 <= MOST_SECONDS
    section.lines += [
        Line("p50", _ms(alone.p(0.5)), _ms(bare.p(0.5)), alone.p(0.5) / bare.p(0.5)),
        Line("p95", _ms(p95), _ms(floor_p95), p95 / floor_p95, f"<= {_ms(MOST_SECONDS)}", kept),
        Line("p95 beside the same SQL, bare", _ms(p95), _ms(floor_p95), p95 / floor_p95, "<= 2", p95 <= 2 * floor_p95),
        Line(
            f"p95 with an audience of {AUDIENCE:,}".replace(",", " "),
            _ms(crowd_p95),
            f"{_ms(p95)} (without)",
            crowd_p95 / p95,
            f"< {MOST_GROWTH:.2f}",
            crowd_p95 < MOST_GROWTH * p95,
        ),
        Line("visit numbers repeated or missing", str(wrong), limit="0", kept=wrong == 0),
    ]
    sides = {"floor": bare, "product": alone, "audience": crowded}
    section.figures = {
        name: {"p50": side.p(0.5), "p95": [quantile([a.seconds for a in one], 0.95) for one in side.rounds]}
        for name, side in sides.items()
    }
    return section


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


# The product


async def _product(server: Program, *, people: int) -> Side:
    async with server.client() as client:
        tokens = [await _token(client) for _ in range(RECEPTIONS)]
        client.headers["Authorization"] = f"Bearer {tokens[0]}"
        found = (await client.get("/api/v1/clinics")).json()["items"]
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    made = await closed_loop(server.port, _registering(headers), clients=4, total=people)
    ids = [orjson.loads(one.body)["patient"] for one in made]
    return Side(server.port, [one["clinic"] for one in found][:CLINICS], ids, tokens)


def _registering(headers: dict[str, str]) -> Callable[[int], bytes]:
    def make(n: int) -> bytes:
        body = {"name": f"Person {n}", "phone": f"+974555{n:05d}"}
        return request("POST", "/api/v1/patients", json=body, headers=headers)

    return make


async def _token(client: httpx2.AsyncClient) -> str:
    login = {"email": "reception@mmc.demo", "password": PASSWORD}
    token: str = (await client.post("/api/v1/auth/login", json=login)).json()["access_token"]
    return token


@asynccontextmanager
async def _audience(server: Program) -> AsyncIterator[None]:
    """10 000 more users of the facility's reception."""
    await _asked(server, _COME, n=AUDIENCE)
    try:
        yield
    finally:
        await _asked(server, _GO)


@asynccontextmanager
async def _nobody() -> AsyncIterator[None]:
    yield


async def _asked(server: Program, sql: str, **params: object) -> int:
    def ask() -> int:
        address = running_url(server.data_folder / "postgres") or ""
        with psycopg.connect(address, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
            found = connection.execute(sql.encode(), params or None)
            return int(found.fetchall()[0][0]) if found.description else 0

    return await asyncio.to_thread(ask)


# The floor


@asynccontextmanager
async def floor_on(server: Program, *, people: int) -> AsyncIterator[Side]:
    """The bare handler as a process on the product's PostgreSQL server, with people of its own."""
    address = running_url(server.data_folder / "postgres")
    assert address is not None
    url, port = await asyncio.to_thread(floor.furnish, address, "visits_floor"), free_port()
    known = await _people(url, people)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.visits_floor", url, str(port), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    try:
        yield Side(port, floor.CLINICS, known, ())
    finally:
        process.terminate()
        await process.wait()


async def _people(url: str, count: int) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        services = make_services(url, Path(folder))
    await services.db.open()
    async with services.db.read(floor.FACILITY) as tx:
        facility = await facilities.facility(tx)
    assert facility is not None
    here = Context(services, facility, SYSTEM, language="en", address="", device="d" * 32)
    found = []
    for n in range(count):
        async with here.write() as writing:
            one = await patients.create(writing, here, Identity(name=f"Person {n}", phones=(f"+974555{n:05d}",)))
            found.append(str(one.patient))
    await services.db.close()
    return found
