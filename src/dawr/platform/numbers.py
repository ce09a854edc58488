"""Gapless numbers: 1, 2, 3 … for one kind, scope, service day and series.

The counter is a row that the issuing transaction updates, so a number that is not committed was never taken, and the next
caller waits for that decision. The table that stores the number has a UNIQUE constraint that would catch any mistake.
"""

from datetime import date

from sqlalchemy import CheckConstraint, Column, Date, Integer, Text

from dawr.platform.db import WriteTx
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

WANTED = """
SELECT * FROM json_to_recordset(%(counters)s) AS w (scope text, service_day date, series integer, given integer, last integer)
"""
TAKE = """
INSERT INTO counter AS c (facility_id, kind, scope, service_day, series, last)
SELECT %(facility_id)s, %(kind)s, scope, service_day, series, last FROM wanted
ON CONFLICT (facility_id, kind, scope, service_day, series) DO UPDATE SET last = (
  SELECT w.last FROM wanted w
  WHERE w.scope = c.scope AND w.service_day = c.service_day AND w.series = c.series AND w.given = c.last)
"""


def counted(*, kind: str, scope: str, service_day: date, series: int = 1) -> dict[str, object]:
    """The parameters of ``NEXT``, for a statement that takes the next number and uses it."""
    return {"kind": kind, "scope": scope, "service_day": service_day, "series": series, "count": 1}


async def next_number(tx: WriteTx, *, kind: str, scope: str, service_day: date, series: int = 1) -> int:
    """Takes the next number in the caller's transaction."""
    wanted = counted(kind=kind, scope=scope, service_day=service_day, series=series)
    last: int = await tx.value(NEXT, **wanted)
    return last


@value(frozen=True, slots=True)
class Wanted:
    """The numbers of one counter after ``given``, the last one given, up to ``last``."""

    scope: str
    service_day: date
    series: int
    given: int
    last: int
