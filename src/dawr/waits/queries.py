"""Estimates for tickets, from what a clinic's services and desks show."""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dawr.facilities.rules import ClinicNotFound
from dawr.platform.db import ReadTx
from dawr.platform.services import Services
from dawr.tickets import queries as tickets
from dawr.tickets.queries_pace import AtWork, at_work
from dawr.waits import rules

LOOK_BACK = timedelta(days=14)
AT_WORK_WITHIN = timedelta(minutes=45)
FRESH = timedelta(seconds=5)
MOST_KEPT = 4096


class Waits:
    """Estimates on the clinics' paces, which are read at most every few seconds: they change with each service, by little."""

    def __init__(self) -> None:
        self._paces: OrderedDict[tuple[UUID | None, str], tuple[datetime, rules.Pace | None]] = OrderedDict()

    async def __call__(self, tx: ReadTx, aheads: Mapping[str, Sequence[int]]) -> dict[str, list[dict[str, Any] | None]]:
        """By clinic, an estimate for each number of people ahead; ``None`` for all where nothing honest can be said."""
        paces = await self.paces(tx, aheads)
        return {clinic: [rules.answer(ahead, paces.get(clinic)) for ahead in them] for clinic, them in aheads.items()}

    async def pace(self, tx: ReadTx, clinic_id: str) -> rules.Pace | None:
        """The pace of a clinic; ``None`` where nothing honest can be said. ``ClinicNotFound``."""
        found = await self.paces(tx, [clinic_id])
        if clinic_id not in found:
            raise ClinicNotFound
        return found[clinic_id]

    async def paces(self, tx: ReadTx, clinic_ids: Collection[str]) -> dict[str, rules.Pace | None]:
        """The paces of those of the clinics that exist."""
        known = {one: self._paces[tx.facility_id, one][1] for one in clinic_ids if self._is_fresh(tx, one)}
        missing = [one for one in clinic_ids if one not in known]
        found = await paces_of(tx, missing) if missing else {}
        for one, pace in found.items():
            self._paces[tx.facility_id, one] = (tx.now, pace)
            self._paces.move_to_end((tx.facility_id, one))
        while len(self._paces) > MOST_KEPT:
            self._paces.popitem(last=False)
        return known | found

    def _is_fresh(self, tx: ReadTx, clinic_id: str) -> bool:
        kept = self._paces.get((tx.facility_id, clinic_id))
        return kept is not None and abs(tx.now - kept[0]) < FRESH


def waits_of(services: Services) -> Waits:
    """Those of this process, whose paces all its floors share."""
    found = services.additions[tickets.WAIT]
    assert isinstance(found, Waits)
    return found


async def paces_of(tx: ReadTx, clinic_ids: Collection[str]) -> dict[str, rules.Pace | None]:
    """Those of the clinics that exist, read in one trip."""
    today = tx.now.date()
    found = await at_work(tx, clinic_ids, since=today - LOOK_BACK, day=today - timedelta(days=1), within=AT_WORK_WITHIN)
    return {one.clinic: _pace(one) for one in found}


def _pace(seen: AtWork) -> rules.Pace | None:
    return rules.pace(
        planned_seconds=seen.planned_seconds,
        observed=seen.seconds,
        desks_at_work=min(seen.desks_at_work, max(seen.desks, 1)),
        desks_planned=seen.desks or seen.doctors or 1,
    )
