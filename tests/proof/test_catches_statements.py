"""What a refusal by the database leaves behind on the connection that met it."""

import asyncio
from pathlib import Path
from uuid import UUID

import pytest
from psycopg.errors import UniqueViolation

from dawr.platform.db import Database
from tests.conftest import House, make_services

_CLAIM = """
INSERT INTO idempotency_claim (facility_id, caller, key, key_id, fingerprint, at)
VALUES (%(facility_id)s, 'x', 'the key', 1, 'x', now())
"""
_OTHER = "UPDATE queue SET series = series WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s"
OFTEN = 12


class LostError(Exception):
    """Takes back the first transaction of a connection."""


@pytest.mark.parametrize("before", range(OFTEN))
async def test_a_refusal_leaves_no_connection_behind_that_fails(
    house: House, database_url: str, tmp_path: Path, before: int
) -> None:
    """The statement that came after the refused one, in the same trip, can be run again, however often it ran before."""
    services = make_services(database_url, tmp_path)
    db = Database(database_url, clock=services.clock, metrics=services.metrics, size=2)
    facility = house.facility.id
    await db.open()
    async with db.pool.connection():  # one of the two: all that follows happens on the other
        with pytest.raises(LostError):
            await _lost(db, facility)
        for _ in range(before):
            await _other(db, facility)
        async with house.services.db.write(facility) as elsewhere:
            await elsewhere.execute(_CLAIM)
            refused = asyncio.create_task(_in_one_transaction(db, facility))
            while not await elsewhere.value("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.005)
        with pytest.raises(UniqueViolation):
            await refused
        for _ in range(3):
            await _other(db, facility)
    await db.close()


async def _lost(db: Database, facility: UUID) -> None:
    async with db.write(facility):
        raise LostError


async def _other(db: Database, facility: UUID) -> None:
    async with db.write(facility) as tx:
        await tx.execute(_OTHER, clinic="lab")


async def _in_one_transaction(db: Database, facility: UUID) -> None:
    async with db.write(facility) as tx:
        async with tx.one_trip():
            await tx.execute(_CLAIM)
            await tx.execute(_OTHER, clinic="lab")
