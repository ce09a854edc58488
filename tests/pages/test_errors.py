"""What a reader sees when something cannot be shown: a page in their language, with the right status."""

import re
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from starlette.responses import Response

import dawr.app
from dawr.platform.errors import Conflict, NotFound, Problem, Unavailable
from dawr.platform.http import problems
from dawr.web.errors import PageRoute
from tests.conftest import make_services

HEADLINES = {"ar": r"[\u0600-\u06ff]", "en": r"[A-Za-z]", "hi": r"[\u0900-\u097f]"}
KINDS: dict[str, type[Problem]] = {"missing": NotFound, "state": Conflict, "away": Unavailable}


def failing_site() -> FastAPI:
    """The pages' floor of an app in which nothing can be found out, not even the facility."""
    app, pages = FastAPI(), APIRouter(route_class=PageRoute)

    async def resolve(_: object) -> None:
        raise Unavailable(retry_after=3)

    @pages.get("/fail/{kind}")
    async def fail(kind: str) -> Response:
        raise KINDS[kind]

    app.state.resolve = resolve
    problems.install(app)
    app.include_router(pages)
    return app


def ask(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test")


@pytest.mark.parametrize("lang", HEADLINES)
@pytest.mark.parametrize(("kind", "status"), [("missing", 404), ("state", 409), ("away", 503)])
async def test_a_problem_is_a_page_in_the_readers_language(kind: str, status: int, lang: str) -> None:
    async with ask(failing_site()) as client:
        answer = await client.get(f"/fail/{kind}", headers={"Accept": "text/html", "Accept-Language": lang})
    assert answer.status_code == status
    headline = re.search(r"<h1>(.*?)</h1>", answer.text)
    assert headline
    assert re.search(HEADLINES[lang], headline[1])
    assert f'lang="{lang}"' in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_scripts_get_the_apis_answer() -> None:
    async with ask(failing_site()) as client:
        answer = await client.get("/fail/state", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_with_the_store_out_of_reach_the_page_says_when_to_try_again(tmp_path: Path) -> None:
    services = make_services("postgresql://nobody@127.0.0.1:1/nothing", tmp_path)
    app = dawr.app.create_app(services)
    async with ask(app) as client:
        answer = await client.get("/c/lab", headers={"Accept": "text/html", "Accept-Language": "hi"})
    await services.db.close()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert '<meta http-equiv="refresh"' in answer.text
