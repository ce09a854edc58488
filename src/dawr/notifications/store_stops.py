"""Addresses whose people said that they want no messages of this facility, by the blind index that messages are addressed by.

The latest word counts, by when it was said: what is heard late, or twice, changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Boolean, Column, DateTime, LargeBinary, Text

from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.schema import facility_table

message_stop = facility_table(
    "message_stop",
    Column("recipient", LargeBinary, primary_key=True),
    Column("stopped", Boolean, nullable=False),
    Column("said_by", Text, nullable=False),
    Column("said_at", DateTime(timezone=True), nullable=False),
)

# Of two words of one moment, the no counts.
_SAY = """
INSERT INTO message_stop AS s (facility_id, recipient, stopped, said_by, said_at)
VALUES (%(facility_id)s, %(recipient)s, %(stopped)s, %(said_by)s, %(said_at)s)
ON CONFLICT (facility_id, recipient) DO UPDATE SET
  stopped = excluded.stopped, said_by = excluded.said_by, said_at = excluded.said_at
WHERE (s.said_at, s.stopped) < (excluded.said_at, excluded.stopped)
"""
_STOPPED = """
SELECT recipient, said_by, said_at FROM message_stop
WHERE facility_id = %(facility_id)s AND recipient = ANY(%(recipients)s) AND stopped
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """``said_by``: by which way, or whom."""

    recipient: bytes
    said_by: str
    said_at: datetime


async def say(tx: WriteTx, recipient: bytes, *, stopped: bool, said_by: str, said_at: datetime) -> bool:
    """Keeps what was said (``said_by``: by which way); false where something later is known already."""
    return bool(await tx.execute(_SAY, recipient=recipient, stopped=stopped, said_by=said_by, said_at=said_at))


async def stops(tx: ReadTx, recipients: Sequence[bytes]) -> list[Stop]:
    """What was said last for those of the addresses that want nothing."""
    rows = await tx.rows(_STOPPED, recipients=list(recipients))
    return [Stop(bytes(row["recipient"]), row["said_by"], row["said_at"]) for row in rows]


async def stopped(tx: ReadTx, recipients: Sequence[bytes]) -> frozenset[bytes]:
    """Those of the addresses that want nothing."""
    return frozenset(one.recipient for one in await stops(tx, recipients))
