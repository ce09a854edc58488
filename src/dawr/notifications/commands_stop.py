"""People say that they want no more messages, or again some: by the link in a mail, or by a word from their phone."""

from datetime import datetime

from dawr.facilities.queries import Context
from dawr.notifications import store_stops
from dawr.notifications.rules import StopLinkNotFound
from dawr.notifications.stops import recipient_of
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
