"""The machine-readable description of the API."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import JSONResponse

from dawr.platform.http.problems import PROBLEM_SCHEMA, documented
from dawr.platform.services import Services

PATH = "/api/v1/openapi.json"
DESCRIPTION = """People's way through a hospital or clinic: tickets, calls, live screens.

Errors are `application/problem+json` with a stable `code`. Times are RFC 3339 with an offset. Every POST that changes
something takes an `Idempotency-Key`. The facility of a request is `/f/<facility>/…`, else the header `X-Facility`, else the
signed-in user's own, else the default one.
"""
ANYWHERE = ("/metrics", "/api/v1/health", "/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/logout")
UNREPEATABLE = "/api/v1/auth/"
PARAMETERS = {
    "facility": {
        "name": "X-Facility",
        "in": "header",
        "description": "The facility's short name, where neither the address nor the sign-in tells it",
        "schema": {"type": "string", "examples": ["mmc"]},
    },
    "key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same request under the same key is done once, and answered again",
        "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{16,200}$"},
    },
}
HEADERS = {
    "replayed": {"description": "`true` where this was done before", "schema": {"type": "string", "enum": ["true"]}},
    "waiting": {"description": "Seconds until it may be tried again", "schema": {"type": "integer", "minimum": 1}},
}


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
    components["parameters"] = PARAMETERS
    components["headers"] = HEADERS
    for path, item in document["paths"].items():
        for method, operation in item.items():
            _describe_headers(path, method, operation)
    return document


def _describe_headers(path: str, method: str, operation: dict[str, Any]) -> None:
    """What every operation takes and answers in headers, which no handler declares: the facility, the client's key."""
    repeatable = method == "post" and not path.startswith(UNREPEATABLE)
    asked = ["facility"] * (not path.startswith(ANYWHERE)) + ["key"] * repeatable
    if asked:
        operation.setdefault("parameters", []).extend({"$ref": f"#/components/parameters/{one}"} for one in asked)
    if "requestBody" in operation:
        operation["responses"] |= {str(one): said for one, said in documented(408).items() if one == 408}
    for status, response in operation["responses"].items():
        found = "waiting" if status in ("429", "503") else "replayed" if repeatable and status < "3" else None
        if found:
            name = {"waiting": "Retry-After", "replayed": "Idempotent-Replayed"}[found]
            response.setdefault("headers", {})[name] = {"$ref": f"#/components/headers/{found}"}


def mount(app: FastAPI, _: Services) -> None:
    async def document(request: Request) -> JSONResponse:
        if app.openapi_schema is None:
            app.openapi_schema = schema_of(app)
        root = request.scope.get("root_path")
        return JSONResponse(app.openapi_schema | ({"servers": [{"url": root}]} if root else {}))

    app.add_route(PATH, document, include_in_schema=False)
