"""The keys belong to the database: with others, what is sealed could not be read and printed secrets would open nothing.

The first start leaves a code that only the holder of the keys can make; every later start checks it, so that a lost
``keys.json``, replaced by fresh keys without a word, is noticed before anything is written with them.

Every process that runs on says which keys it holds, again and again: a key that one of them does not know may not seal what is
stored yet, and one that a process still seals with may not go.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, Column, DateTime, Integer, LargeBinary, SmallInteger, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY

from dawr.platform.crypto import Keyring, KeyringError
from dawr.platform.db import Database
from dawr.platform.errors import Unavailable
from dawr.platform.schema import global_table

BEAT_SECONDS = 15.0
LIVES_SECONDS = 60
"""A process that has not been heard of for so long is not running any more."""

installation = global_table(
    "installation",
    Column("id", SmallInteger, primary_key=True, server_default=text("1")),
    Column("key_id", SmallInteger, nullable=False),
    Column("code", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="only_one"),
    reason="one row an installation: which keys its database was written with",
    grants="SELECT, INSERT",
)

key_holder = global_table(
    "key_holder",
    Column("process", Uuid, primary_key=True),
    Column("key_ids", ARRAY(Integer), nullable=False),
    Column("primary_id", Integer, nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    reason="one row a running process of the installation: which keys it holds",
)

_BEAT = """
INSERT INTO key_holder (process, key_ids, primary_id, seen_at)
VALUES (%(process)s, %(key_ids)s, %(primary_id)s, clock_timestamp())
ON CONFLICT (process) DO UPDATE SET seen_at = clock_timestamp()
"""
_SWEEP = "DELETE FROM key_holder WHERE seen_at < clock_timestamp() - interval '1 day'"
_LEAVE = "DELETE FROM key_holder WHERE process = %(process)s"
HOLDERS_WITHOUT = f"""
SELECT count(*) FROM key_holder
WHERE seen_at > clock_timestamp() - interval '{LIVES_SECONDS} seconds' AND NOT %(key)s = ANY(key_ids)
"""  # noqa: S608
HOLDERS_SEALING_WITH = f"""
SELECT count(*) FROM key_holder
WHERE seen_at > clock_timestamp() - interval '{LIVES_SECONDS} seconds' AND primary_id = %(key)s
"""  # noqa: S608
_REMEMBER = "INSERT INTO installation (key_id, code) VALUES (%(key_id)s, %(code)s) ON CONFLICT DO NOTHING"
KNOWN = "SELECT key_id, code FROM installation"
_PURPOSE, _MESSAGE = "installation", b"dawr"


class OtherKeys(KeyringError):
    """The keyring is not the one this database was written with."""

    def __init__(self) -> None:
        super().__init__(
            "These are not the keys this database was written with. Put the right keys.json (or DAWR_KEYS) back from its copy; "
            "with other keys, names and phones could not be read and no ticket's address would open."
        )


async def require_same_keys(db: Database, keyring: Keyring) -> None:
    """Remembers the keys at the first start; ``OtherKeys`` at a later one with others."""
    async with db.write() as tx:
        key_id, code = code_of(keyring)
        await tx.execute(_REMEMBER, key_id=key_id, code=code)
        known = await tx.row(KNOWN)
    assert known is not None
    if not fits(keyring, known):
        raise OtherKeys


@asynccontextmanager
async def holding_keys(db: Database, keyring: Keyring) -> AsyncIterator[None]:
    """This process runs on with these keys. It says so before it looks whether they are the right ones: whoever changes keys
    meanwhile either sees it, or is seen by it."""
    process = uuid4()
    await _beat(db, keyring, process)
    task = asyncio.create_task(_beating(db, keyring, process), name="key holder")
    try:
        await require_same_keys(db, keyring)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            async with db.write() as tx:
                await tx.execute(_LEAVE, process=process)


async def _beating(db: Database, keyring: Keyring, process: UUID) -> None:
    while True:
        await asyncio.sleep(BEAT_SECONDS)
        with contextlib.suppress(Unavailable):
            await _beat(db, keyring, process)


async def _beat(db: Database, keyring: Keyring, process: UUID) -> None:
    async with db.write() as tx:
        await tx.execute(_SWEEP)
        await tx.execute(_BEAT, process=process, key_ids=list(keyring.key_ids), primary_id=keyring.primary_id)


def code_of(keyring: Keyring) -> tuple[int, bytes]:
    """The primary key's id and the code by which a database knows its keys."""
    return keyring.mac(_PURPOSE, _MESSAGE)


def fits(keyring: Keyring, known: Mapping[str, Any]) -> bool:
    """Whether these are the keys of the row that ``KNOWN`` finds."""
    return keyring.verify_mac(_PURPOSE, _MESSAGE, known["key_id"], bytes(known["code"]))
