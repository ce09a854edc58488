"""Servers and services for tests that take a database away, restart it or share it between processes."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from dawr.platform.clock import SystemClock
from dawr.platform.config import Settings
from dawr.platform.crypto import Keyring
from dawr.platform.db import Database
from dawr.platform.embedded_postgres import EmbeddedPostgres
from dawr.platform.metrics import Metrics
from dawr.platform.ratelimit import RateLimiter
from dawr.platform.services import Services

KEYRING = Keyring.generate()


@contextmanager
def server(binaries: Path | None = None) -> Iterator[EmbeddedPostgres]:
    """A server of its own, in a folder that any user can pass through; pytest's are closed to the one it runs as."""
    folder = Path(tempfile.mkdtemp(prefix="dawr-test-"))
    folder.chmod(0o711)
    try:
        with EmbeddedPostgres(folder / "home", settings={"fsync": "off"}, binaries=binaries) as started:
            yield started
    finally:
        shutil.rmtree(folder)


def database(url: str, name: str) -> str:
    """An empty database on the server; its URL."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return url.rpartition("/")[0] + f"/{name}"


@asynccontextmanager
async def services(url: str, settings: Settings | None = None) -> AsyncIterator[Services]:
    """What one process has."""
    clock, metrics = SystemClock(), Metrics()
    db = Database(url, clock=clock, metrics=metrics, size=8)
    await db.open()
    try:
        yield Services(
            settings=settings or Settings(database_url=url),
            clock=clock,
            keyring=KEYRING,
            db=db,
            limits=RateLimiter(db.pool, KEYRING, metrics=metrics),
            metrics=metrics,
        )
    finally:
        await db.close()
