"""An answer means that the disk has it, not that it is on its way there."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dawr.app import create_app
from dawr.platform.embedded_postgres import EmbeddedPostgres
from tests.conftest import Live, found_house, make_services, new_database, serving
from tests.journeys.test_outage import enter, until_served

# What no commit waits for stays in memory this long.
LAZY = {"wal_writer_delay": "10s"}


@pytest.fixture
async def server() -> AsyncIterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="dawr-test-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with EmbeddedPostgres(Path(folder) / "postgres", settings=LAZY) as running:
            yield running


async def test_what_was_answered_is_there_after_a_crash_of_the_database(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    services = make_services(new_database(server.url), tmp_path)
    app = create_app(services)
    async with serving(app) as url:
        async with Live(url, app, services).client(await found_house(services)) as client:
            told = [(await enter(client, f"p{n}")).json()["number"] for n in range(5)]
            os.kill(server.pid, signal.SIGKILL)
            after = await until_served(client, "after", within=20)
            again = [(await enter(client, f"p{n}")).json()["number"] for n in range(5)]
    assert (told, after.json()["number"], again) == ([1, 2, 3, 4, 5], 6, told)
