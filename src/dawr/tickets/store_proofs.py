"""Writes of phone numbers that are being proved."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dawr.platform.db import ReadTx, WriteTx
from dawr.tickets.rules_proof import CODE_LIVES, MOST_TRIES, Verification

_FIELDS = ", ".join(Verification.__dataclass_fields__)
_INSERT = """
INSERT INTO phone_proof (facility_id, verification, clinic, phone, created_at, tries)
VALUES (%(facility_id)s, %(verification)s, %(clinic)s, %(phone)s, %(now)s, %(tries)s)
"""
_ONE = f"SELECT {_FIELDS} FROM phone_proof WHERE facility_id = %(facility_id)s AND verification = %(verification)s"
_TRY = f"""
UPDATE phone_proof SET tries = tries + 1
WHERE facility_id = %(facility_id)s AND verification = %(verification)s AND proved_at IS NULL
  AND tries < %(most)s AND created_at > %(since)s
RETURNING {_FIELDS}
"""
_PROVE = f"""
UPDATE phone_proof SET proved_at = %(now)s
WHERE facility_id = %(facility_id)s AND verification = %(verification)s AND proved_at IS NULL
RETURNING {_FIELDS}
"""
_FORGET = "DELETE FROM phone_proof WHERE facility_id = %(facility_id)s AND created_at < %(before)s"


async def insert(tx: WriteTx, made: Verification) -> None:
    values = {"verification": made.verification, "clinic": made.clinic, "phone": made.phone, "tries": made.tries}
    await tx.execute(_INSERT, now=tx.now, **values)


async def one(tx: ReadTx, verification: UUID) -> Verification | None:
    return _as_verification(await tx.rows(_ONE, verification=verification))


async def count_try(tx: WriteTx, verification: UUID) -> Verification | None:
    """Counts one more code that was typed; None where none may be typed any more. To be committed whatever the code is."""
    since = tx.now - CODE_LIVES
    return _as_verification(await tx.rows(_TRY, verification=verification, most=MOST_TRIES, since=since))


async def prove(tx: WriteTx, verification: UUID) -> Verification | None:
    """None where it was proved already: a code is good once."""
    return _as_verification(await tx.rows(_PROVE, verification=verification, now=tx.now))


async def forget(tx: WriteTx, *, before: datetime) -> int:
    return await tx.execute(_FORGET, before=before)


def _as_verification(rows: Sequence[dict[str, Any]]) -> Verification | None:
    return Verification(**rows[0]) if rows else None
