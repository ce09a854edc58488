"""What estimates of waits rest on: how long services took, and how many desks work."""

from datetime import date, timedelta

from dawr.platform.db import Answers, ReadTx
from dawr.tickets.store_tables import CALLED_ON

_SERVICES = """
SELECT extract(epoch FROM ended_at - coalesce(started_at, called_at))::float8 AS seconds
FROM ticket WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND status = 'done'
AND ended_day >= %(since)s ORDER BY ended_day DESC, ended_at DESC LIMIT %(limit)s
"""
_DESKS = f"""
SELECT count(DISTINCT coalesce(desk, '')) FROM (
  SELECT desk, called_at FROM ticket
  WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND ended_day >= %(day)s
  UNION ALL
  SELECT desk, called_at FROM ticket
  WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND status IN ({CALLED_ON})) AS t
WHERE called_at >= %(since)s
"""


async def services_and_desks_asked(
    tx: ReadTx, clinic_id: str, *, since: date, day: date, within: timedelta, limit: int = 60
) -> tuple[Answers, Answers]:
    """Asks how long the latest services in a clinic took since a day, and how many of its desks have called somebody ``within``
    the latest time, looked for since ``day``. To be followed by ``services_and_desks_found``."""
    services = await tx.asked(_SERVICES, clinic=clinic_id, since=since, limit=limit)
    return services, await tx.asked(_DESKS, clinic=clinic_id, since=tx.now - within, day=day)


async def services_and_desks_found(asked: tuple[Answers, Answers]) -> tuple[list[float], int]:
    """The services, newest first, in seconds; the desks."""
    services, desks = asked
    (found,) = await desks.fetchall()
    return [row["seconds"] for row in await services.fetchall()], found["count"]
