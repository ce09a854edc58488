"""The web app, and the one place where the house is put together."""

import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.requests import Request

import dawr.accounts.mount
import dawr.appointments.mount
import dawr.consultations.mount
import dawr.facilities.mount
import dawr.notifications.mount
import dawr.patients.mount
import dawr.platform.keyguard
import dawr.platform.upkeep
import dawr.plugins.mount
import dawr.realtime.mount
import dawr.records.mount
import dawr.tickets.mount
import dawr.visits.mount
import dawr.waits.mount
import dawr.web.mount
import dawr.webhooks.mount
from dawr.accounts import queries as accounts
from dawr.accounts.rules import STRANGER, Actor
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import Facility, FacilityNotFound
from dawr.platform.addresses import client_address, limit_bucket
from dawr.platform.clock import Clock, SystemClock
from dawr.platform.config import Settings
from dawr.platform.crypto import Keyring
from dawr.platform.db import Database
from dawr.platform.errors import N_, Invalid
from dawr.platform.http import health, openapi, problems
from dawr.platform.http.admission import Admission, Lanes
from dawr.platform.http.context import DEVICE_COOKIE, TICKET_COOKIE
from dawr.platform.http.headers import SecurityHeaders
from dawr.platform.http.middleware import (
    FacilityPrefix,
    PlainRequests,
    Receive,
    RequestLog,
    Scope,
    Send,
    body_of,
    headers_of,
)
from dawr.platform.http.plain import PlainOperations, Shortcut
from dawr.platform.http.routes import FlatApp
from dawr.platform.idempotency import Key, KeyMalformed
from dawr.platform.metrics import Metrics
from dawr.platform.ratelimit import RateLimiter
from dawr.platform.services import Services

MOUNTS = (
    dawr.accounts.mount.mount,
    dawr.facilities.mount.mount,
    dawr.patients.mount.mount,
    dawr.tickets.mount.mount,
    dawr.visits.mount.mount,
    dawr.appointments.mount.mount,
    dawr.consultations.mount.mount,
    dawr.waits.mount.mount,
    dawr.records.mount.mount,
    dawr.notifications.mount.mount,
    dawr.plugins.mount.mount,
    dawr.webhooks.mount.mount,
    dawr.realtime.mount.mount,
    dawr.web.mount.mount,
)
# What a morning asks for most, in that order.
OFTEN = (
    "/api/v1/events/stream",
    "/c/{clinic}",
    "/t/{secret}",
    "/api/v1/queue/tickets",
    "/api/v1/queue/ticket/{ticket}",
    "/board/queues",
    "/board",
    "/api/v1/queue/status",
)
Lifespan = Callable[[], AbstractAsyncContextManager[None]]
_KEY = re.compile(rb"^[\x21-\x7e]{16,200}$")
_DEVICE = re.compile(r"^[A-Za-z0-9_-]{22,64}$")


class FacilitiesDisagree(Invalid):
    code = "facilities_disagree"
    title = N_("The address and the header name different facilities")


def build_services(settings: Settings, *, clock: Clock | None = None) -> Services:
    """The services of one process. ``settings.database_url`` is set: the embedded server's where there is no other."""
    assert settings.database_url is not None
    clock, metrics = clock or SystemClock(), Metrics()
    keyring = (
        Keyring.from_setting(settings.keys.get_secret_value())
        if settings.keys
        else Keyring.load_or_create(settings.data_dir / "keys.json")
    )
    db = Database(
        settings.database_url,
        clock=clock,
        metrics=metrics,
        size=settings.database_pool_size,
        prepare=settings.database_direct_url is None,
    )
    limits = RateLimiter(db.pool, keyring, metrics=metrics, enabled=settings.rate_limits)
    return Services(settings=settings, clock=clock, keyring=keyring, db=db, limits=limits, metrics=metrics)


class App(FlatApp):
    """Answers what crowds ask for before the framework and every middleware."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shortcut: Shortcut = self.state.shortcut
        if shortcut.takes(scope):
            scope["app"] = self
            await shortcut(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(services: Services) -> FastAPI:
    """The app with every slice mounted. ``app.state.lifespans`` run around its life, ``on_stop`` when it is told to end;
    ``why_not`` is what kept it from starting."""
    app = App(
        title="Dawr",
        version=version("dawr"),
        lifespan=_live,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        strict_content_type=False,
        # Looked for anew with every request; the figures and the log are our own.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.services = services
    app.state.resolve = _resolve
    app.state.lifespans = []
    lanes = Lanes(services)
    app.state.plain_operations = {}
    app.state.shortcut = Shortcut(app.state.plain_operations, lanes, services.metrics)
    app.state.on_stop = []
    app.state.why_not = None
    problems.install(app)
    app.add_middleware(PlainOperations, operations=app.state.plain_operations)
    app.add_middleware(Admission, lanes=lanes)
    app.add_middleware(FacilityPrefix)
    app.add_middleware(PlainRequests)
    app.add_middleware(RequestLog, metrics=services.metrics)
    app.add_middleware(SecurityHeaders)
    for mount in (health.mount, *MOUNTS, openapi.mount):
        mount(app, services)
    app.look_first_at(OFTEN)
    return app


@asynccontextmanager
async def _live(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    lifespans: list[Lifespan] = app.state.lifespans
    await services.db.open()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(services.db.close)
        try:
            for one in lifespans:
                await stack.enter_async_context(one())
        except Exception as error:
            app.state.why_not = error
            raise
        yield


async def _resolve(request: Request) -> Context:
    """The context of a request: its facility *selects*, never grants; who has no role there finds nothing."""
    services: Services = request.app.state.services
    headers = headers_of(request.scope)
    cookies = request.cookies if b"cookie" in headers else {}
    known = cookies or b"authorization" in headers
    identity = await accounts.identify_request(services, request) if known else None
    facility = await _facility(services, request, identity)
    actor = await _actor(services, identity, facility)
    device = cookies.get(DEVICE_COOKIE, "")
    met = bool(_DEVICE.match(device))
    return Context(
        services=services,
        facility=facility,
        actor=actor,
        language=problems.language_of({"accept-language": headers.get(b"accept-language", b"").decode("latin-1")}),
        address=limit_bucket(client_address(request.scope, services.settings.trusted_proxies)),
        device=device if met else secrets.token_hex(20),
        new_device=not met,
        secure=request.scope["scheme"] == "https",
        secrets=_ticket_secrets(headers, cookies),
        idempotency_key=_idempotency_key(request.scope, services, actor),
    )


async def _facility(services: Services, request: Request, identity: accounts.Identity | None) -> Facility:
    slug = _facility_named(request)
    home = identity.home if identity else None
    found = (
        await facilities.locate(services, slug=slug) if slug or not home else await facilities.locate(services, id=home)
    )
    if found is None:
        raise FacilityNotFound
    return found


def _facility_named(request: Request) -> str | None:
    in_path: str | None = request.scope.get("facility_slug")
    if b"x-facility" not in headers_of(request.scope):
        return in_path
    named = {one for one in (in_path, *request.headers.getlist("x-facility")) if one}
    if len(named) > 1:
        raise FacilitiesDisagree
    return next(iter(named), None)


async def _actor(services: Services, identity: accounts.Identity | None, facility: Facility) -> Actor:
    if identity is None:
        return STRANGER
    actor = await accounts.actor_in(services, identity, facility.id)
    if actor is None:
        raise FacilityNotFound
    return actor


def _ticket_secrets(headers: Mapping[bytes, bytes], cookies: Mapping[str, str]) -> tuple[str, ...]:
    given = headers.get(b"ticket-secret")
    if given is not None:
        return (given.decode("latin-1"),)
    return tuple(value for name, value in cookies.items() if name.startswith(TICKET_COOKIE))[:20] if cookies else ()


def _idempotency_key(scope: Scope, services: Services, actor: Actor) -> Key | None:
    given = headers_of(scope).get(b"idempotency-key")
    if given is None or scope["method"] != "POST":
        return None
    if not _KEY.match(given):
        raise KeyMalformed
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    message = b"\x00".join((b"POST", path.encode(), body_of(scope)))
    caller = actor.label if actor.kind == "staff" else "public"
    digest = hashlib.sha256(given).digest()
    return Key(caller, digest, lambda key_id: services.keyring.mac("idempotency", message, key_id=key_id))
