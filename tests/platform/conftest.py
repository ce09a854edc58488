"""A server that a test may stop, restart or kill, and what one process has on it."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from dawr.platform.embedded_postgres import EmbeddedPostgres
from dawr.platform.migrate import migrate
from dawr.platform.services import Services
from tests.platform import servers

KEPT_BY_THE_PLATFORM = (
    "outbox",
    "job_tick",
    "procrastinate_jobs",
    "procrastinate_periodic_defers",
    "procrastinate_workers",
)


@pytest.fixture(scope="session")
def postgres(mortal_postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    """The server that a test may stop, migrated."""
    migrate(mortal_postgres.url)
    return mortal_postgres


@pytest.fixture
def emptied(postgres: EmbeddedPostgres) -> EmbeddedPostgres:
    """The same without what earlier tests left to be done."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {', '.join(KEPT_BY_THE_PLATFORM)} CASCADE")
    return postgres


@pytest.fixture
async def one_process(emptied: EmbeddedPostgres) -> AsyncIterator[Services]:
    async with servers.services(emptied.url) as made:
        yield made
