"""Looks an installation over and says, line by line, what is well, what is not, and what to do about it."""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from psycopg.rows import dict_row

from dawr.platform import keyguard
from dawr.platform.config import Settings
from dawr.platform.crypto import Keyring, KeyringError
from dawr.platform.migrate import OLDEST_SERVER, MigrationError, can_take_role, pending
from dawr.platform.schema import APP_ROLE

OLDEST_PYTHON = (3, 11)
LOW_DISK, NO_DISK = 2 * 1024**3, 200 * 1024**2
CLOCK_SECONDS = 2.0
EXPIRY = timedelta(days=14)
SILENT_SECONDS = 60.0


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """``advice`` says what to do; a finding that is ok needs none."""

    level: Level
    about: str
    text: str
    advice: str = ""


Findings = Iterator[Finding]
Connection = psycopg.Connection[dict[str, Any]]


def ok(about: str, text: str) -> Finding:
    return Finding(Level.OK, about, text)


def warn(about: str, text: str, advice: str) -> Finding:
    return Finding(Level.WARN, about, text, advice)


def fail(about: str, text: str, advice: str) -> Finding:
    return Finding(Level.FAIL, about, text, advice)


def examine(settings: Settings) -> Findings:
    """Everything that can be seen from here; ``settings.database_url`` is None where no embedded server runs now."""
    for check in (_python, _data_folder, _disk, _keys, _tls, _addresses, _switches):
        yield from check(settings)
    if settings.database_url is None:
        yield warn("database", "the embedded PostgreSQL is not running", "Start `dawr serve` and look again.")
        return
    yield from _database(settings.database_direct_url or settings.database_url, settings)


def _python(_: Settings) -> Findings:
    found = sys.version.split()[0]
    if sys.version_info < OLDEST_PYTHON:
        yield fail("python", found, "Install Python 3.11 or later.")
    else:
        yield ok("python", found)


def _data_folder(settings: Settings) -> Findings:
    folder = settings.data_dir
    if not folder.exists():
        above = next(parent for parent in folder.parents if parent.exists())
        if os.access(above, os.W_OK | os.X_OK):
            yield ok("data folder", f"{folder} will be made at the first start")
        else:
            yield fail("data folder", f"{folder} cannot be made", f"Give this user the right to write to {above}.")
    elif not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        yield fail("data folder", f"{folder} cannot be written to", "Give this user the right, or set DAWR_DATA_DIR.")
    else:
        yield ok("data folder", str(folder))


def _disk(settings: Settings) -> Findings:
    existing = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1024**3:.1f} GiB free"
    if free < NO_DISK:
        yield fail("disk", text, "Free some space now: PostgreSQL stops when it cannot write.")
    elif free < LOW_DISK:
        yield warn("disk", text, "Free some space soon.")
    else:
        yield ok("disk", text)


def _keys(settings: Settings) -> Findings:
    path = settings.keys_file
    try:
        keyring = _keyring(settings)
        if keyring is None:
            yield ok("keys", "will be made at the first start")
            return
    except (KeyringError, OSError, UnicodeDecodeError) as error:
        yield fail("keys", f"cannot be read: {error}", "Bring keys.json or DAWR_KEYS back from its backup.")
        return
    mode = stat.S_IMODE(path.stat().st_mode) if not settings.keys else 0
    if mode & 0o077:
        yield fail("keys", f"{path} can be read by others (mode {mode:03o})", f"chmod 600 {path}")
    else:
        yield ok("keys", f"{len(keyring.key_ids)}, new values are sealed with number {keyring.primary_id}")


def _keyring(settings: Settings) -> Keyring | None:
    if settings.keys:
        return Keyring.from_setting(settings.keys.get_secret_value())
    return Keyring.from_json(settings.keys_file.read_text("utf-8")) if settings.keys_file.exists() else None


def _tls(settings: Settings) -> Findings:
    if settings.tls_certificate is None or settings.tls_key is None:
        return
    try:
        certificate = x509.load_pem_x509_certificate(settings.tls_certificate.read_bytes())
        key = load_pem_private_key(settings.tls_key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        yield fail(
            "tls", f"cannot be read ({type(error).__name__})", "Both are PEM files, the key without a passphrase."
        )
        return
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    if key.public_key() != certificate.public_key():
        yield fail("tls", "the key is not the certificate's", "Set DAWR_TLS_CERTIFICATE and DAWR_TLS_KEY to a pair.")
    elif left < timedelta():
        yield fail("tls", "the certificate has expired", "Renew it and start Dawr again.")
    elif left < EXPIRY:
        yield warn("tls", f"the certificate expires in {left.days} days", "Renew it and start Dawr again.")
    else:
        yield ok("tls", f"the certificate is good for {left.days} days")
    yield from _private(settings.tls_key)


def _private(path: Path) -> Findings:
    if path.stat().st_mode & 0o007:
        yield warn("tls", f"{path} can be read by everybody", f"chmod o-rwx {path}")


def _addresses(settings: Settings) -> Findings:
    url = settings.url
    if settings.public_url is None and not settings.on_loopback:
        advice = "Set DAWR_PUBLIC_URL to what people open; it is what QR codes and messages show."
        yield warn("public address", f"not set; {url} is assumed", advice)
    elif url.startswith("http://") and not settings.on_loopback:
        advice = "Serve HTTPS: behind a proxy, or with DAWR_TLS_CERTIFICATE and DAWR_TLS_KEY."
        yield warn("public address", f"{url} is not encrypted, and browsers do not keep secure cookies there", advice)
    else:
        yield ok("public address", url)


def _switches(settings: Settings) -> Findings:
    if not settings.rate_limits:
        yield warn("rate limits", "off", "Leave out DAWR_RATE_LIMITS where people are served.")
    if settings.demo and not settings.on_loopback:
        yield warn(
            "demonstration", "its staff can sign in from the network", "Leave out DAWR_DEMO where people are served."
        )


def _database(url: str, settings: Settings) -> Findings:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=3, row_factory=dict_row) as connection:
            yield ok("database", f"PostgreSQL {connection.info.parameter_status('server_version')}")
            if connection.info.server_version // 10000 < OLDEST_SERVER:
                yield fail("database", "its version is too old", f"Dawr needs PostgreSQL {OLDEST_SERVER} or later.")
                return
            for check in (_server_settings, _clock, _role):
                yield from check(connection, settings)
            missing = pending(url)
            if missing:
                yield fail("migrations", f"{len(missing)} missing: {', '.join(missing)}", "Run `dawr migrate`.")
                return
            yield ok("migrations", "none missing")
            for inside in _INSIDE:
                yield from inside(connection, settings)
    except psycopg.OperationalError as error:
        yield fail("database", f"out of reach ({_first_line(error)})", "Start it, or correct DATABASE_URL.")
    except MigrationError as error:
        yield fail("migrations", str(error), "Install the release that made this database, or a later one.")


def _server_settings(connection: Connection, settings: Settings) -> Findings:
    shown = {
        name: _one(connection, f"SHOW {name}")[name]
        for name in ("server_encoding", "fsync", "full_page_writes", "max_connections")
    }
    if shown["server_encoding"] != "UTF8":
        yield fail(
            "database", f"its encoding is {shown['server_encoding']}", "Create the database with ENCODING 'UTF8'."
        )
    for name in ("fsync", "full_page_writes"):
        if shown[name] != "on":
            yield warn("database", f"{name} is off: a power cut can destroy it", f"Set {name} = on in postgresql.conf.")
    room = int(shown["max_connections"])
    if settings.database_pool_size + 10 > room:
        advice = "Raise max_connections, or lower DAWR_DATABASE_POOL_SIZE; each process has a pool of its own."
        yield warn("database", f"{room} connections for a pool of {settings.database_pool_size}", advice)


def _clock(connection: Connection, _: Settings) -> Findings:
    began = datetime.now(UTC)
    there = _one(connection, "SELECT clock_timestamp() AS at")["at"]
    here = began + (datetime.now(UTC) - began) / 2
    apart = abs((there - here).total_seconds())
    if apart > CLOCK_SECONDS:
        advice = "Let both machines take their time from the network (NTP)."
        yield warn("clock", f"{apart:.0f} seconds apart from the database's", advice)
    else:
        yield ok("clock", "agrees with the database's")


def _role(connection: Connection, settings: Settings) -> Findings:
    above = _one(connection, "SELECT rolsuper OR rolbypassrls AS above FROM pg_roles WHERE rolname = current_user")
    if can_take_role(connection):
        yield ok("database role", f"the app works as {APP_ROLE}, which owns nothing")
    elif above["above"]:
        yield fail(
            "database role", f"there is no {APP_ROLE}, and this user stands above row security", "Run `dawr migrate`."
        )
    else:
        grant = f"CREATE ROLE {APP_ROLE} NOLOGIN; GRANT {APP_ROLE} TO {connection.info.user};"
        advice = f"Let an administrator of the server run: {grant}"
        yield warn("database role", "the app works as the owner of its tables", advice + " then run `dawr migrate`.")


_UNSECURED = """
SELECT c.relname AS name FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'facility_id' AND a.attnum > 0
JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary AND i.indkey[0] = a.attnum
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1
"""


def _row_security(connection: Connection, _: Settings) -> Findings:
    bare = [row["name"] for row in connection.execute(_UNSECURED)]
    if bare:
        advice = "Somebody changed them by hand: ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY."
        yield fail("row security", f"not forced on {', '.join(bare)}", advice)
    else:
        yield ok("row security", "forced on every facility's tables")


def _same_keys(connection: Connection, settings: Settings) -> Findings:
    known = connection.execute(keyguard.KNOWN).fetchone()
    try:
        keyring = _keyring(settings)
    except (KeyringError, OSError, UnicodeDecodeError):
        return
    if known and not (keyring and keyguard.fits(keyring, known)):
        advice = "Put keys.json (or DAWR_KEYS) back from its copy; what these keys sealed is lost without them."
        yield fail("keys", "are not those this database was written with", advice)


def _worker(connection: Connection, _: Settings) -> Findings:
    since = "SELECT extract(epoch FROM clock_timestamp() - max(ended_at))::float AS silent FROM job_tick"
    silent = _one(connection, since)["silent"]
    if silent is None or silent > SILENT_SECONDS:
        yield warn(
            "background work",
            "nothing has run for a minute",
            "Start `dawr serve`, or `dawr worker` with DAWR_WORKER=off.",
        )
    else:
        yield ok("background work", f"ran {silent:.0f} seconds ago")
    dead = _one(connection, "SELECT count(*) AS dead FROM outbox WHERE dead_at IS NOT NULL")["dead"]
    if dead:
        advice = "Look at last_error in the table outbox; set dead_at to NULL to have a row tried again."
        yield warn("background work", f"{dead} pieces of work failed for a day and were given up", advice)


def _statistics(connection: Connection, _: Settings) -> Findings:
    unseen = [
        row["relname"]
        for row in connection.execute(
            "SELECT relname FROM pg_stat_user_tables WHERE n_live_tup > 5000"
            " AND last_analyze IS NULL AND last_autoanalyze IS NULL ORDER BY 1"
        )
    ]
    if unseen:
        yield warn("statistics", f"none about {', '.join(unseen)}", "Run ANALYZE, and see that autovacuum is on.")


_INSIDE: tuple[Callable[[Connection, Settings], Findings], ...] = (
    _row_security,
    _same_keys,
    _worker,
    _statistics,
)


def _one(connection: Connection, query: str) -> dict[str, Any]:
    found = connection.execute(query).fetchone()
    assert found is not None
    return found


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
