"""PostgreSQL as a supervised child of this program: no daemon, no installation, nothing open beyond loopback.

A home folder holds
    lock            taken (flock) by the program that runs the server; its process id inside
    password, port  made once, so that the address stays the same over restarts
    url             the address, for other programs of the same account, while the server runs
    data/           the cluster; belongs to the user PostgreSQL runs as
    postgresql.log  what the server says (the one before is kept as postgresql.log.1)
"""

import logging
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psycopg
from psycopg import sql

from dawr.platform.embedded_postgres_binaries import (
    PostgresNotFound,
    WrongPostgresVersion,
    choose_binaries,
    find_binaries,
)
from dawr.platform.embedded_postgres_home import (
    Account,
    DataFolderInUse,
    DataFolderUnreachable,
    EmbeddedPostgresError,
    choose_account,
    end_leftovers,
    kept,
    make_home,
    read_text,
    running_url,
    take_lock,
    write_private,
)
from dawr.platform.embedded_postgres_process import end, initdb_command, is_free, is_ready, run, server_command, spawn
from dawr.platform.errors import N_

__all__ = [
    "DataFolderInUse",
    "DataFolderUnreachable",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "PostgresDidNotStart",
    "PostgresNotFound",
    "WrongPostgresVersion",
    "find_binaries",
    "running_url",
]

log = logging.getLogger(__name__)

DATABASE = "dawr"
USER = "dawr"

# Below the ports that systems hand out for outgoing connections (from 32768, from 49152 on macOS): nobody takes ours
# by chance while the server restarts.
_PORTS = range(15_000, 30_000)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 2.0


class PostgresDidNotStart(EmbeddedPostgresError):
    """The server ended, or was not ready in time; the message has the last lines of its log."""


class EmbeddedPostgres:
    """Starts, watches and stops the server of one home folder. ``start`` and ``stop`` are for one thread at a time.

    A server that dies is started again on the same port; ``on_restart`` is then called in the watching thread.
    ``settings`` are PostgreSQL's own and go before ours. ``run_as`` counts only for root, on a home without data.
    """

    def __init__(
        self,
        home: Path,
        *,
        settings: Mapping[str, str] | None = None,
        run_as: str = "nobody",
        binaries: Path | None = None,
        on_restart: Callable[[], None] | None = None,
    ) -> None:
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log_path = self.home / "postgresql.log"
        self.restarts = 0
        self._settings = dict(settings or {})
        self._run_as = run_as
        self._wanted_binaries = binaries
        self._on_restart = on_restart
        self._account: Account | None = None
        self._binaries = Path()
        self._password = ""
        self._port = 0
        self._url: str | None = None
        self._lock: IO[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None
        self._stopping = threading.Event()
        self._launching = threading.Lock()

    @property
    def url(self) -> str:
        if self._url is None:
            raise RuntimeError("the embedded PostgreSQL has not been started")
        return self._url

    @property
    def pid(self) -> int:
        """The process id of the present postmaster."""
        if self._process is None:
            raise RuntimeError("the embedded PostgreSQL has not been started")
        return self._process.pid

    def start(self, timeout: float = 120) -> str:
        """Makes the cluster if there is none, starts the server, makes the database; returns its URL.

        Raises an EmbeddedPostgresError whose text is a sentence for the person at the console.
        """
        self._account = choose_account(self.home, self._run_as)
        make_home(self.home, self._account)
        self._lock = take_lock(self.home)
        try:
            self._prepare()
            self._watch(timeout)
            self._ensure_database()
            self._url = self._address(DATABASE)
            write_private(self.home / "url", self._url)
        except BaseException:
            self.stop()
            raise
        return self._url

    def stop(self, timeout: float = 4) -> None:
        """Ends the server in order, with force if that takes longer than ``timeout`` seconds, and frees the home."""
        with self._launching:
            self._stopping.set()
        if self._process is not None:
            end(self._process, timeout)
        if self._watcher is not None:
            self._watcher.join(5)
        self._watcher = self._process = self._url = None
        if self._lock is not None:
            (self.home / "url").unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _prepare(self) -> None:
        self._stopping.clear()
        self._binaries = choose_binaries(self.home, self._account, self._wanted_binaries)
        self._password = kept(self.home / "password", lambda: secrets.token_urlsafe(24))
        end_leftovers(self.data, patience=15)
        if not self.data.exists():
            self._create_cluster()

    def _create_cluster(self) -> None:
        """initdb beside the final place: a cluster is there as a whole or not at all."""
        unfinished, password = self.home / "data.new", self.home / "initdb-password"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        write_private(password, self._password)
        if self._account is not None:
            for path in (unfinished, password):
                os.chown(path, self._account.uid, self._account.gid)
        done = run(initdb_command(self._binaries, unfinished, USER, password), self._account)
        password.unlink()
        if done.returncode:
            raise PostgresDidNotStart(N_("PostgreSQL could not make its data folder: %(log)s"), log=done.stderr.strip())
        unfinished.rename(self.data)

    def _watch(self, timeout: float) -> None:
        """Starts the one thread that starts servers: they are tied to its life, so it lives as long as they shall."""
        outcome: Future[None] = Future()
        self._watcher = threading.Thread(target=self._keep, args=(outcome, timeout), name="postgres", daemon=True)
        self._watcher.start()
        outcome.result()

    def _keep(self, outcome: Future[None], timeout: float) -> None:
        try:
            process = self._first_launch(timeout)
        except BaseException as error:
            outcome.set_exception(error)
            return
        outcome.set_result(None)
        while not self._stopping.is_set():
            code = process.wait()
            if not self._stopping.is_set():
                log.error("PostgreSQL ended by itself (%s); starting it again", code)
                process = self._relaunch() or process

    def _first_launch(self, timeout: float) -> subprocess.Popen[bytes]:
        deadline = time.monotonic() + timeout
        while True:
            self._port, begin = self._choose_port(), self._log_size()
            process = self._launch()
            if process is not None and self._await_ready(process, deadline):
                return process
            if process is None or process.poll() is None:
                raise PostgresDidNotStart(N_("PostgreSQL was not ready in time; see %(log)s"), log=self.log_path)
            # Another program may have taken the port between our look and PostgreSQL's; then once more with another.
            if is_free(self._port):
                raise PostgresDidNotStart(N_("PostgreSQL did not start: %(log)s"), log=self._log_since(begin))

    def _relaunch(self) -> subprocess.Popen[bytes] | None:
        """Until a server is ready again, or ``stop`` was called (None). The port and the password stay."""
        pause = _FIRST_PAUSE
        while not self._stopping.wait(pause):
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                end_leftovers(self.data, patience=0)
                process = self._launch()
            except (OSError, EmbeddedPostgresError) as error:
                log.error("PostgreSQL cannot be started: %s", error)
                continue
            if process is not None and self._await_ready(process, deadline=None):
                self._announce_restart(process.pid)
                return process
        return None

    def _announce_restart(self, pid: int) -> None:
        self.restarts += 1
        log.warning("PostgreSQL is back (process %d, restart %d)", pid, self.restarts)
        if self._on_restart is not None:
            try:
                self._on_restart()
            except Exception:
                log.exception("what was to follow a restart of PostgreSQL failed")

    def _launch(self) -> subprocess.Popen[bytes] | None:
        """None once ``stop`` was called: it must not miss a server that starts just then."""
        command = server_command(self._binaries, self.data, self._port, self._settings)
        with self._launching:
            if self._stopping.is_set():
                return None
            self._process = spawn(command, self._account, self.log_path)
            return self._process

    def _await_ready(self, process: subprocess.Popen[bytes], deadline: float | None) -> bool:
        while process.poll() is None and (deadline is None or time.monotonic() < deadline):
            if is_ready(process, self.data):
                return True
            time.sleep(0.01)
        return False

    def _choose_port(self) -> int:
        before = read_text(self.home / "port").strip()
        if before.isdigit() and is_free(int(before)):
            return int(before)
        port = secrets.choice(_PORTS)
        while not is_free(port):
            port = secrets.choice(_PORTS)
        write_private(self.home / "port", str(port))
        return port

    def _address(self, database: str) -> str:
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self._port}/{database}"

    def _ensure_database(self) -> None:
        try:
            with psycopg.connect(self._address("postgres"), autocommit=True, connect_timeout=10) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        except psycopg.Error as error:
            message = N_("PostgreSQL started, but its database cannot be opened: %(reason)s")
            raise PostgresDidNotStart(message, reason=error) from error

    def _log_size(self) -> int:
        return self.log_path.stat().st_size if self.log_path.exists() else 0

    def _log_since(self, begin: int) -> str:
        return self.log_path.read_bytes()[begin:].decode(errors="replace").strip()[-2000:]
