import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from dawr.platform.embedded_postgres import EmbeddedPostgres
from dawr.platform.migrate import MigrationError, can_take_role, migrate, pending
from tests.platform import servers

OLDEST = Path("/usr/lib/postgresql/15/bin")
ALL = ["0001_ground"]


@pytest.fixture(
    scope="module",
    params=[
        None,
        pytest.param(OLDEST, marks=pytest.mark.skipif(not OLDEST.exists(), reason="PostgreSQL 15 is not here")),
    ],
    ids=["embedded", "oldest"],
)
def postgres(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostgres]:
    with servers.server(request.param) as started:
        yield started


@pytest.fixture
def url(postgres: EmbeddedPostgres) -> str:
    return servers.database(postgres.url, "fresh")


def user(postgres: EmbeddedPostgres, name: str, *, database: bool = True) -> str:
    """The URL of a fresh database for somebody who is no superuser and may not make roles."""
    url = servers.database(postgres.url, name)
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
        if database:
            connection.execute(f"ALTER DATABASE {name} OWNER TO {name}")
    return re.sub("//.*@", f"//{name}:x@", url)


def revisions(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT version_num FROM alembic_version")]


def test_an_empty_database_gets_everything_once(url: str) -> None:
    assert pending(url) == ALL
    assert migrate(url) == ALL
    assert pending(url) == []
    assert migrate(url) == []
    assert revisions(url) == ALL[-1:]
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM log_epoch").fetchone() == (1,)


def test_several_processes_at_once_migrate_once(url: str, pytestconfig: pytest.Config) -> None:
    code = "import sys; from dawr.platform.migrate import migrate; print(*migrate(sys.argv[1]))"
    command = [sys.executable, "-c", code, url]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ended = [(one.communicate(timeout=60), one.returncode) for one in started]
    assert [code for _, code in ended] == [0] * 4, [said for said, _ in ended]
    assert sorted(output.strip() for (output, _), _ in ended) == ["", "", "", *ALL]


def test_the_app_works_under_a_role_that_owns_nothing(url: str) -> None:
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute("SET ROLE dawr_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DROP TABLE counter")
        connection.rollback()
        owned = "SELECT count(*) FROM pg_class JOIN pg_roles r ON r.oid = relowner WHERE rolname = 'dawr_app'"
        assert connection.execute(owned).fetchone() == (0,)


def test_a_server_that_gives_no_right_to_make_roles(postgres: EmbeddedPostgres) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        for name in [row[0] for row in connection.execute("SELECT datname FROM pg_database WHERE datname = 'fresh'")]:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute("DROP ROLE IF EXISTS dawr_app")
    url = user(postgres, "modest")
    assert migrate(url) == ALL
    with psycopg.connect(url) as connection:
        assert not can_take_role(connection)
        assert seen_of_two_facilities(connection) == 1

    # The server's administrator makes the role after all.
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE ROLE dawr_app NOLOGIN")
        connection.execute("GRANT dawr_app TO modest")
    assert migrate(url) == []
    with psycopg.connect(url) as connection:
        assert can_take_role(connection)
        connection.execute("SET ROLE dawr_app")
        assert seen_of_two_facilities(connection) == 1


def seen_of_two_facilities(connection: psycopg.Connection[tuple[object, ...]]) -> object:
    """A counter in each of two facilities; how many of the counters the second one sees."""
    for _ in range(2):
        facility = str(uuid4())
        connection.execute("SELECT set_config('dawr.facility', %s, true)", [facility])
        connection.execute("INSERT INTO counter VALUES (%s, 'ticket', 'lab', current_date, 1, 1)", [facility])
    found = connection.execute("SELECT count(*) FROM counter").fetchone()
    connection.rollback()
    assert found
    return found[0]


def test_a_user_who_may_not_make_tables_is_told_so(postgres: EmbeddedPostgres) -> None:
    url = user(postgres, "guest", database=False)
    with pytest.raises(MigrationError, match="lacks a right"):
        migrate(url)
    assert pending(url) == ALL


def test_a_database_of_a_later_release_is_left_alone(url: str) -> None:
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999_later'")
    with pytest.raises(MigrationError, match="9999_later"):
        migrate(url)
    assert revisions(url) == ["9999_later"]


def test_a_server_out_of_reach_is_told_by_the_driver() -> None:
    with pytest.raises(psycopg.OperationalError):
        migrate("postgresql://dawr@127.0.0.1:1/dawr")
