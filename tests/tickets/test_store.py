"""The last wall: what the database itself refuses, hides, and does without reading everything."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.errors import (
    CheckViolation,
    Error,
    ForeignKeyViolation,
    InsufficientPrivilege,
    NotNullViolation,
    UniqueViolation,
)

from dawr.accounts.rules import Actor
from dawr.facilities import queries as facilities
from dawr.platform.db import WriteTx
from dawr.platform.ids import new_id
from dawr.tickets import commands, queries
from dawr.tickets.commands import Arrival
from dawr.tickets.commands_enter import enter
from dawr.tickets.people import keep_person
from dawr.tickets.rules import Priority, Ticket, Verb
from tests.conftest import House, found_house, make_services, new_database
from tests.tickets.conftest import Floor

# Refused

_COPY = """
INSERT INTO ticket (facility_id, id, clinic, service_day, series, number, code, status, priority, rank, order_key, placed,
                    doctor, entered_at, called_at, started_at, ended_at, ended_day, changed_version, previous, person)
SELECT facility_id, coalesce(%(id)s, id), coalesce(%(clinic)s, clinic), service_day, series, coalesce(%(number)s, number + 1),
       code, coalesce(%(status)s, status), coalesce(%(priority)s, priority), coalesce(%(rank)s, rank), order_key, placed,
       %(doctor)s, entered_at, %(called_at)s, %(started_at)s, %(ended_at)s, %(ended_day)s, changed_version,
       %(previous)s, %(person)s
FROM ticket WHERE facility_id = %(facility_id)s AND id = %(of)s
"""
_NAMES = "clinic number status priority rank doctor called_at started_at ended_at ended_day previous person"
MOMENT = "2026-11-21T09:00:00Z"


async def copy(house: House, ticket: Ticket, **changes: Any) -> None:
    """Writes a row like this ticket's under the next number, past every rule of the code."""
    row = dict.fromkeys(_NAMES.split()) | {"id": uuid4()} | changes
    async with house.here().write() as tx:
        await tx.execute(_COPY, of=ticket.id, **row)


@pytest.mark.parametrize(
    ("refusal", "changes"),
    [
        (UniqueViolation, {"id": None}),
        (UniqueViolation, {"number": 1}),
        (CheckViolation, {"number": 0}),
        (CheckViolation, {"number": -1}),
        (CheckViolation, {"status": "asleep"}),
        (CheckViolation, {"priority": "friend"}),
        (CheckViolation, {"rank": 2}),
        (CheckViolation, {"status": "called"}),
        (CheckViolation, {"status": "serving", "called_at": MOMENT}),
        (CheckViolation, {"status": "waiting", "called_at": MOMENT}),
        (CheckViolation, {"status": "done"}),
        (CheckViolation, {"status": "done", "ended_at": MOMENT}),
        (CheckViolation, {"ended_at": MOMENT, "ended_day": "2026-11-21"}),
        (ForeignKeyViolation, {"clinic": "nowhere"}),
        (ForeignKeyViolation, {"clinic": "xray"}),
        (ForeignKeyViolation, {"doctor": "nobody"}),
        (ForeignKeyViolation, {"previous": uuid4()}),
    ],
)
async def test_a_row_that_no_rule_would_make_is_refused(
    floor: Floor, house: House, refusal: type[Error], changes: dict[str, Any]
) -> None:
    ticket = await floor.enter("amina")
    with pytest.raises(refusal):
        await copy(house, ticket, **changes)


async def test_a_row_like_the_ticket_itself_is_taken(floor: Floor, house: House) -> None:
    await copy(house, await floor.enter("amina"))
    assert len(await floor.waiting()) == 2
    async with house.services.db.write(house.facility.id) as tx:
        await tx.execute("UPDATE queue SET waiting = waiting + 1")


async def test_one_person_has_no_two_open_tickets(floor: Floor, house: House) -> None:
    ticket = await floor.enter("amina")
    person = keep_person(house.here(), ticket.id, user="amina", name=None, phone=None).person
    with pytest.raises(UniqueViolation):
        await copy(house, ticket, person=person)
    await copy(house, ticket, person=person, status="cancelled", ended_at=MOMENT, ended_day="2026-11-21")


_EVENT = """
INSERT INTO event (facility_id, stream, version, entity, type, data, actor, at)
VALUES (%(facility_id)s, 'queue:lab', %(version)s, 'x', 'x', '{}', 'x', now())
"""


@pytest.mark.parametrize(("version", "refusal"), [(1, UniqueViolation), (0, CheckViolation), (None, NotNullViolation)])
async def test_an_event_has_a_version_of_its_own(
    floor: Floor, house: House, version: int | None, refusal: type[Error]
) -> None:
    await floor.enter("amina")
    with pytest.raises(refusal):
        async with house.here().write() as tx:
            await tx.execute(_EVENT, version=version)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE event SET type = 'x'",
        "DELETE FROM event",
        "TRUNCATE event",
        "DELETE FROM ticket",
        "TRUNCATE ticket CASCADE",
        "DELETE FROM queue",
        "ALTER TABLE ticket DISABLE ROW LEVEL SECURITY",
        "DROP TABLE ticket",
    ],
)
async def test_history_cannot_be_rewritten(floor: Floor, house: House, sql: str) -> None:
    await floor.enter("amina")
    with pytest.raises(InsufficientPrivilege):
        async with house.here().write() as tx:
            await tx.execute(sql)


# Hidden


async def count(house: House, sql: str) -> Any:
    async with house.here().write() as tx:
        return await tx.value(sql)


@pytest.mark.parametrize("table", ["ticket", "queue", "event", "counter", "clinic"])
async def test_another_facilitys_rows_are_invisible(floor: Floor, house: House, table: str) -> None:
    await floor.enter("amina")
    other = (await floor.elsewhere()).house
    foreign = f"SELECT count(*) FROM {table} WHERE facility_id = '{house.facility.id}'"
    assert (await count(house, foreign), await count(other, foreign)) != (0, 0)
    assert await count(other, foreign) == 0
    assert await count(other, f"SELECT count(*) FROM {table} WHERE facility_id <> '{other.facility.id}'") == 0


@pytest.mark.parametrize("table", ["ticket", "queue", "event"])
async def test_without_a_facility_nothing_is_visible(floor: Floor, house: House, table: str) -> None:
    await floor.enter("amina")
    async with house.services.db.read() as tx:
        assert await tx.value(f"SELECT count(*) FROM {table}") == 0


async def test_another_facilitys_ticket_cannot_be_changed(floor: Floor, house: House) -> None:
    ticket, other = await floor.enter("amina"), (await floor.elsewhere()).house
    async with other.here().write() as tx:
        changed = await tx.execute("UPDATE ticket SET calls = 9 WHERE id = %(id)s", id=ticket.id)
    assert changed == 0


async def test_nothing_can_be_written_into_another_facility(floor: Floor, house: House) -> None:
    await floor.enter("amina")
    other = (await floor.elsewhere()).house
    with pytest.raises(InsufficientPrivilege):
        async with other.here().write() as tx:
            await tx.execute(_EVENT, facility_id=house.facility.id, version=99)


async def test_a_ticket_cannot_be_given_to_another_facility(floor: Floor, house: House) -> None:
    ticket, other = await floor.enter("amina"), (await floor.elsewhere()).house
    with pytest.raises(InsufficientPrivilege):
        async with house.here().write() as tx:
            await tx.execute(
                "UPDATE ticket SET facility_id = %(to)s WHERE id = %(id)s", to=other.facility.id, id=ticket.id
            )


async def test_nothing_readable_of_a_person_is_at_rest(floor: Floor, house: House) -> None:
    await floor.enter_or_find("+97455550101", name="Amina Haddad", phone="+97455550101")
    rows = await count(house, "SELECT string_agg(t::text, ' ') FROM ticket t")
    log = await count(house, "SELECT string_agg(e::text, ' ') FROM event e")
    for text in ("Amina", "97455550101", b"Amina".hex(), b"97455550101".hex()):
        assert text not in rows + log


# At what cost

_CROWD = """
INSERT INTO ticket (facility_id, id, clinic, service_day, series, number, code, status, priority, rank, order_key, placed,
                    doctor, entered_at, called_at, changed_version, ended_at, ended_day)
SELECT q.facility_id, gen_random_uuid(), 'lab', q.service_day - age, 1, n, 'LAB-' || n,
       CASE age WHEN 0 THEN 'waiting' ELSE 'done' END, 'normal', 1, q.last_key + n, 'arrival',
       CASE n % 3 WHEN 0 THEN 'dana' WHEN 1 THEN 'omar' END, now(),
       CASE age WHEN 0 THEN NULL ELSE now() END, 1,
       CASE age WHEN 0 THEN NULL ELSE now() END, CASE age WHEN 0 THEN NULL ELSE q.service_day - age END
FROM queue q, generate_series(2, 2001) n, generate_series(0, 2) age
"""
_COUNTED = "WITH counted AS (UPDATE counter SET last = 2001) UPDATE queue SET waiting = waiting + 2000"
_COST = """
SELECT coalesce(sum(seq_scan) FILTER (WHERE relname IN ('ticket', 'event', 'counter')), 0)::int AS scans,
       coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::int AS written
FROM pg_stat_xact_user_tables WHERE schemaname = 'public'
"""


@dataclass
class Crowd:
    """A lab with 2 000 people waiting and 4 000 done on earlier days, in a database that was never analysed."""

    floor: Floor
    of_the_middle: UUID

    async def cost(self, work: Callable[[WriteTx], Awaitable[Any]]) -> tuple[int, int]:
        """How many whole tables were read and how many rows written, in the database's own count."""
        async with self.floor.house.here().write() as tx:
            before = await tx.row(_COST)
            await work(tx)
            after = await tx.row(_COST)
        assert before is not None
        assert after is not None
        return after["scans"] - before["scans"], after["written"] - before["written"]


@pytest.fixture(scope="module")
async def crowd(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Crowd]:
    url = new_database(server_url)
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("ALTER TABLE ticket SET (autovacuum_enabled = false)")
        owner.execute("ALTER TABLE event SET (autovacuum_enabled = false)")
    services = make_services(url, tmp_path_factory.mktemp("crowd"))
    await services.db.open()
    floor = Floor(await found_house(services))
    await floor.enter("first")
    async with floor.house.here().write() as tx:
        await tx.connection.execute(_CROWD)
        await tx.execute(_COUNTED)
        middle = await tx.value("SELECT id FROM ticket WHERE status = 'waiting' ORDER BY order_key OFFSET 1000 LIMIT 1")
    yield Crowd(floor, middle)
    await services.db.close()


def calling(actor: Actor, house: House) -> Callable[[WriteTx], Awaitable[Any]]:
    return lambda tx: commands.call_next(tx, actor, house.facility, clinic_id="lab", desk="1")


TIMES = 12
"""Often enough for a statement to be prepared and planned once for all parameters."""


@pytest.mark.parametrize("who", ["rui", "dana"])
async def test_calling_the_next_reads_no_whole_table_and_writes_three_rows(crowd: Crowd, who: str) -> None:
    house = crowd.floor.house
    costs = [await crowd.cost(calling(getattr(house, who), house)) for _ in range(TIMES)]
    assert costs == [(0, 3)] * TIMES


async def test_looking_at_the_queue_reads_no_whole_table(crowd: Crowd) -> None:
    house = crowd.floor.house

    async def look(tx: WriteTx) -> None:
        clinic = await facilities.clinic(tx, "lab")
        found = await queries.status(tx, house.facility, clinic)
        assert len(found.waiting) > 1_900

    assert [await crowd.cost(look) for _ in range(TIMES)] == [(0, 0)] * TIMES


async def test_counting_who_is_ahead_reads_no_whole_table(crowd: Crowd) -> None:
    async def look(tx: WriteTx) -> None:
        view = await queries.view(tx, crowd.floor.house.here(), crowd.of_the_middle)
        assert view.ahead > 900

    assert [await crowd.cost(look) for _ in range(TIMES)] == [(0, 0)] * TIMES


async def test_steps_of_one_ticket_write_three_rows_each(crowd: Crowd) -> None:
    house = crowd.floor.house
    for verb in (Verb.HOLD, Verb.RESUME, Verb.HOLD, Verb.RESUME):
        cost = await crowd.cost(
            lambda tx, verb=verb: commands.move(  # type: ignore[misc]
                tx, house.rui, house.facility, ticket_id=crowd.of_the_middle, verb=verb
            )
        )
        assert cost == (0, 3)


async def test_joining_a_crowd_and_leaving_it_write_the_same_few_rows(crowd: Crowd) -> None:
    house, here = crowd.floor.house, crowd.floor.house.here()

    async def join(tx: WriteTx) -> None:
        ticket_id = new_id(tx.now)
        personal = keep_person(here, ticket_id, user="latecomer", name=None, phone=None)
        arrival = Arrival(ticket_id, None, Priority.NORMAL, None, personal)
        ticket, _ = await enter(tx, house.rui, house.facility, "lab", arrival)
        await commands.move(tx, house.rui, house.facility, ticket_id=ticket.id, verb=Verb.CANCEL)

    assert [await crowd.cost(join) for _ in range(TIMES)] == [(0, 4 + 3)] * TIMES


async def test_a_whole_crowd_can_be_reset_in_time(crowd: Crowd) -> None:
    await crowd.floor.reset()
    found = await crowd.floor.status()
    assert (found.series, found.waiting, found.gone > 1_900) == (2, (), True)
    log = await crowd.floor.log(after=found.version - 10)
    assert [one.version for one in log] == list(range(found.version - 9, found.version + 1))
