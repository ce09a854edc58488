"""The API as a machine reads it: every documented operation, fuzzed, answers what it documents."""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from dawr.accounts.rules import Role
from dawr.platform.http.openapi import schema_of
from tests.conftest import House, Live
from tests.depth import slice_or_whole
from tests.journeys.matrix import STRANGER, TABLE

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,negative_data_rejection"
)
OPERATIONS = [row.operation for row in TABLE]
OPEN = [row.operation for row in TABLE if STRANGER in row.who]
# Every case that can be thought of is tried with one operation of so many, and so often something by chance.
EVERY, TRIES = slice_or_whole((8, 3), (1, 50))
REST = """
[[operations]]
exclude-name = {thorough}
phases.coverage.enabled = false
generation.max-examples = {few}
"""
# Where strangers are told 401 whatever they send, which the matrix of roles asks of each operation.
CLOSED = """
[[operations]]
exclude-name = {open}
enabled = {asked}
"""
# Two workers that read source at once are more than Python 3.11 can do.
OPTIONS = f"""
--checks {CHECKS} --phases examples,coverage,fuzzing --max-examples {TRIES} --seed 7 --no-color --workers 1
--suppress-health-check all --exclude-path-regex events/stream|auth/logout
""".split()
REST = """
[[operations]]
exclude-name = {thorough}
phases.coverage.enabled = false
generation.max-examples = {few}
"""


async def fuzz(live: Live, folder: Path, *, config: str, **headers: str) -> tuple[int, str]:
    """Runs schemathesis against the server; its exit code and report."""
    async with live.client() as client:
        (folder / "openapi.json").write_bytes((await client.get("/api/v1/openapi.json")).content)
    (folder / "schemathesis.toml").write_text(config)
    given = [part for name, value in headers.items() for part in ("-H", f"{name.replace('_', '-')}: {value}")]
    process = await asyncio.create_subprocess_exec(
        *(
            str(Path(sys.executable).parent / "schemathesis"),
            "run",
            "openapi.json",
            "--url",
            live.url,
            *OPTIONS,
            *given,
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def rest(thorough: Sequence[str], *, few: int) -> str:
    """A few tries of all others."""
    return REST.format(thorough=json.dumps(thorough), few=few)


def told(report: str) -> str:
    """What failed, from a report that goes on with advice."""
    return report[max(report.find(" FAILURES "), 0) :][:8000]


# Thousands of requests; a busy machine needs minutes for them.
@pytest.mark.timeout(slice_or_whole(300, 7200))
async def test_the_api_answers_only_what_it_documents(live: Live, house: House, tmp_path: Path) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        mine = {"Authorization": ada.headers["Authorization"], "X_Facility": house.facility.slug}
        code, report = await fuzz(live, tmp_path, config=rest(OPERATIONS[::EVERY], few=1), **mine)
    assert code == 0, told(report)


@pytest.mark.timeout(slice_or_whole(300, 7200))
async def test_it_does_so_to_strangers(live: Live, house: House, tmp_path: Path) -> None:
    config = rest(OPEN[::EVERY], few=2) + CLOSED.format(open=json.dumps(OPEN), asked=slice_or_whole("false", "true"))
    code, report = await fuzz(live, tmp_path, config=config, X_Facility=house.facility.slug)
    assert code == 0, told(report)


async def test_what_strangers_are_told_where_they_may_not_is_documented(live: Live) -> None:
    document = schema_of(live.app)
    closed = [document["paths"][row.path][row.method.lower()] for row in TABLE if STRANGER not in row.who]
    assert [one["operationId"] for one in closed if "401" not in one["responses"]] == []


async def test_the_document_names_every_route(live: Live) -> None:
    async with live.client() as client:
        document = (await client.get("/api/v1/openapi.json")).json()
    paths = [str(getattr(route, "path_format", "")) for route in live.app.routes]
    routes = {path for path in paths if path.startswith("/api/v1/")}
    assert routes - set(document["paths"]) == {"/api/v1/openapi.json"}
