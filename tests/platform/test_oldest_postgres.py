"""The queue's tests on the oldest PostgreSQL that is promised, where this machine has it."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from dawr.platform.embedded_postgres import PostgresNotFound, find_binaries
from tests.depth import slice_or_whole

OLDEST = 15
ROOT = Path(__file__).parents[2]
SLICE = ("tests/tickets/test_enter.py", "tests/tickets/test_store.py", "tests/tickets/test_call.py")
TESTS = slice_or_whole(SLICE, ("tests/tickets", "tests/visits", "tests/appointments", "tests/realtime"))


@pytest.mark.timeout(slice_or_whole(120, 7200))
@pytest.mark.skipif("DAWR_TEST_POSTGRES" in os.environ, reason="the whole run is on a chosen version")
async def test_the_queue_holds_on_the_oldest_server() -> None:
    try:
        find_binaries(OLDEST)
    except PostgresNotFound:
        pytest.skip("this machine has no PostgreSQL 15")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *TESTS),
        cwd=ROOT,
        env=os.environ | {"DAWR_TEST_POSTGRES": str(OLDEST)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-4000:]
