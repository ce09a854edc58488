import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import httpx2
import psycopg
import pytest
from fastapi import FastAPI

from dawr.platform import outbox
from dawr.platform.config import Settings
from dawr.platform.embedded_postgres import EmbeddedPostgres
from dawr.platform.health import VERSION, Check, Health, Status
from dawr.platform.http import health as routes
from dawr.platform.http import problems
from dawr.platform.services import Services
from tests.platform import servers

TOKEN = "a token for Prometheus"


@pytest.fixture
async def services(emptied: EmbeddedPostgres) -> AsyncIterator[Services]:
    with psycopg.connect(emptied.url, autocommit=True) as connection:
        connection.execute("INSERT INTO job_tick VALUES ('heartbeat', now(), 0, 'done')")
    settings = Settings.model_validate({"metrics_token": TOKEN})
    async with servers.services(emptied.url, settings) as made:
        yield made


@asynccontextmanager
async def asking(services: Services) -> AsyncIterator[tuple[httpx2.AsyncClient, Health]]:
    app = FastAPI()
    app.state.services = services
    problems.install(app)
    registry = routes.mount(app, services)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://dawr") as client:
        yield client, registry


async def execute(services: Services, statement: str) -> None:
    async with services.db.write() as tx:
        await tx.execute(statement)


async def test_all_is_well(services: Services) -> None:
    async with asking(services) as (client, registry):
        registry.add("events", well)
        answer = await client.get("/api/v1/health")
    body = answer.json()
    assert (answer.status_code, body["status"], body["version"]) == (200, "healthy", VERSION)
    assert {name: check["status"] for name, check in body["checks"].items()} == {
        "database": "healthy",
        "jobs": "healthy",
        "events": "healthy",
    }
    assert body["timestamp"].endswith("+00:00")
    assert answer.headers["cache-control"] == "no-store"


async def well() -> Check:
    return Check(Status.HEALTHY)


async def test_without_the_database_it_lives_and_is_not_ready(postgres: EmbeddedPostgres, services: Services) -> None:
    async with asking(services) as (client, _):
        postgres.stop()
        try:
            began = time.monotonic()
            full, ready = await client.get("/api/v1/health"), await client.get("/api/v1/health/ready")
            assert time.monotonic() - began < 4
            live = await client.get("/api/v1/health/live")
        finally:
            postgres.start()
        assert (full.status_code, full.json()["status"], full.headers["retry-after"]) == (503, "unhealthy", "1")
        assert (ready.status_code, ready.json()["checks"]["database"]["status"]) == (503, "unhealthy")
        assert (live.status_code, live.json()["checks"]) == (200, {})


async def test_a_worker_that_was_never_heard_of_is_awaited_for_a_minute(services: Services) -> None:
    await execute(services, "DELETE FROM job_tick")
    registry = Health(services)
    assert (await registry.report()).status is Status.HEALTHY
    registry.started -= 61
    assert (await registry.report()).checks["jobs"] == Check(Status.DEGRADED, "no background worker is running")


async def test_without_a_worker_it_is_degraded_and_goes_on_serving(services: Services) -> None:
    await execute(services, "UPDATE job_tick SET ended_at = now() - interval '2 minutes'")
    async with asking(services) as (client, registry):
        registry.started -= 61
        answer = await client.get("/api/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")


async def test_work_that_is_late_is_told(services: Services) -> None:
    async with services.db.write(uuid4()) as tx:
        await outbox.put(tx, "visit_created", {}, key="queue:lab/1")
    await execute(services, "UPDATE outbox SET due = now() - interval '90 seconds'")
    check = (await Health(services).report(["jobs"])).checks["jobs"]
    assert (check.status, check.detail) == (Status.DEGRADED, "background work is 90 seconds late")


async def test_a_check_that_breaks_is_unhealthy_and_leaks_nothing(services: Services) -> None:
    async def broken() -> Check:
        raise RuntimeError("the password is hunter2")

    registry = Health(services)
    registry.add("events", broken)
    report = await registry.report()
    assert report.checks["events"] == Check(Status.UNHEALTHY, "the check itself failed")
    assert report.checks["database"].status is Status.HEALTHY


async def test_a_process_that_stops_is_not_ready_any_more(services: Services) -> None:
    async with asking(services) as (client, registry):
        registry.stopping = True
        assert (await client.get("/api/v1/health/ready")).status_code == 503
        assert (await client.get("/api/v1/health/live")).status_code == 200


@pytest.mark.parametrize("header", ["", "Bearer wrong", f"Basic {TOKEN}", TOKEN, "Bearer "])
async def test_the_figures_ask_for_their_token(services: Services, header: str) -> None:
    async with asking(services) as (client, _):
        answer = await client.get("/metrics", headers={"Authorization": header})
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


async def test_without_a_token_nobody_sees_the_figures(postgres: EmbeddedPostgres) -> None:
    async with servers.services(postgres.url) as plain, asking(plain) as (client, _):
        assert (await client.get("/metrics", headers={"Authorization": "Bearer "})).status_code == 401


async def test_the_figures_are_those_of_now(services: Services) -> None:
    async with services.db.write(uuid4()) as tx:
        await outbox.put(tx, "visit_created", {}, key="queue:lab/1")
    async with asking(services) as (client, _):
        answer = await client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "outbox_pending 1.0" in answer.text
    assert 'db_pool{state="pool_size"}' in answer.text
