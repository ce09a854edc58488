"""One run of one of PostgreSQL's programs: with what settings, as whom, tied to what, and how it is ended."""

import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from dawr.platform import embedded_postgres_child
from dawr.platform.embedded_postgres_binaries import has_library, server_version
from dawr.platform.embedded_postgres_home import Account, read_text

log = logging.getLogger(__name__)

_LOG_LIMIT = 16 * 1024 * 1024

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    # Loopback TCP is the one way in: a socket's path may have 100 characters only, a home folder's may be longer.
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "effective_cache_size": "512MB",
    "maintenance_work_mem": "32MB",
    "max_wal_size": "512MB",
    "wal_level": "replica",
    "max_logical_replication_workers": "0",
    "random_page_cost": "1.1",
    # Compiling a query pays only for long reports; a wrong guess about its size costs a short one 100 ms.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # The detail of an error and the text of a statement may quote what people entered; a log must not.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


def server_command(binaries: Path, data: Path, port: int, wanted: Mapping[str, str]) -> list[str]:
    command = [str(binaries / "postgres"), "-D", str(data)]
    for name, value in (_settings_of(binaries) | {"port": str(port)} | dict(wanted)).items():
        command += ["-c", f"{name}={value}"]
    return command


def _settings_of(binaries: Path) -> dict[str, str]:
    found = dict(_SETTINGS)
    if has_library(binaries, "pg_stat_statements"):
        found["shared_preload_libraries"] = "pg_stat_statements"
    if server_version(binaries) >= 18:
        found["io_method"] = "sync"  # the default keeps three more processes, of use with a large, cold database
    return found


def initdb_command(binaries: Path, data: Path, user: str, password: Path) -> list[str]:
    command = [str(binaries / "initdb"), "-D", str(data), "-U", user, "-E", "UTF8", *_locale(server_version(binaries))]
    return [*command, "--pwfile", str(password), "--auth=scram-sha-256", "--data-checksums", "--no-instructions"]


def _locale(major: int) -> list[str]:
    """Orders and compares by code point, the same on every machine and after every upgrade of the system."""
    if major >= 17:
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    return ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]


def run(command: list[str], account: Account | None) -> subprocess.CompletedProcess[str]:
    tied = [*_as_child(account, signal.SIGKILL), *command]
    return subprocess.run(tied, capture_output=True, text=True, cwd="/", env=_environment())  # noqa: S603 - our programs


def spawn(command: list[str], account: Account | None, log_path: Path) -> subprocess.Popen[bytes]:
    """Starts a server that ends in order (fast shutdown) once the calling *thread* is gone. Its words go to the log."""
    if log_path.exists() and log_path.stat().st_size > _LOG_LIMIT:
        log_path.replace(log_path.with_suffix(".log.1"))
    output = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # A session of its own: a Ctrl-C at the terminal is for us, and we stop the server in order.
        return subprocess.Popen(  # noqa: S603 - our programs
            [*_as_child(account, signal.SIGINT), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=_environment(),
            start_new_session=True,
        )
    finally:
        os.close(output)


def _as_child(account: Account | None, last_signal: signal.Signals) -> list[str]:
    uid, gid = ("-", "-") if account is None else (str(account.uid), str(account.gid))
    script = embedded_postgres_child.__file__
    return [sys.executable, "-I", "-S", script, uid, gid, str(os.getpid()), str(int(last_signal))]


def _environment() -> dict[str, str]:
    """Only what the programs need: our own environment has secrets, and PG… variables change what they do."""
    wanted = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {"LC_ALL": "C"} | {name: os.environ[name] for name in wanted if name in os.environ}


def is_ready(process: subprocess.Popen[bytes], data: Path) -> bool:
    lines = read_text(data / "postmaster.pid").split()
    return bool(lines) and lines[0] == str(process.pid) and lines[-1] == "ready"


def end(process: subprocess.Popen[bytes], timeout: float) -> None:
    """Fast shutdown: connections are ended, nothing committed is lost; after ``timeout`` seconds less politely."""
    for number, patience in ((signal.SIGINT, timeout), (signal.SIGQUIT, 2), (signal.SIGKILL, 5)):
        process.send_signal(number)
        try:
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            log.warning("PostgreSQL did not end within %s s of %s", patience, number.name)


def is_free(port: int) -> bool:
    """Whether a server could listen on that port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
