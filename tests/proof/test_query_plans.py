"""What the hot statements read, by the server's own account, in a facility with a long past.

Nothing is copied or repeated: the product answers HTTP requests, and the server reports the plan of every statement it ran for
them (``auto_explain``), as the app's role, under row-level security, with the checks of foreign keys.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.rows import DictRow

import dawr.app
from dawr.accounts.rules import Role
from dawr.notifications import commands_queue
from dawr.platform.services import Services
from dawr.tickets import queries_days
from dawr.tickets.rules import Status, Verb
from tests.conftest import House, Live, found_house, make_services, new_database, serving
from tests.proof.bulk import Bulk
from tests.tickets.conftest import Floor

HOT = {"ticket", "event", "idempotency_claim"}
PAST = 10_000
MOST_BLOCKS = 120
"""What one statement may read: a crowd's insert with all its indexes takes most of it, a clinic's past several times."""
TURNS = 2

_REPORT = {
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_format": "json",
    "auto_explain.log_level": "notice",
}
_CLAIMS = """
INSERT INTO idempotency_claim (facility_id, caller, key, key_id, fingerprint, status, record, at)
SELECT %(facility_id)s, 'stranger', sha256(n::text::bytea), 1, sha256(n::text::bytea), 201, gen_random_uuid(), now()
FROM generate_series(1, %(count)s) n
"""


@dataclass
class Reported:
    """The plans of one app's statements."""

    plans: list[dict[str, Any]] = field(default_factory=list)

    def hear(self, notice: psycopg.errors.Diagnostic) -> None:
        _, found, plan = (notice.message_primary or "").partition("plan:\n")
        if found:
            self.plans.append(json.loads(plan))

    def connection_class(self) -> type[AsyncConnection[DictRow]]:
        hear = self.hear

        class Reporting(AsyncConnection[DictRow]):
            def __init__(self, *given: Any, **options: Any) -> None:
                super().__init__(*given, **options)
                self.add_notice_handler(hear)

        return Reporting

    def whole_tables(self) -> set[str]:
        """The statements that read one of the large tables from end to end."""
        return {
            plan["Query Text"]
            for plan in self.plans
            for node in nodes(plan["Plan"])
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] in HOT
        }

    def blocks(self) -> dict[str, int]:
        """The most blocks that a run of each statement on a large table read."""
        most: dict[str, int] = {}
        for plan in self.plans:
            if not any(node.get("Relation Name") in HOT for node in nodes(plan["Plan"])):
                continue
            read = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
            most[plan["Query Text"]] = max(read, most.get(plan["Query Text"], 0))
        return most


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


@pytest.fixture(scope="module")
async def long_past(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, House]:
    """A database that was never analysed, to be copied: many tickets of earlier days in both clinics, and a few of today's."""
    url = new_database(server_url)
    with psycopg.connect(url, autocommit=True) as owner:
        for table in sorted(HOT):
            owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
    services = make_services(url, tmp_path_factory.mktemp("past"))
    await services.db.open()
    house = await found_house(services)
    floor = Floor(house)
    for clinic in ("lab", "xray"):
        await floor.move(await floor.call_ticket(await floor.enter("first", clinic=clinic)), Verb.DONE)
    await floor.in_state("held", Status.HELD)
    await floor.several(8)
    await Bulk(url, house.facility.id).past(["lab", "xray"], PAST)
    with psycopg.connect(url) as owner:
        owner.execute(_CLAIMS, {"facility_id": house.facility.id, "count": PAST})
    await services.db.close()
    return url, house


@dataclass(frozen=True)
class Reporting:
    """An app on a copy of the long past, and what the server reports of its statements."""

    live: Live
    house: House
    reported: Reported


@asynccontextmanager
async def reporting(url: str, house: House, services: Services) -> AsyncIterator[Reporting]:
    reported = Reported()
    services.db.pool.connection_class = reported.connection_class()
    # Only what is prepared can be planned once for all parameters; the product prepares what it has run five times.
    assert isinstance(services.db.pool.kwargs, dict)
    services.db.pool.kwargs["prepare_threshold"] = 0
    app = dawr.app.create_app(services)
    async with serving(app) as address:
        yield Reporting(Live(address, app, services), House(services, house.facility), reported)


@pytest.fixture(scope="module", params=["force_custom_plan", "force_generic_plan"])
def plan_cache_mode(request: pytest.FixtureRequest) -> str:
    """A statement is planned for its parameters each time, or once for all of them: the server chooses as it goes on."""
    mode: str = request.param
    return mode


@pytest.fixture(scope="module", params=["fresh", "analysed"])
async def reported(
    request: pytest.FixtureRequest,
    long_past: tuple[str, House],
    plan_cache_mode: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Reported:
    """What the server says of a day on a copy of the long past."""
    source, house = long_past
    server, _, template = source.rpartition("/")
    name = f"plans_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        for setting, value in (_REPORT | {"plan_cache_mode": plan_cache_mode}).items():
            owner.execute(f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'".encode())
    url = f"{server}/{name}"
    if request.param == "analysed":
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("ANALYZE")
    async with reporting(url, house, make_services(url, tmp_path_factory.mktemp("plans"))) as running:
        return await a_day(running)


async def post(client: httpx2.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    headers = body.pop("headers", {})
    answer = await client.post(f"/api/v1/queue/{path}", json=body, headers=headers)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


async def walk_in(running: Reporting, desk: httpx2.AsyncClient) -> dict[str, Any]:
    """Strangers come in a crowd, one asks twice; another comes to the counter twice. The first one looks at everything."""
    async with running.live.client(running.house) as stranger:
        key = {"Idempotency-Key": secrets.token_hex(16)}
        users = [{"user": secrets.token_hex(6)} for _ in range(4)]
        first, *_ = await asyncio.gather(
            post(stranger, "enter", clinic="lab", headers=key, **users[0]),
            *(post(stranger, "enter", clinic="lab", **user) for user in users[1:]),
        )
        again = await post(stranger, "enter", clinic="lab", headers=key, **users[0])
        amina = {"name": "Amina", "doctor": "dana", "user": secrets.token_hex(6)}
        for _ in range(2):
            await post(desk, "enter", clinic="lab", **amina)
        assert again["number"] == first["number"]
        await look(stranger, "/api/v1/queue/status?clinic=lab")
        await look(stranger, first["follow"])
        await look(stranger, f"/api/v1/queue/ticket/{first['ticket']}")
    return first


async def look(client: httpx2.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text


async def work(desk: httpx2.AsyncClient, dana: httpx2.AsyncClient) -> None:
    """Everything that desks do."""
    called = (await post(desk, "call", clinic="lab", desk="1"))["ticket"]
    for verb in ("recall", "serve", "done", "undo", "done"):
        await post(desk, verb, ticket=called)
    mine = (await post(dana, "call", clinic="lab"))["ticket"]
    for verb in ("no_show", "rejoin", "hold", "resume"):
        await post(dana, verb, ticket=mine)
    moved = await post(desk, "transfer", ticket=mine, to="xray", place="by_arrival")
    await post(desk, "cancel", ticket=moved["ticket"])
    for path in (
        "queue/tickets?clinic=lab",
        "queue/tickets?clinic=lab&ended=true",
        f"queue/ticket/{called}/history",
        "metrics",
    ):
        await look(desk, f"/api/v1/{path}")


async def read_on(running: Reporting) -> None:
    """As the worker does that tells people of their turn."""
    house = running.house
    async with house.here().write() as tx:
        for clinic in await commands_queue.behind(tx):
            await commands_queue.read_on(tx, house.services, house.facility, clinic)


async def a_day(running: Reporting) -> Reported:
    """The product at work, while somebody watches the clinic and somebody their ticket; then the job that turns the days."""
    live, house = running.live, running.house
    dana_is: dict[str, Any] = {"clinics": ["lab"], "doctor": "dana"}
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(live.staff(house, Role.ADMINISTRATOR))
        dana = await stack.enter_async_context(live.staff(house, Role.DOCTOR, **dana_is))
        ticket = await walk_in(running, desk)
        for subject in ("clinic=lab", f"ticket={ticket['ticket']}"):
            stream = desk.stream("GET", f"/api/v1/events/stream?{subject}")
            lines = (await stack.enter_async_context(stream)).aiter_lines()
            assert "event: connected" in [await anext(lines) for _ in range(4)]
        await read_on(running)
        for _ in range(TURNS):
            await walk_in(running, desk)
            await work(desk, dana)
        await read_on(running)
        async with house.here().read() as tx:
            await queries_days.due_queues(tx, house.facility)
    return running.reported


def test_no_statement_reads_a_whole_table(reported: Reported) -> None:
    assert reported.whole_tables() == set()


def test_no_statement_reads_a_clinics_past(reported: Reported) -> None:
    much = {" ".join(query.split()): read for query, read in reported.blocks().items() if read > MOST_BLOCKS}
    assert much == {}


async def test_a_plan_made_while_hardly_anybody_was_there_serves_a_full_clinic(server_url: str, tmp_path: Path) -> None:
    """Such a plan takes all indexes of an empty table for equally good, and is kept until the server analyses it."""
    url = new_database(server_url)
    with psycopg.connect(url, autocommit=True) as owner:
        for table in sorted(HOT):
            owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
        for setting, value in _REPORT.items():
            owner.execute(f"ALTER DATABASE \"{url.rpartition('/')[2]}\" SET {setting} = '{value}'".encode())
    services = make_services(url, tmp_path)
    await services.db.open()
    house = await found_house(services)
    await services.db.close()
    async with reporting(url, house, make_services(url, tmp_path)) as running, running.live.client(house) as stranger:
        for _ in range(2 * TURNS):
            await post(stranger, "enter", clinic="lab", user=secrets.token_hex(6))
        await Bulk(url, house.facility.id).waiting(["xray"], 2_000)
        running.reported.plans.clear()
        await post(stranger, "enter", clinic="xray", user=secrets.token_hex(6))
    read = {query: most for query, most in running.reported.blocks().items() if "person BETWEEN w.person" in query}
    assert read, "nobody looked at the door"
    assert max(read.values()) < 30


HOT_STATEMENTS = {
    "enter": ["INSERT INTO ticket", "INSERT INTO counter", "INSERT INTO event", "UPDATE queue"],
    "who is here": ["person = $", "person BETWEEN w.person"],
    "lock": ["FROM queue WHERE facility_id = $1 AND clinic = $2 FOR UPDATE"],
    "call": ["UPDATE ticket", "AND status = 'waiting' ORDER BY rank", "doctor IS NULL"],
    "look": ["string_agg", "ELSE 0 END AS ahead", "t.id = ANY", "AS seconds", "DISTINCT coalesce(t.desk"],
    "desk": ["row_number()", "ORDER BY t.ended_at DESC"],
    "replay": ["INSERT INTO idempotency_claim", "FROM idempotency_claim"],
    "stream": ["event.version > w.version", "ORDER BY event.version DESC", "AS waiting FROM queue q", "t.id = ANY"],
    "figures": ["AS served"],
    "turn": ["NOT q.carries"],
    "telling": [
        "UPDATE notification_cursor c SET version = q.version",
        "AND version > $3 AND type <> $4 ORDER BY version",
    ],
}


@pytest.mark.parametrize("part", HOT_STATEMENTS)
def test_the_hot_statements_were_seen(reported: Reported, part: str) -> None:
    seen = {" ".join(plan["Query Text"].split()) for plan in reported.plans}
    assert [one for one in HOT_STATEMENTS[part] if not any(one in query for query in seen)] == []


def test_they_ran_under_row_level_security(reported: Reported) -> None:
    on_tickets = [
        plan for plan in reported.plans if "FROM ticket" in plan["Query Text"] and plan["Query Text"].startswith("\n")
    ]
    assert on_tickets
    assert [plan["Query Text"] for plan in on_tickets if "dawr.facility" not in json.dumps(plan["Plan"])] == []


def test_a_statement_that_did_would_be_named(long_past: tuple[str, House]) -> None:
    reported = Reported()
    with psycopg.connect(long_past[0], autocommit=True) as owner:
        owner.add_notice_handler(reported.hear)
        owner.execute("LOAD 'auto_explain'")
        for setting, value in _REPORT.items():
            if setting.startswith("auto_explain"):
                owner.execute(f"SET {setting} = '{value}'".encode())
        owner.execute(b"SELECT count(*) FROM ticket WHERE calls = 7")
        owner.execute(b"SELECT sum(calls) FROM ticket WHERE clinic = 'lab'")
    assert reported.whole_tables() >= {"SELECT count(*) FROM ticket WHERE calls = 7"}
    assert min(reported.blocks().values()) > 3 * MOST_BLOCKS
