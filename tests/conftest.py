"""What every test shares: one PostgreSQL a worker, one cast of people, facilities of their own.

A test never cleans up: it founds a facility of its own, and row-level security keeps the others out of its sight.
"""

import asyncio
import functools
import gc
import os
import secrets
import ssl
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx2
import psycopg
import pytest
import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI

import dawr.app
from dawr.accounts import passwords
from dawr.accounts.commands import create_staff
from dawr.accounts.rules import STRANGER, SYSTEM, Actor, Role
from dawr.facilities import commands as facilities_commands
from dawr.facilities.commands_people import create_doctor
from dawr.facilities.queries import Context
from dawr.facilities.rules import Clinic, Facility
from dawr.facilities.rules_settings import ClinicSettings, FacilitySettings
from dawr.platform import migrate
from dawr.platform.clock import ShiftedClock
from dawr.platform.config import Settings
from dawr.platform.crypto import Keyring
from dawr.platform.db import Database, WriteTx
from dawr.platform.embedded_postgres import EmbeddedPostgres, find_binaries
from dawr.platform.ids import new_id
from dawr.platform.metrics import Metrics
from dawr.platform.ratelimit import RateLimiter
from dawr.platform.services import Services
from dawr.waits import queries as waits
from tests.platform import servers

ZONE, PIVOT = ZoneInfo("Asia/Qatar"), time(5)
PASSWORD = "a test passphrase"
TEMPLATE = "dawr_template"
# Nobody here speaks TLS, and to load the system's certificates for each client takes longer than most tests.
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
QUICK_HASHER, SLOW_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), passwords.HASHER
LONG = ("proof", "pages", "cli", "journeys")
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def pytest_configure() -> None:
    """While everything is imported nothing is garbage, and looking for some would take a fifth of it."""
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First what starts programs and browsers, a file of each kind in turn: what computes runs beside what waits, and no long
    file is left to end alone."""
    place: dict[Path, int] = {}
    found: Counter[str] = Counter()
    for item in items:
        if item.path not in place:
            place[item.path] = found[item.path.parent.name]
            found[item.path.parent.name] += 1
    items.sort(key=lambda item: place[item.path] if item.path.parent.name in LONG else len(place))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL of this worker's own, empty, in a folder that its user can reach; ``DAWR_TEST_POSTGRES`` chooses another
    version than the embedded one."""
    with tempfile.TemporaryDirectory(prefix="dawr-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        wanted = os.environ.get("DAWR_TEST_POSTGRES")
        binaries = find_binaries(int(wanted)) if wanted else None
        with EmbeddedPostgres(Path(folder) / "postgres", settings=FAST, binaries=binaries) as server:
            yield server.url


@pytest.fixture(scope="session")
def mortal_postgres() -> Iterator[EmbeddedPostgres]:
    """This worker's second PostgreSQL, which a test may stop, kill or let hang, and starts again: nobody else misses it. It
    keeps what it said it kept."""
    with servers.server() as started:
        yield started


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """What a password costs is for its own tests; here people sign in by the hundred."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "HASHER", QUICK_HASHER)
        yield


@pytest.fixture(scope="session")
def database_url(server_url: str) -> str:
    """A database with the schema of the code."""
    return new_database(server_url)


def new_database(server_url: str) -> str:
    """A further database on the same server, with the schema as the code declares it and a log of its own."""
    name = f"dawr_{secrets.token_hex(6)}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{_template(server_url)}"')
    url = _beside(server_url, name)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE log_epoch SET epoch = DEFAULT, started_at = DEFAULT")
    return url


@functools.cache
def _template(server_url: str) -> str:
    """Made once a server: to copy a database takes a fraction of what it takes to declare everything in it."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{TEMPLATE}"')
    migrate.build_fresh(_beside(server_url, TEMPLATE))
    return TEMPLATE


def _beside(server_url: str, name: str) -> str:
    return server_url.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture(scope="session")
async def services(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Services]:
    """The house's services on the worker's database, without rate limits, with a clock that can be moved."""
    made = make_services(database_url, tmp_path_factory.mktemp("data"))
    await made.db.open()
    yield made
    await made.db.close()


def make_services(url: str, data: Path, **changes: Any) -> Services:
    settings = Settings.model_validate(
        {"database_url": url, "data_dir": data, "rate_limits": False, "demo": True} | changes
    )
    clock, metrics, keyring = ShiftedClock(), Metrics(), Keyring.generate()
    db = Database(url, clock=clock, metrics=metrics, size=12)
    limits = RateLimiter(db.pool, keyring, metrics=metrics, enabled=settings.rate_limits)
    services = Services(settings=settings, clock=clock, keyring=keyring, db=db, limits=limits, metrics=metrics)
    services.additions["ticket_wait"] = waits.Waits()
    return services


@dataclass(frozen=True)
class House:
    """A facility of one test: clinics ``lab`` (prefix LAB, desks 1 and 2) and ``xray`` (XR, desk 1), and its people."""

    services: Services
    facility: Facility

    @property
    def clock(self) -> ShiftedClock:
        assert isinstance(self.services.clock, ShiftedClock)
        return self.services.clock

    @property
    def ada(self) -> Actor:
        """The administrator."""
        return Actor(kind="staff", account_id=uuid4(), role=Role.ADMINISTRATOR)

    @property
    def rui(self) -> Actor:
        """Reception."""
        return Actor(kind="staff", account_id=uuid4(), role=Role.RECEPTION)

    @property
    def dana(self) -> Actor:
        """A doctor of the lab."""
        return Actor(kind="staff", account_id=uuid4(), role=Role.DOCTOR, clinics=frozenset({"lab"}), doctor="dana")

    def here(self, actor: Actor = STRANGER, **changes: Any) -> Context:
        """The context of a request in this facility."""
        plain = Context(
            services=self.services,
            facility=self.facility,
            actor=actor,
            language="en",
            address="192.0.2.1",
            device="d" * 32,
        )
        return replace(plain, **changes)

    async def change_clinic(self, clinic: str, **settings: Any) -> Clinic:
        async with self.services.db.write(self.facility.id) as tx:
            return await facilities_commands.change_clinic(
                tx, SYSTEM, clinic=clinic, settings=cast(ClinicSettings, settings)
            )


@pytest.fixture
async def house(services: Services) -> AsyncIterator[House]:
    """A facility of this test's own, in Asia/Qatar, service day from 05:00, open round the clock; it is hours from the turn."""
    clock = services.clock
    assert isinstance(clock, ShiftedClock)
    clock.offset = away_from_the_turn(clock.now())
    yield await found_house(services)
    clock.offset = timedelta()


def away_from_the_turn(now: datetime) -> timedelta:
    """What takes the clock of a house away from where its service day turns, and from where a priority's credit reaches behind
    that: nothing depends on the time of day at which the tests run."""
    today = datetime.combine(now.astimezone(ZONE), PIVOT, ZONE)
    since = (now - today) % timedelta(days=1)
    if since > timedelta(hours=22):
        return -timedelta(hours=3)
    return timedelta(hours=3) if since < timedelta(hours=2) else timedelta()


_LIKE_THE_MODEL = """
WITH clinics AS (INSERT INTO clinic SELECT * FROM json_populate_recordset(NULL::clinic, %(clinic)s)),
     desks AS (INSERT INTO desk SELECT * FROM json_populate_recordset(NULL::desk, %(desk)s)),
     doctors AS (INSERT INTO doctor SELECT * FROM json_populate_recordset(NULL::doctor, %(doctor)s)),
     places AS (INSERT INTO doctor_clinic SELECT * FROM json_populate_recordset(NULL::doctor_clinic, %(doctor_clinic)s))
INSERT INTO event (facility_id, stream, version, entity, type, data, actor, at)
SELECT facility_id, stream, version, entity, type, data, actor, %(now)s
FROM json_populate_recordset(NULL::event, %(event)s) WHERE stream <> 'facility'
"""
_MODEL: dict[str, str] = {}


class _Seen(Exception):
    """The model was looked at, and need not stay."""


async def found_house(services: Services) -> House:
    """Its clinics and doctors are the rows that the product's commands made for a model, once more."""
    if not _MODEL:
        await _make_model(services)
    async with services.db.write(new_id(services.clock.now())) as tx:
        facility = await _founded(tx)
        rows = {table: text.replace(_MODEL["id"], str(facility.id)) for table, text in _MODEL.items()}
        del rows["id"]
        await tx.execute(_LIKE_THE_MODEL, **rows, now=tx.now)
    return House(services, facility)


async def _make_model(services: Services) -> None:
    with suppress(_Seen):
        async with services.db.write(new_id(services.clock.now())) as tx:
            facility = await _founded(tx)
            await _furnish(tx)
            for table in ("clinic", "desk", "doctor", "doctor_clinic", "event"):
                _MODEL[table] = await tx.value(f"SELECT json_agg(t)::text FROM {table} t")
            _MODEL["id"] = str(facility.id)
            raise _Seen


async def _founded(tx: WriteTx) -> Facility:
    settings = FacilitySettings(name={"en": "Test house"}, zone=ZONE.key, pivot=PIVOT, languages=("ar", "en", "hi"))
    slug = f"house-{secrets.token_hex(5)}"
    return await facilities_commands.create_facility(tx, SYSTEM, slug=slug, settings=settings)


async def _furnish(tx: WriteTx) -> None:
    for clinic, prefix, desks in (("lab", "LAB", ("1", "2")), ("xray", "XR", ("1",))):
        made = ClinicSettings(name={"en": clinic.title()}, prefix=prefix, mean_service_seconds=480)
        await facilities_commands.create_clinic(tx, SYSTEM, clinic=clinic, settings=made, desks=desks)
    for doctor in ("dana", "omar"):
        await create_doctor(tx, SYSTEM, doctor=doctor, name={"en": doctor.title()}, clinics=["lab"])


@dataclass(frozen=True)
class Live:
    """The product on a socket: ``url`` of the server, ``app`` behind it."""

    url: str
    app: FastAPI
    services: Services

    def client(self, house: "House | None" = None, **options: Any) -> httpx2.AsyncClient:
        """A client that speaks to one house; each has cookies of its own, as a browser has."""
        headers = {"X-Facility": house.facility.slug} if house else {}
        return httpx2.AsyncClient(
            base_url=self.url, headers=headers | options.pop("headers", {}), timeout=20, verify=PLAIN, **options
        )

    @asynccontextmanager
    async def staff(self, house: "House", role: Role, **post: Any) -> AsyncIterator[httpx2.AsyncClient]:
        """A client signed in as a new member of the house's staff."""
        email = f"{role}-{secrets.token_hex(6)}@test.example"
        await create_staff(
            self.services,
            email=email,
            name="Staff",
            password=PASSWORD,
            facility_id=house.facility.id,
            role=role,
            **post,
        )
        async with self.client(house) as client:
            answer = await client.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            yield client


@pytest.fixture(scope="session")
async def live(services: Services) -> AsyncIterator[Live]:
    """The whole web app, served by uvicorn on a free port of this machine."""
    app = dawr.app.create_app(services)
    async with serving(app) as url:
        yield Live(url, app, services)


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """The address of an app while it is served in this process."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]
    running = asyncio.create_task(server.serve())
    while not server.started:
        assert not running.done(), running.result()
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    for stop in app.state.on_stop:
        stop()
    server.should_exit = True
    await running
