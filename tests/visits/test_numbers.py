"""Visit numbers: no repeats, no gaps, in the order in which receptions were answered, across processes and crashes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import httpx2
import psycopg

from dawr.accounts.rules import Role
from dawr.platform.embedded_postgres_home import running_url
from tests.conftest import Live
from tests.proof import history
from tests.proof.houses import process_beside, reached
from tests.proof.linearizability import Operation
from tests.proof.program import PASSWORD, Program, program
from tests.visits.conftest import Reception

RECEPTIONS, EACH = 8, 5
_HALF = """
SELECT (SELECT count(*) FROM visit v WHERE NOT EXISTS (SELECT FROM visit_ticket vt WHERE vt.visit = v.visit))
     + (SELECT count(*) FROM visit v WHERE v.version <> (SELECT count(*) FROM event e WHERE e.stream = 'visit:' || v.visit))
     + (SELECT count(*) FROM ticket t WHERE NOT EXISTS (SELECT FROM visit_ticket vt WHERE vt.ticket = t.id))
     + (SELECT count(*) FROM visit_ticket vt JOIN ticket t ON t.id = vt.ticket AND t.clinic <> vt.clinic)
"""
_NUMBERS = "SELECT number FROM visit ORDER BY number"
_LAST = "SELECT last FROM counter WHERE kind = 'visit'"


async def creating(
    clients: Sequence[httpx2.AsyncClient], n: int, patients: Sequence[str], seen: list[Operation]
) -> None:
    """One reception creates visits one after the other, now at this process, now at that, until they are made or the server is
    gone."""
    for at, patient in enumerate(patients):
        asked, client = {"patient": patient, "clinic": "lab" if n % 2 else "xray"}, clients[(n + at) % len(clients)]
        call = monotonic()
        try:
            answer = await client.post("/api/v1/visits", json=asked)
        except httpx2.TransportError:
            return
        if answer.status_code != 201:
            return
        visit = answer.json()
        output = {"http": 201, "ticket": visit["visit"], "number": int(visit["visit_number"][-4:])}
        seen.append(Operation(n, call, monotonic(), "enter", {"clinic": "all"}, output))


def wrong(seen: Sequence[Operation]) -> list[str]:
    """What is wrong with the numbers of visits that were all answered."""
    last = {("all", None, None): len(seen)}
    return [
        *history.repeated_numbers(seen),
        *history.missing_numbers(seen, last),
        *history.overtaken_numbers(seen),
    ]


async def test_at_two_processes_they_are_gapless_and_in_order(live: Live, reception: Reception, tmp_path: Path) -> None:
    patients = [[str(await reception.patient()) for _ in range(EACH)] for _ in range(RECEPTIONS)]
    seen: list[Operation] = []
    async with (
        process_beside(live, tmp_path) as other,
        live.staff(reception.house, Role.RECEPTION) as rui,
        reached([live, other], rui) as clients,
    ):
        await asyncio.gather(*(creating(clients, n, mine, seen) for n, mine in enumerate(patients)))
    assert len(seen) == RECEPTIONS * EACH
    assert wrong(seen) == []


def rows(server: Program, sql: str) -> list[Any]:
    url = running_url(server.data_folder / "postgres")
    assert url is not None
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute(sql.encode())]


@asynccontextmanager
async def signed_in(server: Program) -> AsyncIterator[httpx2.AsyncClient]:
    login = {"email": "reception@mmc.demo", "password": PASSWORD}
    async with server.client() as client:
        token = (await client.post("/api/v1/auth/login", json=login)).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        yield client


async def test_killed_in_the_middle_no_visit_is_half_made() -> None:
    seen: list[Operation] = []
    async with program() as server:
        async with signed_in(server) as rui:
            made = [await rui.post("/api/v1/patients", json={"name": f"Person {n}"}) for n in range(24)]
            patients = [one.json()["patient"] for one in made]
            creators = [asyncio.create_task(creating([rui], n, patients[n::4], seen)) for n in range(4)]
            while len(seen) < 8:
                await asyncio.sleep(0.01)
            await server.kill()
            await asyncio.gather(*creators)
        await server.start()
        numbers, answered = rows(server, _NUMBERS), {UUID((one.output or {})["ticket"]) for one in seen}
        assert answered <= set(rows(server, "SELECT visit FROM visit"))
        assert (rows(server, _HALF), numbers) == ([0], list(range(1, len(numbers) + 1)))
        assert rows(server, _LAST) == [len(numbers)]
        async with signed_in(server) as rui:
            another = (await rui.post("/api/v1/patients", json={"name": "Later"})).json()["patient"]
            await creating([rui], 0, [another], seen)
        assert (seen[-1].output or {})["number"] == len(numbers) + 1
