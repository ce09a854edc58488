"""People say that they want no more messages, or again some: by the link in a mail, or by a word from their phone."""

from datetime import datetime
from uuid import UUID

from dawr.accounts.rules import Right
from dawr.facilities.queries import Context
from dawr.notifications import store_stops
from dawr.notifications.addresses import Addresses
from dawr.notifications.rules import StopLinkNotFound
from dawr.notifications.stops import recipient_of
from dawr.notifications.store_stops import Stop
from dawr.patients import queries as patients
from dawr.patients.rules import PatientNotFound
from dawr.platform.db import ReadTx, WriteTx

BY_LINK = "link"


def receiver(here: Context, token: str) -> bytes:
    """Whom a link is for; ``StopLinkNotFound`` for one that is none of this facility's."""
    found = recipient_of(here.services.keyring, here.facility.id, token)
    if found is None:
        raise StopLinkNotFound
    return found


async def is_stopped(tx: ReadTx, recipient: bytes) -> bool:
    return recipient in await store_stops.stopped(tx, [recipient])


async def say(tx: WriteTx, recipient: bytes, *, stopped: bool, by: str = BY_LINK, at: datetime | None = None) -> bool:
    """From now on nothing more is sent to this receiver, or something again; what waits is not sent either. ``at``: when it
    was said; false where something later is known."""
    return await store_stops.say(tx, recipient, stopped=stopped, said_by=by, said_at=at or tx.now)


# At reception, for whom the link or the phone is gone


async def of_patient(tx: ReadTx, here: Context, patient_id: UUID) -> list[tuple[str, Stop]]:
    """The patient's addresses that want nothing, each with when and by what that was said."""
    here.actor.require(Right.PATIENTS)
    contact = await patients.contact(tx, here.services, patient_id)
    if contact is None:
        raise PatientNotFound
    addresses = Addresses(here.facility.id, here.services.keyring, {})
    mail = contact.email.strip().lower() if contact.email else None
    own = {addresses.index(one): one for one in (contact.phone, mail) if one}
    return [(own[one.recipient], one) for one in await store_stops.stops(tx, list(own))]


async def lift(tx: WriteTx, here: Context, patient_id: UUID) -> int:
    """The patient asks for messages again; to how many addresses they had been stopped."""
    found = await of_patient(tx, here, patient_id)
    for _, one in found:
        await say(tx, one.recipient, stopped=False, by=here.actor.label)
    return len(found)
