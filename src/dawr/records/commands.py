"""The verbs of a whole record: read its history, give it to whom it is about, erase it. Each is written down in the patient's
trail, or, where nothing is left to write on, in the log."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dawr.accounts.rules import SYSTEM, Right
from dawr.appointments import queries as appointments
from dawr.appointments.rules import Status as Booking
from dawr.facilities.queries import Context
from dawr.facilities.rules import StillInUse
from dawr.patients import commands as patients
from dawr.patients.rules import Purpose
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.services import Services
from dawr.records import queries, store_ratings
from dawr.records.queries import Entry, Reached
from dawr.visits import queries as visits
from dawr.visits.rules import OPEN

LATEST = 200
TO_COME = (Booking.BOOKED, Booking.OFFERED)


async def history(
    tx: WriteTx, here: Context, patient_id: UUID, *, after: Reached, limit: int, reason: str | None = None
) -> tuple[list[Entry], Reached | None]:
    """A page of the history. Every page opens the record anew: a cursor is no proof that somebody did."""
    await patients.open_record(tx, here, patient_id, purpose=Purpose.HISTORY, reason=reason)
    return await queries.history(tx, here, patient_id, after=after, limit=limit)


async def export(tx: WriteTx, here: Context, patient_id: UUID) -> dict[str, Any]:
    """Everything that is kept of a person. Administrators give it out without what doctors found, which is not theirs to read;
    a doctor whom the patient visits gives out all of it."""
    if not here.actor.may(Right.RECORDS):
        here.actor.require(Right.CONSULT)
    await patients.open_record(tx, here, patient_id, purpose=Purpose.EXPORT)
    return await queries.everything(tx, here, patient_id)


async def erase(tx: WriteTx, here: Context, patient_id: UUID, *, reason: str) -> list[UUID]:
    """Destroys the keys of the person's record; whoever holds something of theirs that was sealed with another key is told, and
    takes it away. The ids of the records erased. ``StillInUse`` while they are in the house or have an appointment to come."""
    here.actor.require(Right.RECORDS)
    await _require_gone(tx, patient_id)
    return await patients.erase(tx, here, patient_id, reason)


async def forget_words(tx: WriteTx, _: Services, gone: Sequence[UUID]) -> None:
    """Takes away what erased people wrote with their ratings: also when a backup had brought it back."""
    if gone:
        await store_ratings.forget(tx, SYSTEM, gone)


async def _require_gone(tx: WriteTx, patient_id: UUID) -> None:
    # Held first: who is registered for something at this moment is seen.
    await patients.hold_whole(tx, patient_id)
    here_now = [one for one in await visits.of_patient(tx, patient_id, limit=LATEST) if one.status in OPEN]
    to_come = await _to_come(tx, patient_id, tx.now)
    if here_now or to_come:
        raise StillInUse(extra={"visits": [str(one.visit) for one in here_now], "appointments": to_come})


async def _to_come(tx: ReadTx, patient_id: UUID, now: datetime) -> Sequence[str]:
    booked = await appointments.of_patient(tx, patient_id, limit=LATEST)
    return [str(one.appointment) for one in booked if one.status in TO_COME and one.starts > now]
