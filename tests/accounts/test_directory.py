"""Logins and sessions are out of the app's reach but for the functions, and those give away little."""

from uuid import UUID

import psycopg
import pytest

from dawr.accounts import queries
from dawr.accounts.rules import SessionKind
from dawr.platform.services import Services
from tests.accounts.conftest import Staff, by_token
from tests.conftest import PASSWORD

TABLES = ("account", "account_facility", "session")


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM directory.{}",
        "SELECT count(*) FROM directory.{}",
        "DELETE FROM directory.{}",
        "TRUNCATE directory.{}",
    ],
)
async def test_the_app_cannot_touch_the_tables(services: Services, table: str, statement: str) -> None:
    async with services.db.write() as tx:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await tx.execute(statement.format(table))


async def test_it_cannot_write_past_the_functions_either(staff: Staff) -> None:
    account_id = await staff.ada()
    async with staff.services.db.write() as tx:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await tx.execute("UPDATE directory.account SET operator = true WHERE account_id = %(id)s", id=account_id)


async def test_only_the_function_for_signing_in_gives_a_hash(staff: Staff) -> None:
    async with staff.services.db.read() as tx:
        rows = await tx.rows(
            "SELECT p.proname AS name, pg_get_function_result(p.oid) AS result, p.prosecdef AS definer,"
            " p.proconfig::text AS config, has_function_privilege('public', p.oid, 'EXECUTE') AS open"
            " FROM pg_proc p WHERE p.pronamespace = 'directory'::regnamespace"
            " AND (p.proname LIKE 'account%%' OR p.proname LIKE 'session%%')"
        )
    assert len(rows) == 16
    assert [row["name"] for row in rows if "hash" in row["result"]] == ["account_login"]
    assert all(row["definer"] and "pg_temp" in row["config"] and not row["open"] for row in rows)


async def test_memberships_of_another_facility_are_not_there(staff: Staff, elsewhere: Staff) -> None:
    await staff.dana()
    async with staff.services.db.write(elsewhere.house.facility.id) as tx:
        assert await tx.value("SELECT count(*) FROM membership") == 0
        assert await tx.value("SELECT count(*) FROM membership_clinic") == 0
        assert await tx.execute("UPDATE membership SET role = 'administrator'") == 0
    async with staff.services.db.read(staff.house.facility.id) as tx:
        assert await tx.value("SELECT count(*) FROM membership") == 1
    async with staff.services.db.read() as tx:
        assert await tx.value("SELECT count(*) FROM membership") == 0


async def test_no_row_can_be_put_into_another_facility(staff: Staff, elsewhere: Staff) -> None:
    account_id = await staff.ada()
    statement = (
        "INSERT INTO membership (facility_id, account_id, role, created_at, version)"
        " VALUES (%(other)s, %(account_id)s, 'administrator', now(), 1)"
    )
    async with staff.services.db.write(staff.house.facility.id) as tx:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await tx.execute(statement, other=elsewhere.house.facility.id, account_id=account_id)


async def test_a_link_is_made_only_for_the_transactions_own_facility(staff: Staff, elsewhere: Staff) -> None:
    account_id = await staff.ada()
    async with staff.services.db.write() as tx:
        with pytest.raises(psycopg.errors.NotNullViolation):
            await tx.row("SELECT directory.account_link(%(id)s, true, now())", id=account_id)
    async with staff.services.db.write(elsewhere.house.facility.id) as tx:
        await tx.row("SELECT directory.account_link(%(id)s, true, now())", id=account_id)
    # And a link without a row there gives nothing.
    identity = await by_token(staff.services, await staff.sign_in("ada"))
    assert elsewhere.house.facility.id in identity.facilities
    assert await queries.actor_in(staff.services, identity, elsewhere.house.facility.id) is None


async def test_nothing_readable_is_stored(staff: Staff) -> None:
    account_id = await staff.ada()
    signed_in = await staff.sign_in("ada", kind=SessionKind.COOKIE)
    stored = await _everything(staff.services, account_id)
    for secret in ("ada@", "Ada", PASSWORD, signed_in.secret, signed_in.secret[22:], "192.0.2"):
        assert secret.encode() not in stored
        assert secret.encode().hex().encode() not in stored


async def _everything(services: Services, account_id: UUID) -> bytes:
    """All that the directory has of an account, as its owner sees it."""
    parts = []
    async with await psycopg.AsyncConnection.connect(services.db.url) as connection:
        for table in TABLES:
            statement = f"SELECT t::text FROM directory.{table} t WHERE account_id = %s"
            parts += [row[0] for row in await (await connection.execute(statement, [account_id])).fetchall()]
    assert len(parts) == 3
    return "\n".join(parts).encode()
