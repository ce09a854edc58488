"""The machine-readable description of the API."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import JSONResponse

from dawr.platform.http.problems import PROBLEM_SCHEMA
from dawr.platform.services import Services

PATH = "/api/v1/openapi.json"
DESCRIPTION = """People's way through a hospital or clinic: tickets, calls, live screens.

Errors are `application/problem+json` with a stable `code`. Times are RFC 3339 with an offset. Every POST that changes
something takes an `Idempotency-Key`. The facility of a request is `/f/<facility>/…`, else the header `X-Facility`, else the
signed-in user's own, else the default one.
"""


def schema_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with the shape of problems and the ways to sign in."""
    document = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
    for path, item in getattr(app.state, "openapi_paths", {}).items():
        document["paths"].setdefault(path, {}).update(item)
    components = document.setdefault("components", {})
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "ticket": {"type": "apiKey", "in": "header", "name": "Ticket-Secret"},
    }
    document["security"] = [{}, {"bearer": []}, {"ticket": []}]
    return document


def mount(app: FastAPI, _: Services) -> None:
    async def document(_: Request) -> JSONResponse:
        if app.openapi_schema is None:
            app.openapi_schema = schema_of(app)
        return JSONResponse(app.openapi_schema)

    app.add_route(PATH, document, include_in_schema=False)
