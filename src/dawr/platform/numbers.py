"""Gapless numbers: 1, 2, 3 … for one kind, scope, service day and series.

The counter is a row that the issuing transaction updates, so a number that is not committed was never taken, and the next
caller waits for that decision. The table that stores the number has a UNIQUE constraint that would catch any mistake.
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import CheckConstraint, Column, Date, Integer, Text

from dawr.platform.db import Answers, WriteTx
from dawr.platform.schema import facility_table
from dawr.platform.values import value

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

NEXT = """
INSERT INTO counter AS c (facility_id, kind, scope, service_day, series, last)
VALUES (%(facility_id)s, %(kind)s, %(scope)s, %(service_day)s, %(series)s, %(count)s)
ON CONFLICT (facility_id, kind, scope, service_day, series) DO UPDATE SET last = c.last + %(count)s
RETURNING last
"""

TAKE = """
INSERT INTO counter AS c (facility_id, kind, scope, service_day, series, last)
SELECT %(facility_id)s, %(kind)s, scope, service_day, series, last FROM json_populate_recordset(NULL::counter, %(rows)s)
ON CONFLICT (facility_id, kind, scope, service_day, series) DO UPDATE SET last = c.last + excluded.last
RETURNING scope, last
"""


def counted(*, kind: str, scope: str, service_day: date, series: int = 1) -> dict[str, object]:
    """The parameters of ``NEXT``, for a statement that takes the next number and uses it."""
    return {"kind": kind, "scope": scope, "service_day": service_day, "series": series, "count": 1}


async def next_number(tx: WriteTx, *, kind: str, scope: str, service_day: date, series: int = 1) -> int:
    """Takes the next number in the caller's transaction."""
    wanted = counted(kind=kind, scope=scope, service_day=service_day, series=series)
    last: int = await tx.value(NEXT, **wanted)
    return last


class NumbersMoved(Exception):
    """Numbers were taken that somebody else had taken meanwhile: whoever reads a counter has to hold its lock."""


@value(frozen=True, slots=True)
class Wanted:
    """``count`` numbers of one counter, from ``first`` on."""

    scope: str
    service_day: date
    series: int
    first: int
    count: int


def rows_of(wanted: Sequence[Wanted]) -> list[dict[str, object]]:
    """The rows of ``TAKE``, by which numbers of several counters are taken that the caller has read under a lock of its own.
    What it returns is to be given to ``confirm``."""
    return [
        {"scope": one.scope, "service_day": one.service_day, "series": one.series, "last": one.count} for one in wanted
    ]


async def confirm(taken: Answers, wanted: Sequence[Wanted]) -> None:
    """``NumbersMoved`` where the counters were elsewhere than the caller had read."""
    last = {row["scope"]: row["last"] for row in await taken.fetchall()}
    if last != {one.scope: one.first + one.count - 1 for one in wanted}:
        raise NumbersMoved
