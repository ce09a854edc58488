"""``/api/v1/health…`` for load balancers and people, ``/metrics`` for Prometheus."""

import hmac
from typing import Annotated

from fastapi import APIRouter, FastAPI, Header, Request, Response
from pydantic import BaseModel

from dawr.platform import outbox
from dawr.platform.errors import Unauthenticated, Unavailable
from dawr.platform.health import VERSION, Health, Report, Status
from dawr.platform.http.problems import documented
from dawr.platform.retry import in_time
from dawr.platform.services import Services

SCRAPE_SECONDS = 1.0
router = APIRouter(tags=["health"])


class CheckAnswer(BaseModel):
    status: Status
    detail: str


class HealthAnswer(BaseModel):
    status: Status
    timestamp: str
    version: str
    checks: dict[str, CheckAnswer]


_RESPONSES: dict[int | str, dict[str, object]] = {503: {"model": HealthAnswer, "description": "Unhealthy"}}


def mount(app: FastAPI, services: Services) -> Health:
    """Puts the routes on the app and gives the registry of checks, which stays on ``app.state.health``."""
    app.state.health = Health(services)
    app.include_router(router)
    found: Health = app.state.health
    return found


@router.get("/api/v1/health/live", summary="Is the process alive? Asks nothing else")
async def live(request: Request) -> HealthAnswer:
    services: Services = request.app.state.services
    return HealthAnswer(status=Status.HEALTHY, timestamp=services.clock.now().isoformat(), version=VERSION, checks={})


@router.get("/api/v1/health/ready", responses=_RESPONSES, summary="Can it serve requests?")
@router.get("/api/v1/health", responses=_RESPONSES, summary="Everything that is checked")
async def full(request: Request, response: Response) -> HealthAnswer:
    return _answer(await request.app.state.health.report(), response)


@router.get(
    "/metrics",
    response_class=Response,
    responses=documented(401) | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    summary="Prometheus' figures; asks for the token of DAWR_METRICS_TOKEN",
)
async def metrics(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
    services: Services = request.app.state.services
    _require_token(services, authorization)
    for state, count in services.db.pool.get_stats().items():
        if state in ("pool_size", "pool_available", "requests_waiting"):
            services.metrics.db_pool.labels(state=state).set(count)
    try:
        waiting = await in_time(outbox.backlog(services.db), SCRAPE_SECONDS)
        services.metrics.outbox_pending.set(waiting.pending)
    except (TimeoutError, Unavailable):
        pass
    text, content_type = services.metrics.render()
    return Response(text, media_type=content_type)


def _require_token(services: Services, authorization: str) -> None:
    token = services.settings.metrics_token
    expected = f"Bearer {token.get_secret_value()}" if token else ""
    if not expected or not hmac.compare_digest(authorization.encode(), expected.encode()):
        raise Unauthenticated


def _answer(report: Report, response: Response) -> HealthAnswer:
    response.status_code = 503 if report.status is Status.UNHEALTHY else 200
    response.headers["Cache-Control"] = "no-store"
    if response.status_code == 503:
        response.headers["Retry-After"] = "1"
    checks = {name: CheckAnswer(status=one.status, detail=one.detail) for name, one in report.checks.items()}
    return HealthAnswer(status=report.status, timestamp=report.at.isoformat(), version=VERSION, checks=checks)
