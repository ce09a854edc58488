"""Which queues a turn of the service day is due in."""

from datetime import timedelta

from dawr.facilities.rules import Facility
from dawr.platform.db import ReadTx
from dawr.tickets.store_tables import IS_OPEN

_DUE = f"""
SELECT q.clinic FROM queue q JOIN clinic c ON c.facility_id = q.facility_id AND c.clinic = q.clinic
WHERE q.facility_id = %(facility_id)s AND c.archived_on IS NULL AND (q.service_day < %(today)s OR (
  %(grace_over)s AND NOT q.carries AND EXISTS (
    SELECT FROM ticket t WHERE t.facility_id = q.facility_id AND t.clinic = q.clinic AND t.service_day < q.service_day
    AND {IS_OPEN.replace("status", "t.status")})))
ORDER BY q.clinic
"""


async def due_queues(tx: ReadTx, facility: Facility) -> list[str]:
    """The clinics whose queue has to turn to the present service day, or holds tickets past their grace."""
    today = facility.service_day(tx.now)
    grace_over = tx.now >= facility.day_start(today) + timedelta(minutes=facility.grace_minutes)
    return [row["clinic"] for row in await tx.rows(_DUE, today=today, grace_over=grace_over)]
