"""What one person was told, for the export of everything that is kept of them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dawr.facilities.queries import Context
from dawr.notifications import queries
from dawr.notifications.addresses import Addresses
from dawr.platform.db import ReadTx

PAGE = 200


async def messages_of(tx: ReadTx, here: Context, patients: Sequence[UUID]) -> list[dict[str, Any]]:
    """Every message to these records, newest first of each, with the whole address it went to."""
    opened = await Addresses.of(tx, here, patients)
    found: list[dict[str, Any]] = []
    for patient in patients:
        before = None
        while page := await queries.deliveries(tx, before=before, limit=PAGE, filters={"patient": patient}):
            found += [
                {
                    "moment": one.moment.value,
                    "channel": one.channel,
                    "to": opened.open(one),
                    "status": one.status.value,
                    "created_at": one.created_at.isoformat(),
                    "ended_at": one.ended_at.isoformat() if one.ended_at else None,
                }
                for one in page
            ]
            before = page[-1].delivery
    return found
