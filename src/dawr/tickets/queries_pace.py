"""What estimates of waits rest on: how long services took, and how many desks work."""

from collections.abc import Collection
from datetime import date, timedelta

from dawr.facilities import queries as facilities
from dawr.facilities.rules import Clinic
from dawr.platform.db import ReadTx
from dawr.platform.values import value
from dawr.tickets.store_tables import CALLED_ON

_AT_WORK = f"""
SELECT c.*,
       array(SELECT extract(epoch FROM t.ended_at - coalesce(t.started_at, t.called_at))::float8 FROM ticket t
             WHERE t.facility_id = %(facility_id)s AND t.clinic = c.id AND t.status = 'done' AND t.ended_day >= %(since)s
             ORDER BY t.ended_day DESC, t.ended_at DESC LIMIT %(limit)s) AS seconds,
       (SELECT count(DISTINCT coalesce(t.desk, '')) FROM (
          SELECT o.desk, o.called_at FROM ticket o
          WHERE o.facility_id = %(facility_id)s AND o.clinic = c.id AND o.ended_day >= %(day)s
          UNION ALL
          SELECT o.desk, o.called_at FROM ticket o
          WHERE o.facility_id = %(facility_id)s AND o.clinic = c.id AND o.status IN ({CALLED_ON})) AS t
        WHERE t.called_at >= %(called_since)s) AS desks_at_work
FROM ({facilities.NAMED}) AS c
"""


@value(frozen=True, slots=True)
class AtWork:
    """A clinic, the seconds that its latest services took, newest first, and how many of its desks called somebody lately."""

    clinic: Clinic
    seconds: list[float]
    desks: int


async def at_work(
    tx: ReadTx, clinic_ids: Collection[str], *, since: date, day: date, within: timedelta, limit: int = 60
) -> list[AtWork]:
    """Those of the clinics that exist: their services since a day, and the desks that have called somebody ``within`` the latest
    time, looked for since ``day``."""
    rows = await tx.rows(
        _AT_WORK, clinics=list(clinic_ids), since=since, day=day, called_since=tx.now - within, limit=limit
    )
    return [
        AtWork(seconds=row.pop("seconds"), desks=row.pop("desks_at_work"), clinic=facilities.clinic_of(row))
        for row in rows
    ]
