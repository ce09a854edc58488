"""The web server of one process: its database first, then the app, and the same backwards when it is told to stop."""

import asyncio
import errno
import os
import signal
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from dawr.app import build_services, create_app
from dawr.demo.loader import load_demo
from dawr.facilities import queries as facilities
from dawr.platform.config import Settings
from dawr.platform.crypto import KeyringError
from dawr.platform.embedded_postgres import EmbeddedPostgres
from dawr.platform.embedded_postgres_home import running_url
from dawr.platform.keyguard import holding_keys
from dawr.platform.logging import get_logger
from dawr.platform.migrate import migrate
from dawr.platform.services import Services
from dawr.worker import run_worker

Say = Callable[[str], None]
GRACE_SECONDS = 2
DEADLINE_SECONDS = 4.5
KEEP_ALIVE_SECONDS = 20
UNREAD_MILLISECONDS = 30_000
# A fresh cluster has no statistics, and without them PostgreSQL takes wrong indexes: look for tables that grew more often.
POSTGRES = {"autovacuum_naptime": "10s"}
log = get_logger(__name__)

NEXT_STEPS = """\
There is no facility here yet. In another terminal:
  dawr admin facility create --slug clinic --name "Our clinic" --zone Asia/Qatar
  dawr admin create --email you@example.org --name "Your name" --role administrator --facility clinic
Or look around first: dawr serve --demo --data demo"""


class CannotServe(Exception):
    """The message is a sentence for the person at the console."""


def serve(settings: Settings, say: Say) -> None:
    """Serves until a signal says stop. What forbids to start is ``CannotServe`` or the database's own error."""
    _check_tls(settings)
    with listening(settings.host, settings.port) as sockets, leaving_in_order(), own_database(settings) as found:
        migrate(direct_url(found))
        services = build_services(found)
        app = create_app(services)
        app.state.lifespans += [lambda: _furnished(services, say)]
        if settings.worker == "embedded":
            app.state.lifespans.append(lambda: run_worker(services))
        if not settings.rate_limits:
            log.warning("rate_limits_off", reason="DAWR_RATE_LIMITS; for tests and benchmarks only")
        server = Server(_config(app, settings), app=app, on_ready=lambda port: _ready(settings, port, say))
        _run(server, sockets, app)
        # From here on only the end is left, and a second signal would but cut it short.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _run(server: "Server", sockets: list[socket.socket], app: FastAPI) -> None:
    try:
        server.run(sockets=sockets)
    except SystemExit as error:
        # Uvicorn's way of saying that the app did not start.
        why_not = app.state.why_not
        if isinstance(why_not, KeyringError):
            raise why_not from error
        log.error("not_started", exc_info=why_not)
        raise CannotServe("Dawr could not start; the log above says why.") from error


class Server(uvicorn.Server):
    """Tells the app that it is ready, and, on a signal, its open streams to finish before it waits for them."""

    def __init__(self, config: uvicorn.Config, *, app: FastAPI, on_ready: Callable[[int], None]) -> None:
        super().__init__(config)
        self._app = app
        self._on_ready = on_ready
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if self.started and sockets and not self.should_exit:
            self._on_ready(sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Not uvicorn's own: that one raises the signal again at the end, which would end us before our database."""
        if self.should_exit:
            self.force_exit = True
            return
        self.should_exit = True
        timer = threading.Timer(DEADLINE_SECONDS, _give_up)
        timer.daemon = True
        timer.start()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._app.state.health.stopping = True
        for stop in self._app.state.on_stop:
            stop()


def _give_up() -> None:
    """Something hangs (a database that was cut off, say). Nothing is lost: what was answered is committed."""
    log.error("stopped_hard", reason=f"not done {DEADLINE_SECONDS} seconds after the signal")
    os._exit(1)


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    proxies = [str(network) for network in settings.trusted_proxies]
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
    )


def _check_tls(settings: Settings) -> None:
    if settings.tls_certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except ssl.SSLError as error:
        raise CannotServe("DAWR_TLS_CERTIFICATE and DAWR_TLS_KEY do not make a pair of PEM files.") from error


def _ready(settings: Settings, port: int, say: Say) -> None:
    here = settings.local_url(port)
    say(f"Dawr is ready: {here}")
    if settings.public_url and settings.public_url != here:
        say(f"People open:   {settings.public_url}")


@asynccontextmanager
async def _furnished(services: Services, say: Say) -> AsyncIterator[None]:
    """With the demonstration where it is wanted, or a word on what to do first where there is nothing yet."""
    settings = services.settings
    async with holding_keys(services.db, services.keyring):
        if settings.demo:
            await furnish_demo(services, say)
        elif not await facilities.every_facility(services):
            say(NEXT_STEPS)
        yield


async def furnish_demo(services: Services, say: Say) -> None:
    chosen = services.settings.demo_password
    made = await load_demo(services, password=chosen.get_secret_value() if chosen else None)
    if made.facilities:
        say(f"Demonstration made: {', '.join(made.facilities)}")
    if made.password and not chosen:
        say(f"Its staff's password, shown this once: {made.password}")
        say("Sign in as, for example: " + ", ".join(made.accounts[:2]))


@contextmanager
def own_database(settings: Settings) -> Iterator[Settings]:
    """Settings with a database: the one they name, else the embedded one, which runs as long as the block."""
    if settings.database_url:
        yield settings
        return
    with EmbeddedPostgres(settings.data_dir / "postgres", settings=POSTGRES) as postgres:
        yield settings.model_copy(update={"database_url": postgres.url})


@contextmanager
def any_database(settings: Settings) -> Iterator[Settings]:
    """As ``own_database``, but where a server runs already on the data folder, that one."""
    url = None if settings.database_url else running_url(settings.data_dir / "postgres")
    with own_database(settings.model_copy(update={"database_url": url}) if url else settings) as found:
        yield found


def direct_url(settings: Settings) -> str:
    """The database past any pooler."""
    assert settings.database_url is not None
    return settings.database_direct_url or settings.database_url


@contextmanager
def leaving_in_order() -> Iterator[None]:
    """TERM leaves the blocks it meets, as Ctrl-C does, so that a database started here is stopped here."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def listening(host: str, port: int) -> Iterator[list[socket.socket]]:
    """Sockets bound before anything else is begun, so that a port that is taken is told at once."""
    sockets: list[socket.socket] = []
    try:
        for family, address in _addresses(host, port):
            taken = sockets[0].getsockname()[1] if sockets else port
            sockets.append(_bound(family, (address[0], taken, *address[2:])))
        yield sockets
    finally:
        for one in sockets:
            one.close()


def _addresses(host: str, port: int) -> list[tuple[int, tuple[object, ...]]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise CannotServe(f"DAWR_HOST: {host} is no address of this machine.") from error
    return list({address: (family, address) for family, _, _, _, address in found}.values())


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        # A client that reads nothing more: its line is cut, where closing it would wait for ever to send the rest.
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MILLISECONDS)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        one.bind(address)
    except OSError as error:
        one.close()
        raise CannotServe(_why_not(error, address)) from error
    return one


def _why_not(error: OSError, address: tuple[object, ...]) -> str:
    host, port = address[:2]
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken by another program. Choose another one with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} needs rights that this user does not have. Choose one from 1024 upwards with --port."
    return f"{host}:{port} cannot be listened on: {error.strerror}."
