"""The same request twice is one change: a client's key, claimed first, inside the transaction that makes the change.

The claim keeps no body: a keyed hash of method, path and body says whether it is the same request, and ``record`` with a
small ``note`` (ids, flags) lets the answer be given again. A transaction that fails takes its claim with it, so the key is
free; two at once wait for each other on the primary key.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb
from sqlalchemy import Column, DateTime, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB

from dawr.platform.db import Answers, ReadTx, WriteTx
from dawr.platform.errors import N_, Invalid
from dawr.platform.schema import facility_table
from dawr.platform.values import value

claim_table = facility_table(
    "idempotency_claim",
    Column("caller", Text, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("key_id", SmallInteger, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("status", SmallInteger),
    Column("record", Text),
    Column("note", JSONB),
    Column("at", DateTime(timezone=True), nullable=False),
    grants="SELECT, INSERT, UPDATE",
)

_CLAIM = """
INSERT INTO idempotency_claim (facility_id, caller, key, key_id, fingerprint, at)
VALUES (%(facility_id)s, %(caller)s, %(key)s, %(key_id)s, %(fingerprint)s, %(at)s) ON CONFLICT DO NOTHING
"""
_FIND = """
SELECT key_id, fingerprint, status, record, note FROM idempotency_claim
WHERE facility_id = %(facility_id)s AND caller = %(caller)s AND key = %(key)s
"""
_KEEP = """
UPDATE idempotency_claim SET status = %(status)s, record = %(record)s, note = %(note)s
WHERE facility_id = %(facility_id)s AND caller = %(caller)s AND key = %(key)s
"""

_SEEN = """
SELECT key FROM idempotency_claim
WHERE facility_id = %(facility_id)s AND caller = %(caller)s AND key = ANY(%(keys)s)
"""
_CLAIM_AND_KEEP = """
INSERT INTO idempotency_claim (facility_id, caller, key, key_id, fingerprint, at, status, record, note)
SELECT %(facility_id)s, caller, key, key_id, fingerprint, at, status, record, note
FROM json_populate_recordset(NULL::idempotency_claim, %(rows)s)
"""
_IMPATIENT = "SET LOCAL lock_timeout = '50ms'"


class KeyReused(Invalid):
    code = "idempotency_key_reused"
    title = N_("This idempotency key was used for another request")


class KeyContended(Exception):
    """Somebody else claims the same key at this moment."""


class KeyMalformed(Invalid):
    code = "idempotency_key_invalid"
    title = N_("An idempotency key has 16 to 200 visible ASCII characters")


@value(frozen=True, slots=True)
class Key:
    """``key`` is the hash of what the client sent; ``sign`` makes the keyed hash of method, path and body, under this key of
    the keyring or, for ``None``, under the present one, and tells which it was."""

    caller: str
    key: bytes
    sign: Callable[[int | None], tuple[int, bytes]]


@value(frozen=True, slots=True)
class Outcome:
    """What was answered: the status, the record it is about, and what the record alone does not tell."""

    status: int
    record: str
    note: Mapping[str, Any]


async def claim(tx: WriteTx, key: Key) -> Outcome | None:
    """Claims the key; the earlier outcome where this very request was answered before. ``KeyReused`` for another one."""
    key_id, fingerprint = key.sign(None)
    if await tx.execute(_CLAIM, caller=key.caller, key=key.key, key_id=key_id, fingerprint=fingerprint, at=tx.now):
        return None
    found = await earlier(tx, key)
    assert found is not None
    return found


async def earlier(tx: ReadTx, key: Key) -> Outcome | None:
    """The outcome where this very request was answered before. ``KeyReused`` for another one."""
    row = await tx.row(_FIND, caller=key.caller, key=key.key)
    if row is None:
        return None
    if row["fingerprint"] != key.sign(row["key_id"])[1]:
        raise KeyReused
    return Outcome(row["status"], row["record"], row["note"])


async def keep(tx: WriteTx, key: Key, outcome: Outcome) -> None:
    """Keeps the outcome for replays, in the transaction that made it."""
    await tx.execute(
        _KEEP,
        caller=key.caller,
        key=key.key,
        status=outcome.status,
        record=outcome.record,
        note=Jsonb(dict(outcome.note)),
    )


async def seen(tx: ReadTx, caller: str, keys: Sequence[bytes]) -> set[bytes]:
    """Which of one caller's keys are claimed already."""
    return await seen_found(await seen_asked(tx, caller, keys))


async def seen_asked(tx: ReadTx, caller: str, keys: Sequence[bytes]) -> Answers:
    """Asks which of one caller's keys are claimed already. To be followed by ``seen_found``."""
    return await tx.asked(_SEEN, caller=caller, keys=list(keys))


async def seen_found(asked: Answers) -> set[bytes]:
    return {bytes(row["key"]) for row in await asked.fetchall()}


async def claim_and_keep(tx: WriteTx, outcomes: Sequence[tuple[Key, Outcome]]) -> None:
    """Claims keys that were not ``seen`` together with their outcomes. One that somebody else claimed meanwhile is a
    ``UniqueViolation``, which takes the transaction with it."""
    if outcomes:
        await tx.insert_rows(_CLAIM_AND_KEEP, [_claimed(key, outcome, tx.now) for key, outcome in outcomes])


@contextmanager
def contending() -> Iterator[None]:
    """Around the trip of ``claim_and_keep_last``."""
    try:
        yield
    except LockNotAvailable as error:
        raise KeyContended from error


async def claim_and_keep_last(tx: WriteTx, outcomes: Sequence[tuple[Key, Outcome]]) -> None:
    """``claim_and_keep``, in a trip within ``contending``, for whoever holds locks that those who claimed first may wait for: not
    to wait for them in a circle, that is ``KeyContended`` where one of the keys is not had at once."""
    if outcomes:
        await tx.asked(_IMPATIENT)
        await claim_and_keep(tx, outcomes)


def _claimed(key: Key, outcome: Outcome, now: datetime) -> dict[str, object]:
    key_id, fingerprint = key.sign(None)
    own = {"caller": key.caller, "key": key.key, "key_id": key_id, "fingerprint": fingerprint, "at": now}
    return own | {"status": outcome.status, "record": outcome.record, "note": outcome.note}
