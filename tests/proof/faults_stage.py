"""Where faults happen: one or several processes of the product, its PostgreSQL, and the lines between them."""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psycopg

from dawr.platform.embedded_postgres import EmbeddedPostgres
from tests.proof.clocked import write_offset
from tests.proof.driver import Journal
from tests.proof.faults_mount import own_disk
from tests.proof.program import PASSWORD, Program, own_folder
from tests.proof.proxy import Proxy, proxy

ROOT = Path(__file__).parents[2]
FACILITY = "mmc"
TOKEN_PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Setting:
    """How a stage is made. ``processes`` of the product; ``server``: PostgreSQL is nobody's child but the test's;
    ``lines``: whatever is asked goes through proxies, from the clients and to PostgreSQL; ``clocked``: the clock can be moved;
    ``disk``: the first process keeps its data on a small file system of its own.
    """

    processes: int = 1
    server: bool = False
    lines: bool = False
    clocked: bool = False
    disk: bool = False


@dataclass
class Stage:
    """What a scenario has in its hands, and where the clients find the product."""

    folder: Path
    programs: list[Program] = field(default_factory=list)
    server: EmbeddedPostgres | None = None
    to_clients: list[Proxy] = field(default_factory=list)
    to_server: Proxy | None = None
    facility: str = FACILITY
    well: asyncio.Event = field(default_factory=asyncio.Event)
    bearer: str = ""
    clinics: int = 0
    _signing_in: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def urls(self) -> list[str]:
        return [one.url for one in self.to_clients or self.programs]

    # The database, past every proxy

    @property
    def postgres(self) -> Path:
        """The home folder of the PostgreSQL in use."""
        return self.server.home if self.server else self.programs[0].data_folder / "postgres"

    @property
    def database_url(self) -> str:
        return (self.postgres / "url").read_text()

    def owner(self) -> psycopg.Connection[dict[str, Any]]:
        """A connection that sees every row."""
        return psycopg.connect(self.database_url, autocommit=True, connect_timeout=5, row_factory=psycopg.rows.dict_row)

    def postmaster(self) -> int:
        return int((self.postgres / "data" / "postmaster.pid").read_text().split()[0])

    def postgres_pids(self) -> list[int]:
        """The postmaster and all its children; empty where none runs."""
        with suppress(OSError, ValueError, IndexError):
            pid = self.postmaster()
            return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        return []

    # The clock

    @property
    def offset_file(self) -> Path:
        return self.folder / "clock"

    def now(self) -> datetime:
        """What the product's clock shows."""
        return datetime.now(UTC) + timedelta(seconds=float(self.offset_file.read_text()))

    def set_clock(self, instant: datetime) -> None:
        """Makes it this late for every process; time goes on from there."""
        write_offset(self.offset_file, instant - datetime.now(UTC))

    # Clients' and scenarios' needs

    async def token(self, old: str) -> str:
        """Signs the reception in where nobody has since, and asks until it can be."""
        async with self._signing_in:
            if self.bearer == old:
                self.bearer = await self.sign_in(f"reception@{self.facility}.demo")
            return self.bearer

    async def sign_in(self, email: str) -> str:
        ends = monotonic() + TOKEN_PATIENCE
        async with httpx2.AsyncClient(timeout=5, verify=False) as client:
            while True:
                url = self.urls[int(monotonic() * 20) % len(self.urls)]
                with suppress(httpx2.TransportError):
                    asked = {"email": email, "password": PASSWORD}
                    answer = await client.post(f"{url}/api/v1/auth/login", json=asked)
                    if answer.status_code == 200:
                        return str(answer.json()["access_token"])
                    assert answer.status_code >= 500, answer.text
                assert monotonic() < ends, "nobody can sign in"
                await asyncio.sleep(0.1)

    async def new_clinics(self, count: int) -> list[str]:
        """Clinics nobody has used, so that their whole history is that of one run."""
        made = []
        headers = {"Authorization": f"Bearer {await self.sign_in(f'admin@{self.facility}.demo')}"}
        async with httpx2.AsyncClient(timeout=20, verify=False, headers=headers) as client:
            for _ in range(count):
                self.clinics += 1
                made.append(f"proof-{self.clinics}")
                asked = {"clinic": made[-1], "names": {"en": "Proof"}, "prefix": f"P{self.clinics}", "desks": ["1"]}
                answer = await client.post(f"{self.urls[0]}/api/v1/clinics", json=asked)
                assert answer.status_code == 201, answer.text
        return made

    async def change_facility(self, **settings: str) -> None:
        """Returns when every process knows it: none believes what it read of a facility for more than a second."""
        headers = {"Authorization": f"Bearer {await self.sign_in(f'admin@{self.facility}.demo')}"}
        async with httpx2.AsyncClient(timeout=20, verify=False, headers=headers) as client:
            answer = await client.patch(f"{self.urls[0]}/api/v1/facility", json=settings)
            assert answer.status_code == 200, answer.text
        await asyncio.sleep(1.2)

    @asynccontextmanager
    async def fault(self, journal: Journal) -> AsyncIterator[None]:
        """A fault is done in the block, and its cause gone at its end; then the product gets well by itself."""
        self.well.clear()
        began = monotonic()
        try:
            yield
            await self.recovered()
        finally:
            journal.faults.append((began, monotonic()))
            self.well.set()

    async def recovered(self, *, within: float = 60) -> None:
        """Until PostgreSQL lets people in and every process lives. From then on it is the product's matter to be well."""
        ends = monotonic() + within
        while not await asyncio.to_thread(self._lets_in):
            assert monotonic() < ends, self.last_words()
            await asyncio.sleep(0.02)
        async with httpx2.AsyncClient(timeout=0.5, verify=False) as client:
            for url in self.urls:
                while not await _lives(client, url):
                    assert monotonic() < ends, self.last_words()
                    await asyncio.sleep(0.02)

    def _lets_in(self) -> bool:
        try:
            with self.owner() as owner:
                return owner.execute("SELECT 1").fetchone() is not None
        except (psycopg.OperationalError, OSError):
            return False

    def last_words(self) -> str:
        log = self.postgres / "postgresql.log"
        said = log.read_text(errors="replace") if log.exists() else ""
        return "\n".join([*(one.log[-600:] for one in self.programs), said[-1200:]])

    async def at_rest(self) -> None:
        """Until no process of the product has anything under way in the database."""
        ends = monotonic() + 30
        while await asyncio.to_thread(self._busy):
            assert monotonic() < ends, "the product does not come to rest"
            await asyncio.sleep(0.1)

    def _busy(self) -> int:
        with self.owner() as owner:
            found = owner.execute(
                "SELECT count(*) AS n FROM pg_stat_activity WHERE application_name = 'dawr' AND state <> 'idle'"
                " AND state_change < now() - interval '0.05 s'"
            ).fetchone()
            assert found is not None
            return int(found["n"])


async def _lives(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/api/v1/health/live")).status_code == 200
    except httpx2.TransportError:
        return False


def send(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


@asynccontextmanager
async def staged(setting: Setting) -> AsyncIterator[Stage]:
    """A stage that is ready."""
    async with own_folder() as folder, AsyncExitStack() as stack:
        stage = Stage(folder)
        write_offset(stage.offset_file, timedelta())
        own: dict[str, str] = {}
        if setting.server:
            stage.server = EmbeddedPostgres(folder / "postgres", settings={"autovacuum_naptime": "10s"})
            await asyncio.to_thread(stage.server.start)
            stack.push_async_callback(asyncio.to_thread, stage.server.stop)
            own["DATABASE_URL"] = stage.server.url
            if setting.lines:
                stage.to_server = await stack.enter_async_context(proxy(_port(stage.server.url)))
                own["DATABASE_URL"] = _through(stage.server.url, stage.to_server)
        disk = await stack.enter_async_context(own_disk(folder)) if setting.disk else None
        stack.push_async_callback(_end, stage)
        await _start_programs(stage, setting, own, disk / "data" if disk else None)
        for one in stage.programs if setting.lines else ():
            stage.to_clients.append(await stack.enter_async_context(proxy(one.port)))
        stage.well.set()
        await stage.change_facility(pivot=_far_from_now(), zone="UTC")
        yield stage


async def _start_programs(stage: Stage, setting: Setting, own: dict[str, str], data: Path | None) -> None:
    command = (sys.executable, "-m", "tests.proof.clocked", str(stage.offset_file)) if setting.clocked else None
    for n in range(setting.processes):
        folder = stage.folder / f"process-{n}"
        folder.mkdir(mode=0o711)
        settings = dict(own)
        if n:
            first = stage.programs[0].data_folder
            settings["DATABASE_URL"] = own.get("DATABASE_URL") or stage.database_url
            settings["DAWR_KEYS"] = base64.b64encode((first / "keys.json").read_bytes()).decode()
        if command:
            settings["PYTHONPATH"] = str(ROOT)
        made = Program(folder, settings=settings, data=None if n else data)
        made.command = command or made.command
        stage.programs.append(made)
        await made.start()


async def _end(stage: Stage) -> None:
    """Whatever state a scenario left them in."""
    for one in reversed(stage.programs):
        if one.runs:
            one.signal(signal.SIGCONT)
    send(stage.postgres_pids(), signal.SIGCONT)
    for one in reversed(stage.programs):
        try:
            await one.stop()
        except TimeoutError:
            await one.kill()


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


def _through(url: str, line: Proxy) -> str:
    return url.replace(f":{_port(url)}/", f":{line.port}/")


def _far_from_now() -> str:
    """The hour at which the service day shall turn: half a day away, whatever the time is."""
    return f"{(datetime.now(UTC).hour + 12) % 24:02d}:00"
