"""What the statements of visits read in a facility with a long past, by the server's own account; see
``tests/proof/test_query_plans.py``."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from dawr.facilities.queries import Context
from dawr.platform.services import Services
from dawr.tickets.rules import Verb as Step
from dawr.visits import commands, queries
from dawr.visits.mount import join
from dawr.visits.queries import Wanted
from dawr.visits.rules import Status, Visit
from tests.conftest import House, found_house, make_services, new_database
from tests.proof.test_query_plans import Reported, nodes
from tests.visits.conftest import Reception

LARGE = {"visit", "visit_ticket", "visit_reason", "ticket", "event", "patient"}
MOST_BLOCKS = 100
DAYS, A_DAY, OF_ONE = 40, 200, 400
REPORT = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
}
# One patient came often; every visit has a ticket, a reason and its first event.
_PAST = """
CREATE TEMP TABLE past AS SELECT n, gen_random_uuid() AS visit, gen_random_uuid() AS ticket, %(today)s::date - 1 - n / %(a_day)s
  AS day, n %% %(a_day)s + 1 AS number, CASE WHEN n < %(of_one)s THEN %(patient)s ELSE gen_random_uuid() END AS patient
  FROM generate_series(0, %(days)s * %(a_day)s - 1) n;
INSERT INTO patient (facility_id, patient, survivor, created_at, version)
  SELECT %(f)s, patient, patient, now(), 1 FROM past WHERE n >= %(of_one)s;
INSERT INTO visit (facility_id, visit, patient, service_day, number, status, created_at, started_at, ended_at, version)
  SELECT %(f)s, visit, patient, day, number, 'completed', day, day, day, 1 FROM past;
INSERT INTO ticket (facility_id, id, clinic, service_day, series, number, code, status, priority, rank, order_key, placed,
  entered_at, called_at, ended_at, ended_day, changed_version)
  SELECT %(f)s, ticket, 'lab', day, 1, number, 'LAB-' || number, 'done', 'normal', 1, n, 'arrival', day, day, day, day, 1
  FROM past;
INSERT INTO visit_ticket (facility_id, ticket, visit, clinic) SELECT %(f)s, ticket, visit, 'lab' FROM past;
INSERT INTO visit_reason (facility_id, visit, version, reason_sealed) SELECT %(f)s, visit, 1, ''::bytea FROM past;
INSERT INTO event (facility_id, stream, version, entity, type, data, actor, at)
  SELECT %(f)s, 'visit:' || visit, 1, 'visit:' || visit, 'visit_created', '{}', 'system', day FROM past;
"""


@dataclass(frozen=True, repr=False)
class LongPast:
    """A reception whose statements are reported."""

    reception: Reception
    reported: Reported
    analysed: bool

    def whole_tables(self) -> set[str]:
        return {
            f"{node['Relation Name']}: {' '.join(plan['Query Text'].split())}"
            for plan in self.reported.plans
            for node in nodes(plan["Plan"])
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
        }

    def greedy(self) -> dict[str, int]:
        """The statements that read many blocks."""
        read = {
            " ".join(plan["Query Text"].split()): plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
            for plan in self.reported.plans
            if any(node.get("Relation Name") in LARGE for node in nodes(plan["Plan"]))
        }
        return {query: blocks for query, blocks in read.items() if blocks > MOST_BLOCKS}


@pytest.fixture(scope="module", params=[("fresh", "force_generic_plan"), ("analysed", "force_custom_plan")], ids=str)
async def past(request: pytest.FixtureRequest, server_url: str, tmp_path_factory: pytest.TempPathFactory) -> LongPast:
    statistics, mode = request.param
    url, folder = new_database(server_url), tmp_path_factory.mktemp("past")
    house, often = await _furnished(make_services(url, folder))
    with psycopg.connect(url, autocommit=True) as owner:
        if statistics == "analysed":
            owner.execute("ANALYZE")
        for setting, value in (REPORT | {"plan_cache_mode": mode}).items():
            owner.execute(f"ALTER DATABASE \"{url.rpartition('/')[2]}\" SET {setting} = '{value}'".encode())
    reception, reported = await _watched(house, often, url, folder)
    return LongPast(reception, reported, analysed=statistics == "analysed")


async def _furnished(services: Services) -> tuple[House, UUID]:
    await services.db.open()
    house = await found_house(services)
    often = await Reception(house).patient("Amina")
    await Reception(house).visit()
    today = house.facility.service_day(services.clock.now())
    with psycopg.connect(services.db.url, autocommit=True, cursor_factory=psycopg.ClientCursor) as owner:
        for table in sorted(LARGE):
            owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
        known = {"f": house.facility.id, "patient": often, "today": today}
        owner.execute(_PAST, known | {"days": DAYS, "a_day": A_DAY, "of_one": OF_ONE})
    await services.db.close()
    return house, often


async def _watched(house: House, often: UUID, url: str, folder: Path) -> tuple[Reception, Reported]:
    """A day on that database, every statement reported."""
    reported, services = Reported(), make_services(url, folder)
    services = Services(
        **{name: getattr(services, name) for name in services.__slots__} | {"keyring": house.services.keyring}
    )
    services.db.pool.connection_class = reported.connection_class()
    assert isinstance(services.db.pool.kwargs, dict)
    services.db.pool.kwargs["prepare_threshold"] = 0
    join(services)
    await services.db.open()
    reception = Reception(House(services, house.facility))
    made = await a_day(reception, often)
    await look(reception, often, made)
    await services.db.close()
    return reception, reported


async def a_day(reception: Reception, often: UUID) -> Visit:
    made = await reception.add(await reception.visit(often, reason="cough"))
    await reception.step(made, Step.CALL, Step.SERVE, Step.DONE)
    await reception.transfer(await reception.visit())
    await reception.end(made, reason="went home")
    await reception.reopen(made)
    for _ in range(5):
        await reception.visit()
    return made


async def look(reception: Reception, often: UUID, made: Visit) -> None:
    house = reception.house
    here: Context = reception.here(house.dana)
    async with here.write() as tx:
        await commands.opened(tx, here, made.visit)
    async with here.read() as tx:
        today = made.service_day
        for wanted in (Wanted(today), Wanted(today, Status.WAITING), Wanted(today, clinic="lab")):
            await queries.listed(tx, here, await queries.of_day(tx, wanted, after=0, limit=50))
            await queries.count_of_day(tx, wanted)
        await queries.of_day(tx, Wanted(today - timedelta(days=9), Status.WAITING, "xray"), after=20, limit=20)
        visits = await queries.of_patient(tx, often, limit=20)
        await queries.of_patient(tx, often, before=visits[-1].visit, limit=20)
        await queries.known_to(tx, often, {"lab"})
        await queries.of_appointment(tx, often)


def test_no_statement_reads_a_whole_table(past: LongPast) -> None:
    assert past.whole_tables() == set()


def test_no_statement_reads_a_long_past(past: LongPast) -> None:
    # Without statistics a table of this size is guessed to be so small that its own facility's rows are taken for a few.
    assert past.greedy() == {} or not past.analysed


def test_the_statements_were_seen(past: LongPast) -> None:
    seen = " ".join(" ".join(plan["Query Text"].split()) for plan in past.reported.plans)
    parts = ["INSERT INTO visit (", "FOR NO KEY UPDATE OF v", "begun FROM visit_ticket", "CROSS JOIN LATERAL", "EXISTS"]
    parts += ["FOR KEY SHARE OF s", "WITH taken AS", "AS ahead"]
    assert [one for one in parts if one not in seen] == []
