"""Old sessions go; what somebody may still ask about stays."""

from datetime import timedelta
from uuid import UUID

import psycopg

from dawr.accounts import commands
from dawr.accounts.jobs import purge_sessions
from tests.accounts.conftest import Staff


async def sessions(staff: Staff, account_id: UUID) -> int:
    """How many rows there are of an account's sessions, as the tables' owner sees it."""
    async with await psycopg.AsyncConnection.connect(staff.services.db.url) as connection:
        statement = "SELECT count(*) FROM directory.session WHERE account_id = %s"
        row = await (await connection.execute(statement, [account_id])).fetchone()
    assert row is not None
    return int(row[0])


async def test_sessions_are_forgotten_three_months_after_their_end(staff: Staff) -> None:
    ada = await staff.ada()
    ended, silent = await staff.sign_in("ada"), await staff.sign_in("ada")
    await commands.sign_out(staff.services, ended.session_id)
    staff.house.clock.offset += timedelta(days=89)
    await purge_sessions(staff.services)
    assert await sessions(staff, ada) == 2
    staff.house.clock.offset += timedelta(days=2)
    await purge_sessions(staff.services)
    assert await sessions(staff, ada) == 1
    staff.house.clock.offset += timedelta(days=30)
    await purge_sessions(staff.services)
    assert await sessions(staff, ada) == 0
    assert silent.session_id != ended.session_id
