"""Transactions on real connections: what one of them leaves behind must not reach the next."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from psycopg.errors import DivisionByZero, UniqueViolation

from dawr.platform.clock import SystemClock
from dawr.platform.db import Database
from dawr.platform.metrics import Metrics

_ASKED = "SELECT %(number)s::int AS number"
_KEEP = "INSERT INTO kept VALUES (%(number)s)"


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """Few connections, so that whatever is left on one is met again."""
    made = Database(database_url, clock=SystemClock(), metrics=Metrics(), size=2)
    await made.open()
    yield made
    await made.close()


async def refused(db: Database, then: str) -> None:
    """One trip whose first statement is refused, so that the second is never looked at."""
    async with db.write() as tx:
        async with tx.one_trip():
            await tx.execute_many("SELECT 1 / 0", [{}])
            await tx.execute(then, number=1)


async def given_up(db: Database) -> None:
    async with db.write():
        raise ValueError("nothing")


@pytest.mark.parametrize("before", range(5))
async def test_a_trip_that_was_refused_leaves_the_connection_as_it_was(db: Database, before: int) -> None:
    """Whenever it happens on the way to the statement's being prepared by the driver."""
    for _ in range(4):
        with pytest.raises(ValueError, match="nothing"):
            await given_up(db)
    for n in range(24):
        if n >= before:
            with pytest.raises(DivisionByZero):
                await refused(db, _ASKED)
        # Twice: connections are lent in turns, and none shall have the refusals only.
        for _ in range(2):
            async with db.write() as tx:
                assert await tx.value(_ASKED, number=n) == n


async def test_several_questions_go_in_one_trip_and_each_has_its_answer(db: Database) -> None:
    async with db.read() as tx:
        async with tx.one_trip():
            asked = [await tx.asked(_ASKED, number=n) for n in range(5)]
            rows = [await one.fetchone() for one in asked]
    assert [row["number"] for row in rows if row] == [0, 1, 2, 3, 4]


async def kept(db: Database) -> list[int]:
    async with db.read() as tx:
        return [row["number"] for row in await tx.rows("SELECT number FROM kept ORDER BY number")]


@pytest.fixture
async def keeping(db: Database) -> AsyncIterator[Database]:
    """With a table of its own, in which a number stands once."""
    async with db.write() as tx:
        await tx.execute("RESET ROLE")
        await tx.execute("CREATE TABLE kept (number integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
        await tx.execute("GRANT SELECT, INSERT ON kept TO dawr_app")
    yield db
    async with db.write() as tx:
        await tx.execute("RESET ROLE")
        await tx.execute("DROP TABLE kept")


async def test_the_last_trip_ends_with_the_commit(keeping: Database) -> None:
    told: list[object] = []
    keeping.on_commit.append(told.append)
    async with keeping.write() as tx:
        async with tx.last_trip():
            await tx.execute(_KEEP, number=1)
            await tx.execute(_KEEP, number=2)
            tx.touched.add((UUID(int=1), "queue:lab"))
        assert await kept(keeping) == [1, 2]
        assert told == []
    assert told == [{(UUID(int=1), "queue:lab")}]


async def test_of_a_last_trip_that_fails_nothing_stays(keeping: Database) -> None:
    for _ in range(8):
        with pytest.raises(DivisionByZero):
            await ended_with(keeping, "SELECT 1 / 0")
        assert await kept(keeping) == []


async def test_where_the_commit_itself_is_refused_nothing_stays(keeping: Database) -> None:
    for _ in range(8):
        with pytest.raises(UniqueViolation):
            await ended_with(keeping, "INSERT INTO kept VALUES (1)")
        assert await kept(keeping) == []


async def test_a_last_trip_whose_block_fails_commits_nothing(keeping: Database) -> None:
    for _ in range(8):
        with pytest.raises(ValueError, match="nothing"):
            await broken_off(keeping)
        assert await kept(keeping) == []


async def ended_with(db: Database, statement: str) -> None:
    async with db.write() as tx, tx.last_trip():
        await tx.execute(_KEEP, number=1)
        await tx.execute(statement)


async def broken_off(db: Database) -> None:
    async with db.write() as tx, tx.last_trip():
        await tx.execute(_KEEP, number=1)
        raise ValueError("nothing")
