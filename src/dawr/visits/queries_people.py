"""Where people stand in queues at this moment, and what was set aside of it when records of theirs were merged."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from dawr.platform import events
from dawr.platform.db import ReadTx
from dawr.tickets.rules import OPEN, Status
from dawr.visits.events import SET_ASIDE
from dawr.visits.store_tables import IS_OPEN

_STANDING = f"""
SELECT vt.visit, t.id AS ticket, t.clinic, t.status, t.rank, t.order_key FROM visit v
JOIN visit_ticket vt ON vt.facility_id = v.facility_id AND vt.visit = v.visit
JOIN ticket t ON t.facility_id = vt.facility_id AND t.id = vt.ticket
WHERE v.facility_id = %(facility_id)s AND v.patient = ANY(%(patients)s) AND v.{IS_OPEN} AND t.status = ANY(%(open)s)
"""
_ENDED = """
SELECT t.id AS ticket, t.clinic FROM visit v
JOIN visit_ticket vt ON vt.facility_id = v.facility_id AND vt.visit = v.visit
JOIN ticket t ON t.facility_id = vt.facility_id AND t.id = vt.ticket
WHERE v.facility_id = %(facility_id)s AND v.patient = ANY(%(patients)s) AND t.ended_day >= %(day)s
"""
_OF_DAY = """
SELECT visit FROM visit WHERE facility_id = %(facility_id)s AND patient = ANY(%(patients)s) AND service_day = %(day)s
ORDER BY visit
"""
_NEAREST_THE_DOCTOR = (Status.SERVING, Status.CALLED, Status.HELD, Status.WAITING)


@dataclass(frozen=True, slots=True)
class Standing:
    """An open ticket of a visit."""

    visit: UUID
    ticket: UUID
    clinic: str
    status: Status
    rank: int
    order_key: int

    @property
    def place(self) -> tuple[Any, ...]:
        """Clinic by clinic, who is furthest on first."""
        return self.clinic, _NEAREST_THE_DOCTOR.index(self.status), self.rank, self.order_key, self.ticket


@dataclass(frozen=True, slots=True)
class Ended:
    """A ticket of a visit that is over, and may come back on the day on which it ended."""

    ticket: UUID
    clinic: str


async def standing(tx: ReadTx, patients: Collection[UUID]) -> list[Standing]:
    """The open tickets of these records' visits."""
    rows = await tx.rows(_STANDING, patients=list(patients), open=[one.value for one in OPEN])
    return [Standing(**(row | {"status": Status(row["status"])})) for row in rows]


async def ended(tx: ReadTx, patients: Collection[UUID], *, day: date) -> list[Ended]:
    """The tickets of these records' visits that are over since this service day."""
    return [Ended(**row) for row in await tx.rows(_ENDED, patients=list(patients), day=day)]


async def set_aside(tx: ReadTx, patients: Collection[UUID], *, day: date) -> list[Ended]:
    """The tickets of these records that a merge has cancelled on this service day, and to which nothing has happened since."""
    found = []
    for row in await tx.rows(_OF_DAY, patients=list(patients), day=day):
        for told in await events.history(tx, f"visit:{row['visit']}"):
            if told.type == SET_ASIDE:
                (ticket,) = told.data["tickets"]
                last = await events.last(tx, ticket)
                # Written in the same transaction as the cancelling.
                if last is not None and last.at == told.at:
                    found.append(Ended(UUID(ticket), told.data["clinic"]))
    return found
