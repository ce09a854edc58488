"""The API as a machine reads it: every documented operation, fuzzed, answers what it documents."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from dawr.accounts.rules import Role
from tests.conftest import House, Live
from tests.journeys.matrix import STRANGER, TABLE

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method,negative_data_rejection"
)


async def fuzz(url: str, folder: Path, **headers: str) -> tuple[int, str]:
    """Runs schemathesis against the server; its exit code and report."""
    given = [part for name, value in headers.items() for part in ("-H", f"{name.replace('_', '-')}: {value}")]
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/api/v1/openapi.json", "--checks", CHECKS),
        *(
            "--phases",
            "examples,coverage,fuzzing",
            "--max-examples",
            "6",
            # Two threads that read source at once are more than Python 3.11 can do.
            "--workers",
            "1",
            "--seed",
            "7",
            "--no-color",
        ),
        *("--suppress-health-check", "all", "--exclude-path-regex", "events/stream|auth/logout", *given),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


def told(report: str) -> str:
    """What failed, from a report that goes on with advice."""
    return report[max(report.find(" FAILURES "), 0) :][:8000]


# Thousands of requests; a busy machine needs minutes for them.
@pytest.mark.timeout(300)
async def test_the_api_answers_only_what_it_documents(live: Live, house: House, tmp_path: Path) -> None:
    async with live.staff(house, Role.ADMINISTRATOR) as ada:
        code, report = await fuzz(
            live.url, tmp_path, Authorization=ada.headers["Authorization"], X_Facility=house.facility.slug
        )
    assert code == 0, told(report)


# Where strangers are told 401 whatever they send, which the matrix of roles asks of each operation, a few tries do.
CLOSED = """
[[operations]]
exclude-name = {names}
phases.coverage.enabled = false
generation.max-examples = 2
"""


async def test_it_does_so_to_strangers(live: Live, house: House, tmp_path: Path) -> None:
    names = [row.operation for row in TABLE if STRANGER in row.who]
    (tmp_path / "schemathesis.toml").write_text(CLOSED.format(names=json.dumps(names)))
    code, report = await fuzz(live.url, tmp_path, X_Facility=house.facility.slug)
    assert code == 0, told(report)


async def test_the_document_names_every_route(live: Live) -> None:
    async with live.client() as client:
        document = (await client.get("/api/v1/openapi.json")).json()
    paths = [str(getattr(route, "path_format", "")) for route in live.app.routes]
    routes = {path for path in paths if path.startswith("/api/v1/")}
    assert routes - set(document["paths"]) == {"/api/v1/openapi.json"}
