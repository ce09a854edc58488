"""What the database itself says of who sees whose rows: asked of the catalogues, not of the declarations."""

import psycopg
import pytest

import dawr.cli  # noqa: F401 - every slice declares its tables
from dawr.platform.schema import APP_ROLE
from tests.conftest import new_database

OPEN = {f"public.{one}" for one in ("installation", "job_tick", "key_holder", "log_epoch", "outbox", "rate_limit")}
"""What the app may touch without a facility; each says why where it is declared. One more here is decided, not overlooked."""
JOBS = "public.procrastinate_"
"""The job library's own tables, in which nothing of a facility is kept."""

# Views and foreign tables, too: a view reads with its owner's rights.
_TOUCHABLE = """
SELECT n.nspname || '.' || c.relname, c.relrowsecurity AND c.relforcerowsecurity,
       EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'facility_id' AND a.attnotnull)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND (has_table_privilege(%(app)s, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(%(app)s, c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'))
"""
_POWERS = """
SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication,
       (SELECT count(*) FROM pg_auth_members WHERE member = r.oid),
       (SELECT count(*) FROM pg_class WHERE relowner = r.oid) + (SELECT count(*) FROM pg_proc WHERE proowner = r.oid)
FROM pg_roles r WHERE rolname = %(app)s
"""
_AROUND = """
SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'directory')
  AND has_function_privilege(%(app)s, p.oid, 'EXECUTE')
"""


@pytest.fixture(scope="module")
def fresh(server_url: str) -> str:
    return new_database(server_url)


def asked(url: str, question: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as owner:
        return owner.execute(question, {"app": APP_ROLE}).fetchall()


def test_whatever_the_app_can_touch_is_behind_the_wall_or_listed(fresh: str) -> None:
    found = asked(fresh, _TOUCHABLE)
    assert {name for name, forced, _ in found if not forced and not str(name).startswith(JOBS)} == OPEN
    assert [name for name, forced, of_facility in found if forced and not of_facility] == []
    assert len(found) > 40


def test_the_app_s_role_cannot_step_over_it(fresh: str) -> None:
    assert asked(fresh, _POWERS) == [(False, 0, 0)]


def test_nothing_but_the_directory_s_functions_reads_with_other_rights(fresh: str) -> None:
    assert asked(fresh, _AROUND) == []
