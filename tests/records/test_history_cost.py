"""Ten thousand entries, a hundred a page: the hundredth page costs what the first does, by the server's own account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from dawr.facilities.queries import Context
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from dawr.records import queries
from dawr.records.queries import Entry, Reached
from dawr.tickets.rules import Status
from tests.conftest import House, found_house, make_services, new_database
from tests.proof.bulk import _ID as AN_ID
from tests.proof.bulk import Bulk
from tests.proof.test_query_plans import _REPORT as REPORT
from tests.proof.test_query_plans import Reported, nodes
from tests.tickets.conftest import Floor

SIZE = 100
LARGE = {"visit", "consultation", "consultation_note", "appointment", "ticket"}
VISITS, CONSULTATIONS, APPOINTMENTS = 4000, 3000, 3000
_VISITS = f"""
INSERT INTO visit (facility_id, visit, patient, service_day, number, status, created_at, started_at, ended_at, version)
SELECT %(facility)s, {AN_ID.format(at="at")}, %(patient)s, current_date - n, %(number)s, 'completed', at, at, at, 1
FROM generate_series(1, %(count)s) n CROSS JOIN LATERAL (SELECT now() - n * '1 hour'::interval AS at) a
"""
_CONSULTATIONS = f"""
WITH t AS (SELECT id, row_number() OVER () AS n FROM ticket WHERE facility_id = %(facility)s AND status = 'done' LIMIT %(count)s),
made AS (
  INSERT INTO consultation (facility_id, id, ticket, clinic, author, visit, patient, started_at, ended_at, duration_seconds,
                            standing, version)
  SELECT %(facility)s, {AN_ID.format(at="at")}, t.id, 'lab', gen_random_uuid(), %(visit)s, %(patient)s, at, at, 0, 'final', 1
  FROM t CROSS JOIN LATERAL (SELECT now() - n * '75 min'::interval AS at) a RETURNING id)
INSERT INTO consultation_note (facility_id, consultation, version, notes_sealed, standing, at)
SELECT %(facility)s, id, 1, ''::bytea, 'final', now() FROM made
"""
_APPOINTMENTS = """
INSERT INTO appointment (facility_id, appointment, patient, doctor, clinic, starts, ends, capacity, seat, status, created_at,
                         version)
SELECT %(facility)s, gen_random_uuid(), %(patient)s, 'dana', 'lab', at, at + '15 min', 1, 0, 'no_show', at, 1
FROM generate_series(1, %(count)s) n CROSS JOIN LATERAL (SELECT now() - n * '80 min'::interval AS at) a
"""
# Everybody else, once each: an index is worth what it leaves out.
_OTHERS = """
WITH p AS (INSERT INTO patient (facility_id, patient, survivor, created_at, version)
           SELECT %(facility)s, id, id, now(), 1 FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, %(count)s)) i
           RETURNING patient)
INSERT INTO appointment (facility_id, appointment, patient, doctor, clinic, starts, ends, capacity, seat, status, created_at,
                         version)
SELECT %(facility)s, gen_random_uuid(), patient, 'dana', 'lab', at, at + '15 min', 1, 0, 'no_show', at, 1
FROM (SELECT patient, now() - row_number() OVER () * '40 min'::interval AS at FROM p) o
"""
_SCHEDULE = "INSERT INTO schedule (facility_id, doctor) VALUES (%(facility)s, 'dana')"


@dataclass(frozen=True)
class Long:
    """Somebody with ten thousand entries. ``url`` is of their database."""

    url: str
    house: House
    patient: UUID

    @asynccontextmanager
    async def read(self, mode: str, data: Path) -> AsyncIterator["Reader"]:
        """A process whose statements are planned in one way, each with its plan told."""
        reported, services = Reported(), make_services(f"{self.url}?options=-c%20plan_cache_mode%3D{mode}", data)
        services.keyring = self.house.services.keyring
        services.db.pool.connection_class = reported.connection_class()
        assert isinstance(services.db.pool.kwargs, dict)
        services.db.pool.kwargs["prepare_threshold"] = 0
        await services.db.open()
        yield Reader(House(services, self.house.facility).here(self.house.rui), self.patient, reported)
        await services.db.close()


@dataclass(frozen=True)
class Reader:
    here: Context
    patient: UUID
    reported: Reported

    async def page(self, after: Reached, *, limit: int = SIZE) -> tuple[list[Entry], Reached | None]:
        async with self.here.read() as tx:
            return await queries.history(tx, self.here, self.patient, after=after, limit=limit)

    async def plans(self, after: Reached) -> list[dict[str, Any]]:
        """What the server did for a page."""
        self.reported.plans.clear()
        await self.page(after)
        return list(self.reported.plans)


@pytest.fixture(scope="module")
async def long(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Long:
    url = new_database(server_url)
    services = make_services(url, tmp_path_factory.mktemp("long"))
    await services.db.open()
    house = await found_house(services)
    here = house.here(house.rui)
    async with here.write() as tx:
        amina, other = [(await patients.create(tx, here, Identity(name=name))).patient for name in ("Amina", "Omar")]
    await Floor(house).in_state("first", Status.DONE)
    await Bulk(url, house.facility.id).past(["lab"], CONSULTATIONS * 5 // 4)
    await services.db.close()
    with psycopg.connect(url, autocommit=True) as owner:
        given = {"facility": house.facility.id, "patient": amina}
        owner.execute(_SCHEDULE, given)
        owner.execute(_VISITS, given | {"count": VISITS, "number": 1})
        owner.execute(_VISITS, given | {"count": VISITS, "number": 2, "patient": other})
        [visit] = owner.execute("SELECT visit FROM visit WHERE patient = %(patient)s LIMIT 1", given).fetchone() or [
            None
        ]
        owner.execute(_CONSULTATIONS, given | {"count": CONSULTATIONS, "visit": visit})
        owner.execute(_APPOINTMENTS, given | {"count": APPOINTMENTS})
        owner.execute(_OTHERS, given | {"count": APPOINTMENTS * 2})
        owner.execute("ANALYZE")
        for setting, value in REPORT.items():
            owner.execute(f"ALTER DATABASE \"{url.rsplit('/', 1)[1]}\" SET {setting} = '{value}'".encode())
    return Long(url, house, amina)


def blocks(plans: list[dict[str, Any]]) -> int:
    return sum(one["Plan"]["Shared Hit Blocks"] + one["Plan"]["Shared Read Blocks"] for one in plans)


def whole_tables(plans: list[dict[str, Any]]) -> set[str]:
    """The large tables that were read from end to end."""
    every = [node for one in plans for node in nodes(one["Plan"])]
    return LARGE & {node["Relation Name"] for node in every if node["Node Type"] == "Seq Scan"}


def most_rows(plans: list[dict[str, Any]]) -> int:
    """The most that any part of a plan looked at, kept or not."""
    every = [node for one in plans for node in nodes(one["Plan"])]
    return max(int((n["Actual Rows"] + n.get("Rows Removed by Filter", 0)) * n["Actual Loops"]) for n in every)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_the_hundredth_page_costs_what_the_first_does(long: Long, mode: str, tmp_path: Path) -> None:
    """Planned for its parameters each time, or once for all: the server goes over from the one to the other."""
    async with long.read(mode, tmp_path) as reader:
        first = await reader.plans({})
        for number in (1, 99):
            _, after = await reader.page({}, limit=number * SIZE)
            assert after is not None
            plans = await reader.plans(after)
            assert whole_tables(plans) == set()
            assert blocks(plans) <= 2 * blocks(first)
            assert most_rows(plans) <= SIZE + 1


async def test_page_by_page_it_is_the_whole_history(long: Long, tmp_path: Path) -> None:
    async with long.read("auto", tmp_path) as reader:
        seen, after = await reader.page({}, limit=4321)
        while after is not None:
            entries, after = await reader.page(after, limit=2000)
            seen += entries
    assert len(seen) == len({one.id for one in seen}) == VISITS + CONSULTATIONS + APPOINTMENTS
    assert [one.at for one in seen] == sorted((one.at for one in seen), reverse=True)
