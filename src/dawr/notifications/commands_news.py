"""What happened to visits and appointments, as facts that people are told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dawr.facilities.rules import Facility
from dawr.notifications import commands_tell, queries_facts
from dawr.notifications.queries_facts import AppointmentFound, VisitFound
from dawr.notifications.rules import APPOINTMENT_MOMENTS, Fact, Moment, worth_until
from dawr.platform.db import WriteTx
from dawr.platform.services import Services

COME_AND_GO = frozenset({Moment.APPOINTMENT_NEEDS_REBOOKING, Moment.APPOINTMENT_STANDS_AGAIN})


async def visits_created(tx: WriteTx, services: Services, facility: Facility, visit_ids: Sequence[UUID]) -> int:
    """Tells those concerned of each visit: one row, whoever they are."""
    found = await queries_facts.visits(tx, visit_ids)
    return await commands_tell.tell(tx, services, facility, [_created(one) for one in found])


def _created(found: VisitFound) -> Fact:
    return Fact(
        key=f"visit_created:{found.visit}",
        moment=Moment.VISIT_CREATED,
        at=found.created_at,
        worth_until=worth_until(Moment.VISIT_CREATED, found.created_at),
        visit=found.visit,
        patient=found.patient,
        clinics=tuple(found.clinics),
        numbers={"day": found.day, "number": found.number},
    )


async def appointment_changed(tx: WriteTx, services: Services, facility: Facility, payload: Mapping[str, Any]) -> int:
    """Tells the patient (and whom else the rules name) what became of an appointment, if it is still so."""
    moment = APPOINTMENT_MOMENTS.get(payload["type"])
    appointment = UUID(payload["appointment"])
    found = (await queries_facts.appointments(tx, [appointment])).get(appointment) if moment else None
    if found is None or moment is None or not _still_so(tx, moment, found, payload):
        return 0
    return await commands_tell.tell(tx, services, facility, [_fact(tx, moment, found, payload)])


def _still_so(tx: WriteTx, moment: Moment, found: AppointmentFound, payload: Mapping[str, Any]) -> bool:
    start = payload.get("start")
    moved = start is not None and datetime.fromisoformat(start) != found.starts
    return found.is_so(moment) and not moved and found.starts > tx.now


def _fact(tx: WriteTx, moment: Moment, found: AppointmentFound, payload: Mapping[str, Any]) -> Fact:
    which = f":{payload.get('minutes', 0)}" if moment is Moment.APPOINTMENT_REMINDER else ""
    # A doctor may go on leave, be there after all, and go again.
    which = f":{found.version}" if moment in COME_AND_GO else which
    return Fact(
        key=f"{moment}:{found.appointment}:{found.start}{which}",
        moment=moment,
        at=tx.now,
        worth_until=worth_until(moment, tx.now, start=found.answer_by or found.starts),
        patient=found.patient,
        appointment=found.appointment,
        clinics=(found.clinic,),
        numbers={"start": found.start},
    )
