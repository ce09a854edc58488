"""What estimates of waits rest on: how long services took, and how many desks work."""

from collections.abc import Collection
from datetime import date, timedelta

from dawr.facilities import queries as facilities
from dawr.platform.db import ReadTx
from dawr.platform.values import value
from dawr.tickets.store_tables import CALLED_ON

_AT_WORK = f"""
SELECT c.id AS clinic, c.mean_service_seconds AS planned_seconds, json_array_length(c.desks::json) AS desks,
       json_array_length(c.doctors::json) AS doctors,
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
    """What a clinic's settings plan for a service, how many desks and doctors it has, the seconds that its latest services took,
    newest first, and how many of its desks called somebody lately."""

    clinic: str
    planned_seconds: int | None
    desks: int
    doctors: int
    seconds: list[float]
    desks_at_work: int


async def at_work(
    tx: ReadTx, clinic_ids: Collection[str], *, since: date, day: date, within: timedelta, limit: int = 60
) -> list[AtWork]:
    """Those of the clinics that exist: their services since a day, and the desks that have called somebody ``within`` the latest
    time, looked for since ``day``."""
    rows = await tx.rows(
        _AT_WORK, clinics=list(clinic_ids), since=since, day=day, called_since=tx.now - within, limit=limit
    )
    return [AtWork(**row) for row in rows]
