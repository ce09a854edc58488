"""Gapless numbers: 1, 2, 3 … for one kind, scope, service day and series.

The counter is a row that the issuing transaction updates, so a number that is not committed was never taken, and the next
caller waits for that decision. The table that stores the number has a UNIQUE constraint that would catch any mistake.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from sqlalchemy import CheckConstraint, Column, Date, Integer, Text

from dawr.platform.db import WriteTx
from dawr.platform.schema import facility_table

counter = facility_table(
    "counter",
    Column("kind", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("service_day", Date, primary_key=True),
    Column("series", Integer, primary_key=True),
    Column("last", Integer, nullable=False),
    CheckConstraint("last > 0", name="last_positive"),
    grants="SELECT, INSERT, UPDATE",
    fillfactor=50,
)

_NEXT = """
INSERT INTO counter AS c (facility_id, kind, scope, service_day, series, last)
VALUES (%(facility_id)s, %(kind)s, %(scope)s, %(service_day)s, %(series)s, %(count)s)
ON CONFLICT (facility_id, kind, scope, service_day, series) DO UPDATE SET last = c.last + %(count)s
RETURNING last
"""


async def next_number(tx: WriteTx, *, kind: str, scope: str, service_day: date, series: int = 1) -> int:
    """Takes the next number in the caller's transaction."""
    last: int = await tx.value(_NEXT, kind=kind, scope=scope, service_day=service_day, series=series, count=1)
    return last


@dataclass(frozen=True, slots=True)
class Wanted:
    """``count`` numbers of one counter."""

    scope: str
    service_day: date
    series: int
    count: int


async def next_numbers(tx: WriteTx, *, kind: str, wanted: Sequence[Wanted]) -> list[int]:
    """``next_number`` of several counters in one trip: for each the first of those it gave. Name them in one order
    everywhere, so that two who want the same never wait for each other."""
    async with tx.one_trip():
        asked = [await tx.asked(_NEXT, kind=kind, **asdict(one)) for one in wanted]
        rows = [await one.fetchone() for one in asked]
    return [row["last"] - one.count + 1 for row, one in zip(rows, wanted, strict=True) if row is not None]
