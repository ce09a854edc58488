"""Lists of appointments and of who waits, a page at a time: each page is one walk down an index, as long as the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from dawr.appointments import store_waiting
from dawr.appointments.queries import local, shown
from dawr.appointments.rules import Appointment, Status
from dawr.appointments.rules_schedule import FIRST_YEAR, LAST_YEAR, instant
from dawr.appointments.rules_waiting import Waiting
from dawr.appointments.store import FIELDS, as_appointment
from dawr.appointments.store_tables import IS_OPEN, NEEDS_ATTENTION
from dawr.facilities.queries import Context
from dawr.facilities.rules import ONE_DAY, Facility
from dawr.patients import queries as patients
from dawr.platform.db import ReadTx

Place = tuple[datetime, UUID]
"""The key of a list: behind which row a page begins."""
BEGINNING: Place = (datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), UUID(int=0))
_END = datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
_OF_DAY = "facility_id = %(facility_id)s AND starts >= %(first)s AND starts < %(last)s"
_OF_DOCTOR = " AND doctor = %(doctor)s"
_LISTED = f"SELECT {FIELDS} FROM appointment WHERE {_OF_DAY}"
_COUNTED = f"SELECT count(*) FROM appointment WHERE {_OF_DAY}"
_IN_ORDER = " AND (starts, appointment) > (%(at)s, %(id)s) ORDER BY starts, appointment LIMIT %(limit)s"
_WAITING = f"SELECT {store_waiting.FIELDS} FROM appointment_waiting WHERE facility_id = %(facility_id)s AND {IS_OPEN}"
_HOW_MANY_WAIT = f"SELECT count(*) FROM appointment_waiting WHERE facility_id = %(facility_id)s AND {IS_OPEN}"
_AS_THEY_CAME = " AND (created_at, waiting) > (%(at)s, %(id)s) ORDER BY created_at, waiting LIMIT %(limit)s"
_OPEN_OFFERS = """
SELECT waiting, appointment, starts FROM appointment
WHERE facility_id = %(facility_id)s AND waiting = ANY(%(entries)s) AND status = 'offered'
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Appointments of a local ``day``, or without one all to come; of one doctor, in one status, or of all. ``attention``: those
    alone that reception has to move, since the doctor or the patient cannot be there."""

    day: date | None = None
    doctor: str | None = None
    status: Status | None = None
    attention: bool = False

    @property
    def narrowed(self) -> str:
        return (
            (_OF_DOCTOR if self.doctor else "")
            + (" AND status = %(status)s" if self.status else "")
            + (f" AND {NEEDS_ATTENTION}" if self.attention else "")
        )

    def params(self, facility: Facility, now: datetime) -> dict[str, Any]:
        first, last = now, _END
        if self.day is not None:
            first, last = (instant(facility, day, time()) for day in (self.day, self.day + ONE_DAY))
        return {"first": first, "last": last, "doctor": self.doctor, "status": self.status and self.status.value}


async def listed(
    tx: ReadTx, facility: Facility, wanted: Wanted, *, after: Place = BEGINNING, limit: int = 200
) -> list[Appointment]:
    """The appointments from behind a place on, in the order in which they begin."""
    sql = _LISTED + wanted.narrowed + _IN_ORDER
    params = wanted.params(facility, tx.now)
    at, id_ = max(after, (params["first"], UUID(int=0)))
    return [as_appointment(row) for row in await tx.rows(sql, **params, at=at, id=id_, limit=limit)]


async def count(tx: ReadTx, facility: Facility, wanted: Wanted) -> int:
    found: int = await tx.value(_COUNTED + wanted.narrowed, **wanted.params(facility, tx.now))
    return found


async def shown_with_names(tx: ReadTx, here: Context, found: Sequence[Appointment]) -> list[dict[str, Any]]:
    """A page of appointments as reception sees it: with the patients' names."""
    cards = await patients.cards(tx, here, {one.patient for one in found})
    return [shown(here.facility, one) | {"name": cards[one.patient].name} for one in found]


# The waiting list


async def waiting(
    tx: ReadTx, doctor: str | None = None, *, after: Place = BEGINNING, limit: int = 200
) -> list[Waiting]:
    """Who waits or has an open offer, from behind a place on, in the order in which they came."""
    sql = _WAITING + (_OF_DOCTOR if doctor else "") + _AS_THEY_CAME
    rows = await tx.rows(sql, doctor=doctor, at=after[0], id=after[1], limit=limit)
    return [store_waiting.as_waiting(row) for row in rows]


async def count_waiting(tx: ReadTx, doctor: str | None = None) -> int:
    found: int = await tx.value(_HOW_MANY_WAIT + (_OF_DOCTOR if doctor else ""), doctor=doctor)
    return found


async def one_waiting(tx: ReadTx, waiting_id: UUID) -> Waiting:
    return await store_waiting.waiting(tx, waiting_id)


async def shown_waiting_list(tx: ReadTx, here: Context, entries: Sequence[Waiting]) -> list[dict[str, Any]]:
    """A part of the list as reception sees it: with the patients' names, each with the slot that is offered."""
    rows = await tx.rows(_OPEN_OFFERS, entries=[one.waiting for one in entries])
    offered = {row["waiting"]: row for row in rows}
    cards = await patients.cards(tx, here, {one.patient for one in entries})
    return [
        _listed(here.facility, one, offered.get(one.waiting)) | {"name": cards[one.patient].name} for one in entries
    ]


def _listed(facility: Facility, one: Waiting, offer: Mapping[str, Any] | None) -> dict[str, Any]:
    card = shown_waiting(facility, one, offer["appointment"] if offer else None)
    return card | {"start": local(facility, offer["starts"]) if offer else None}


def shown_waiting(facility: Facility, one: Waiting, offered: UUID | None) -> dict[str, Any]:
    return {
        "waiting": str(one.waiting),
        "patient": str(one.patient),
        "doctor": one.doctor,
        "from": local(facility, one.earliest) if one.earliest else None,
        "until": local(facility, one.latest) if one.latest else None,
        "status": one.status.value,
        "since": local(facility, one.created_at),
        "appointment": str(offered) if offered else None,
    }
