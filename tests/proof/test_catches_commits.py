"""An answer means that the disk has it, not that it is on its way there."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dawr.app import create_app
from dawr.platform.embedded_postgres import EmbeddedPostgres
from tests.conftest import Live, found_house, make_services, new_database, serving
from tests.journeys.test_outage import enter, until_served


@pytest.fixture
def lazy(mortal_postgres: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """A server on which what no commit waits for stays in memory for ten seconds."""
    with psycopg.connect(mortal_postgres.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("SELECT pg_reload_conf()")
    yield mortal_postgres
    with psycopg.connect(mortal_postgres.url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM RESET wal_writer_delay")
        connection.execute("SELECT pg_reload_conf()")


async def test_what_was_answered_is_there_after_a_crash_of_the_database(lazy: EmbeddedPostgres, tmp_path: Path) -> None:
    services = make_services(new_database(lazy.url), tmp_path)
    app = create_app(services)
    async with serving(app) as url:
        async with Live(url, app, services).client(await found_house(services)) as client:
            told = [(await enter(client, f"p{n}")).json()["number"] for n in range(5)]
            os.kill(lazy.pid, signal.SIGKILL)
            after = await until_served(client, "after", within=20)
            again = [(await enter(client, f"p{n}")).json()["number"] for n in range(5)]
    assert (told, after.json()["number"], again) == ([1, 2, 3, 4, 5], 6, told)
