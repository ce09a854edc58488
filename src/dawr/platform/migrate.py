"""Brings a database to the schema of this release, whoever else tries the same at the same time.

The revisions are Alembic's, in ``migrations/versions``: each a few lines of Python beside the SQL file they run. A file is
frozen once it was released; ``tests/house/test_schema.py`` holds that all of them together give what the code declares.

The app works under the role ``dawr_app``, which owns nothing. It is made here. Where the server gives no right to make
roles, the app works as the owner of the tables, whom row-level security, being forced, binds just as well; what is lost is
the second wall: the owner can read the ``directory`` past its functions and could alter tables.
"""

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg.rows import tuple_row
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

from dawr.platform import schema
from dawr.platform.events import begin_epoch
from dawr.platform.logging import get_logger
from dawr.platform.schema import APP_ROLE

FOLDER = Path(__file__).parent / "migrations"
OLDEST_SERVER = 15
_LOCK = 0x64617772  # "dawr"
_GRANT = re.compile(rf"^GRANT [^;]* TO {APP_ROLE};\n?", re.MULTILINE)
_SEED = "INSERT INTO log_epoch DEFAULT VALUES"

# The same role serves every database of a cluster, so another one's migration may make it at this moment.
_MAKE_ROLE = f"""
DO $$ BEGIN
    CREATE ROLE {APP_ROLE} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""

log = get_logger(__name__)
PgConnection = psycopg.Connection[tuple[Any, ...]]


class MigrationError(Exception):
    """The database cannot be brought to this release's schema; the message is for the person at the console."""


def migrate(url: str) -> list[str]:
    """Applies what is missing; the names of the revisions it applied. Safe to run twice and from several processes.

    ``url`` must reach the server itself, not a transaction pooler: a lock is held for the session. A server that cannot be
    reached is ``psycopg.OperationalError``.
    """
    applied: list[str] = []
    with _connected(url) as connection, _locked(connection):
        with_role = prepare_role(connection)
        if _missing(connection):
            _upgrade(url, applied)
            log.info("migrated", revisions=applied)
        if with_role:
            _grant_anew(connection)
        begin_epoch(connection)
    return applied


def pending(url: str) -> list[str]:
    """The revisions that ``migrate`` would apply, the first first."""
    with _connected(url) as connection:
        return _missing(connection)


def build_fresh(url: str) -> None:
    """Gives an empty database the schema as the code declares it, for tests: every store has been imported before."""
    with psycopg.connect(url) as connection:
        with_role = prepare_role(connection)
        _execute(connection, _joined(schema.statements()), with_role=with_role)
        _execute(connection, _text("0001_jobs.sql"), with_role=with_role)
        connection.execute(_SEED)


def freeze(name: str) -> Path:
    """Writes the whole declared schema to ``migrations/versions/NAME.sql``, for a first revision."""
    path = FOLDER / "versions" / f"{name}.sql"
    path.write_text(_joined(schema.statements()), encoding="utf-8")
    return path


def run_file(connection: Connection, name: str) -> None:
    """For revisions: runs a SQL file that lies beside them, in the revision's transaction."""
    driver: PgConnection = connection.connection.driver_connection  # type: ignore[assignment]
    _execute(driver, _text(name), with_role=can_take_role(driver))


def prepare_role(connection: PgConnection) -> bool:
    """Makes the app's role and lets the present user take it; whether that user now can."""
    if can_take_role(connection):
        return True
    try:
        with connection.transaction():
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone():
                connection.execute(_MAKE_ROLE)
            if not can_take_role(connection):
                connection.execute(f"GRANT {APP_ROLE} TO current_user")
    except psycopg.errors.InsufficientPrivilege:
        log.warning("database_role_not_made", role=APP_ROLE, consequence="the app works as the owner of its tables")
    return can_take_role(connection)


def can_take_role(connection: psycopg.Connection[Any]) -> bool:
    """Whether the role is there and ``SET ROLE`` to it is allowed (from version 16 on a right apart from membership)."""
    right = "SET" if connection.info.server_version >= 160000 else "MEMBER"
    cursor = connection.cursor(row_factory=tuple_row)
    found = cursor.execute("SELECT pg_has_role(oid, %s) FROM pg_roles WHERE rolname = %s", [right, APP_ROLE]).fetchone()
    return bool(found and found[0])


@contextlib.contextmanager
def _connected(url: str) -> Iterator[PgConnection]:
    with psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="dawr migrate") as connection:
        version = connection.info.server_version // 10000
        if version < OLDEST_SERVER:
            raise MigrationError(f"This is PostgreSQL {version}; Dawr needs {OLDEST_SERVER} or later.")
        yield connection


@contextlib.contextmanager
def _locked(connection: PgConnection) -> Iterator[None]:
    """The lock is the session's; it ends with the connection at the latest."""
    taken = connection.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()
    if not (taken and taken[0]):
        log.info("migration_waits", reason="another process is migrating this database")
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    try:
        yield
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _missing(connection: PgConnection) -> list[str]:
    script = ScriptDirectory.from_config(_config())
    known = [revision.revision for revision in reversed(list(script.walk_revisions()))]
    begun = connection.execute("SELECT to_regclass('public.alembic_version') IS NOT NULL").fetchone()
    at = connection.execute("SELECT version_num FROM alembic_version").fetchone() if begun and begun[0] else None
    if at is None:
        return known
    if at[0] not in known:
        raise MigrationError(f"The database is at revision {at[0]}, which this release does not know: it is too old.")
    return known[known.index(at[0]) + 1 :]


def _upgrade(url: str, applied: list[str]) -> None:
    logging.getLogger("alembic").setLevel(logging.WARNING)
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url), poolclass=NullPool)
    config = _config()
    try:
        with engine.connect() as connection:
            config.attributes.update(connection=connection, applied=applied)
            command.upgrade(config, "head")
            connection.commit()
    except (psycopg.errors.InsufficientPrivilege, ProgrammingError) as error:
        cause = error.orig if isinstance(error, ProgrammingError) else error
        if not isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise
        sentence = f"The database's user lacks a right ({cause.diag.message_primary}); make it the database's owner."
        raise MigrationError(sentence) from error


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _grant_anew(connection: PgConnection) -> None:
    """Where the role could be made only after the tables: gives it what the revisions would have given it."""
    found = connection.execute(f"SELECT has_schema_privilege('{APP_ROLE}', 'directory', 'USAGE')").fetchone()
    if found and found[0]:
        return
    for path in sorted((FOLDER / "versions").glob("*.sql")):
        for statement in _GRANT.findall(path.read_text(encoding="utf-8")):
            connection.execute(statement)


def _execute(connection: PgConnection, text: str, *, with_role: bool) -> None:
    """Without parameters psycopg sends the text as it stands, several statements in one trip."""
    connection.execute((text if with_role else _GRANT.sub("", text)).encode())


def _text(name: str) -> str:
    return (FOLDER / "versions" / name).read_text(encoding="utf-8")


def _joined(statements: list[str]) -> str:
    return ";\n\n".join(statements) + ";\n"
