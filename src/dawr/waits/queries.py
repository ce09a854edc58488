"""Estimates for tickets, from what a clinic's services and desks show."""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dawr.facilities import queries as facilities
from dawr.platform.db import ReadTx
from dawr.platform.services import Services
from dawr.tickets import queries as tickets
from dawr.tickets.queries_pace import services_and_desks_asked, services_and_desks_found
from dawr.waits import rules

LOOK_BACK = timedelta(days=14)
AT_WORK_WITHIN = timedelta(minutes=45)
FRESH = timedelta(seconds=5)
MOST_KEPT = 4096


class Waits:
    """Estimates on a clinic's pace, which is read at most every few seconds: it changes with each service, by little."""

    def __init__(self) -> None:
        self._paces: OrderedDict[tuple[UUID | None, str], tuple[datetime, rules.Pace | None]] = OrderedDict()

    async def __call__(self, tx: ReadTx, clinic_id: str, aheads: Sequence[int]) -> list[dict[str, Any] | None]:
        """An estimate for each number of people ahead; ``None`` for all where nothing honest can be said."""
        at = await self.pace(tx, clinic_id)
        return [rules.answer(ahead, at) for ahead in aheads]

    async def pace(self, tx: ReadTx, clinic_id: str) -> rules.Pace | None:
        """The pace of a clinic; ``None`` where nothing honest can be said. ``ClinicNotFound``."""
        key = (tx.facility_id, clinic_id)
        read_at, known = self._paces.get(key, (None, None))
        if read_at is not None and abs(tx.now - read_at) < FRESH:
            return known
        found = await pace_of(tx, clinic_id)
        self._paces[key] = (tx.now, found)
        self._paces.move_to_end(key)
        while len(self._paces) > MOST_KEPT:
            self._paces.popitem(last=False)
        return found


def waits_of(services: Services) -> Waits:
    """Those of this process, whose paces all its floors share."""
    found = services.additions[tickets.WAIT]
    assert isinstance(found, Waits)
    return found


async def pace_of(tx: ReadTx, clinic_id: str) -> rules.Pace | None:
    """Read in one trip. ``ClinicNotFound``."""
    today = tx.now.date()
    async with tx.one_trip():
        settings = await facilities.clinic_asked(tx, clinic_id)
        at_work = await services_and_desks_asked(
            tx, clinic_id, since=today - LOOK_BACK, day=today - timedelta(days=1), within=AT_WORK_WITHIN
        )
    clinic = await facilities.clinic_found(settings)
    observed, desks = await services_and_desks_found(at_work)
    return rules.pace(
        planned_seconds=clinic.mean_service_seconds,
        observed=observed,
        desks_at_work=min(desks, max(len(clinic.desks), 1)),
        desks_planned=len(clinic.desks) or len(clinic.doctors) or 1,
    )
