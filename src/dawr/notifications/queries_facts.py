"""What facts are made of: whose ticket it is, what a visit is, read as narrowly as telling people needs it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from dawr.notifications.rules import Moment
from dawr.platform.db import ReadTx

TAKES_PLACE = frozenset(
    {
        Moment.APPOINTMENT_BOOKED,
        Moment.APPOINTMENT_CHANGED,
        Moment.APPOINTMENT_REMINDER,
        Moment.APPOINTMENT_STANDS_AGAIN,
    }
)
_PATIENTS = """
SELECT vt.ticket, v.visit, v.patient FROM visit_ticket vt
JOIN visit v ON v.facility_id = vt.facility_id AND v.visit = vt.visit
WHERE vt.facility_id = %(facility_id)s AND vt.ticket = ANY(%(tickets)s)
"""
_VISITS = """
SELECT v.visit, v.patient, v.service_day, v.number, v.created_at,
       array(SELECT DISTINCT vt.clinic FROM visit_ticket vt
             WHERE vt.facility_id = v.facility_id AND vt.visit = v.visit ORDER BY vt.clinic) AS clinics
FROM visit v WHERE v.facility_id = %(facility_id)s AND v.visit = ANY(%(visits)s) ORDER BY v.visit
"""
_APPOINTMENTS = """
SELECT appointment, patient, clinic, starts, status, answer_by, needs_rebooking, version FROM appointment
WHERE facility_id = %(facility_id)s AND appointment = ANY(%(appointments)s)
"""


@dataclass(frozen=True, slots=True)
class VisitFound:
    visit: UUID
    patient: UUID
    service_day: date
    number: int
    created_at: datetime
    clinics: Sequence[str]

    @property
    def day(self) -> int:
        """``20261121``: a service day as one number."""
        return int(f"{self.service_day:%Y%m%d}")


async def patients_of(tx: ReadTx, tickets: Sequence[UUID]) -> dict[UUID, tuple[UUID, UUID]]:
    """(patient, visit) of the tickets that belong to a registered patient's visit."""
    rows = await tx.rows(_PATIENTS, tickets=list(tickets))
    return {row["ticket"]: (row["patient"], row["visit"]) for row in rows}


async def visits(tx: ReadTx, visit_ids: Sequence[UUID]) -> list[VisitFound]:
    """Those of the visits that exist."""
    return [VisitFound(**row) for row in await tx.rows(_VISITS, visits=list(visit_ids))]


@dataclass(frozen=True, slots=True)
class AppointmentFound:
    """``answer_by``: until when an offer is held; ``needs_rebooking``: the doctor is not there at its time."""

    appointment: UUID
    patient: UUID
    clinic: str
    starts: datetime
    status: str
    answer_by: datetime | None
    needs_rebooking: bool
    version: int

    def is_so(self, moment: Moment) -> bool:
        """Whether what is told at this moment is true as things are. Nobody is reminded of what cannot take place."""
        takes_place = moment not in TAKES_PLACE or not self.needs_rebooking
        cannot = moment is not Moment.APPOINTMENT_NEEDS_REBOOKING or self.needs_rebooking
        return self.status in moment.true_of and takes_place and cannot

    @property
    def start(self) -> int:
        """Seconds since 1970."""
        return int(self.starts.timestamp())


async def appointments(tx: ReadTx, ids: Sequence[UUID]) -> dict[UUID, AppointmentFound]:
    """These appointments as they are now."""
    rows = await tx.rows(_APPOINTMENTS, appointments=list(ids)) if ids else []
    return {row["appointment"]: AppointmentFound(**row) for row in rows}
