"""The database: what the migrations make is what the code declares, and no facility's table is left open."""

import psycopg
import pytest

import dawr.app  # noqa: F401 - every slice declares its tables
from dawr.platform.migrate import migrate
from dawr.platform.schema import metadata
from tests.conftest import new_database
from tests.platform import servers

# What a person could tell apart in the catalogues, each as rows that do not depend on when it was made.
CATALOGUES = {
    "relations": """
        SELECT n.nspname, c.relname, c.relkind::text, c.relpersistence::text, c.relrowsecurity, c.relforcerowsecurity,
               c.reloptions, c.relacl::text
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {ours} ORDER BY 1, 2""",
    "columns": """
        SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
               a.attgenerated::text, pg_get_expr(d.adbin, d.adrelid), a.attacl::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE {ours} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, 2, 3""",
    "constraints": """
        SELECT n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {ours} ORDER BY 1, 2, 3""",
    "indexes": """
        SELECT n.nspname, c.relname, pg_get_indexdef(i.indexrelid), i.indisunique, i.indisvalid
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {ours} ORDER BY 1, 2, 3""",
    "policies": """
        SELECT schemaname, tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies
        ORDER BY 1, 2, 3""",
    "triggers": """
        SELECT c.relname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal ORDER BY 1, 2""",
    "functions": """
        SELECT n.nspname, p.proname, pg_get_functiondef(p.oid), p.proacl::text FROM pg_proc p
        JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('public', 'directory') AND p.prokind = 'f'
        ORDER BY 1, 2, 3""",
    "types": """
        SELECT n.nspname, t.typname, array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_type t
        JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY 1, 2 ORDER BY 1, 2""",
    "schemas": "SELECT nspname, nspacl::text FROM pg_namespace WHERE nspname IN ('public', 'directory') ORDER BY 1",
    "settings": "SELECT setdatabase <> 0, setconfig FROM pg_db_role_setting WHERE setdatabase = 0",
}
OURS = "n.nspname IN ('public', 'directory') AND c.relname NOT LIKE 'alembic%%'"


def described(url: str, catalogue: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(CATALOGUES[catalogue].format(ours=OURS).replace("%%", "%")).fetchall()


@pytest.fixture(scope="module")
def fresh(server_url: str) -> str:
    return new_database(server_url)


@pytest.fixture(scope="module")
def migrated(server_url: str) -> str:
    url = servers.database(server_url, "migrated")
    migrate(url)
    return url


@pytest.mark.parametrize("catalogue", CATALOGUES)
def test_the_migrations_make_what_the_code_declares(fresh: str, migrated: str, catalogue: str) -> None:
    declared, made = described(fresh, catalogue), described(migrated, catalogue)
    advice = "declare it in a revision under platform/migrations/versions (dawr freeze NAME for one never released)"
    assert sorted(map(str, set(map(str, declared)) ^ set(map(str, made)))) == [], advice
    assert len(declared) == len(made)


def test_the_comparison_sees_something(migrated: str) -> None:
    for catalogue in CATALOGUES.keys() - {"settings"}:
        assert described(migrated, catalogue), catalogue


def test_row_security_is_forced_on_every_facility_table(migrated: str) -> None:
    scopes = {(table.schema or "public", table.name): table.info["scope"] for table in metadata.tables.values()}
    relations = {row[:2]: row[4:6] for row in described(migrated, "relations") if row[2] == "r"}
    open_ones = [name for name, scope in scopes.items() if scope == "facility" and relations[name] != (True, True)]
    assert open_ones == []
    policed = {row[:2]: row[5:] for row in described(migrated, "policies")}
    right = "(facility_id = (NULLIF(current_setting('dawr.facility'::text, true), ''::text))::uuid)"
    assert {name for name, scope in scopes.items() if scope == "facility"} == set(policed)
    assert set(policed.values()) == {("ALL", right, right)}


def test_a_facility_table_s_key_begins_with_the_facility() -> None:
    keys = {
        table.name: list(table.primary_key.columns.keys()) for table in metadata.tables.values() if of_facility(table)
    }
    assert [name for name, key in keys.items() if key[0] != "facility_id"] == []


def of_facility(table: object) -> bool:
    return getattr(table, "info", {}).get("scope") == "facility"


def test_references_between_facility_tables_stay_inside_the_facility() -> None:
    wrong = [
        f"{table.name}: {constraint.column_keys}"
        for table in metadata.tables.values()
        if of_facility(table)
        for constraint in table.foreign_key_constraints
        if of_facility(constraint.referred_table) and constraint.column_keys[0] != "facility_id"
    ]
    assert wrong == []


def test_every_other_table_says_why_it_may_be_one() -> None:
    others = [table for table in metadata.tables.values() if not of_facility(table)]
    assert [table.name for table in others if len(table.info.get("reason", "")) < 20] == []


def test_no_table_is_in_the_database_that_the_code_does_not_know(migrated: str) -> None:
    known = {(table.schema or "public", table.name) for table in metadata.tables.values()}
    found = {row[:2] for row in described(migrated, "relations") if row[2] == "r"}
    assert {name for name in found - known if not str(name[1]).startswith("procrastinate_")} == set()


def test_the_app_s_role_reaches_the_directory_through_functions_alone(migrated: str) -> None:
    with psycopg.connect(migrated) as connection:
        readable = connection.execute(
            "SELECT c.relname FROM pg_class c WHERE relnamespace = 'directory'::regnamespace AND relkind = 'r'"
            " AND has_table_privilege('dawr_app', c.oid, 'SELECT, INSERT, UPDATE, DELETE')"
        ).fetchall()
        loose = connection.execute(
            "SELECT p.proname FROM pg_proc p WHERE pronamespace = 'directory'::regnamespace AND (NOT prosecdef OR"
            " NOT coalesce(array_to_string(proconfig, ',') LIKE 'search_path=%', false)"
            " OR has_function_privilege('public', p.oid, 'EXECUTE'))"
        ).fetchall()
    assert (readable, loose) == ([], [])
