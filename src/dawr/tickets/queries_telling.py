"""What telling people needs of the queue: which queues have moved, who is near the front, how a ticket's person is reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from dawr.platform.db import ReadTx
from dawr.platform.services import Services
from dawr.tickets import store
from dawr.tickets.rules import Ticket
from dawr.tickets.secrets import secret_of

_MOVED = """
SELECT q.clinic, q.version FROM queue q WHERE q.facility_id = %(facility_id)s AND q.version > 0 ORDER BY q.clinic
"""
_FRONT = f"""
SELECT {store.FIELDS} FROM ticket WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND status = 'waiting'
ORDER BY rank, order_key, id LIMIT %(limit)s
"""
_REACHED = """
SELECT id, language, phone_sealed FROM ticket WHERE facility_id = %(facility_id)s AND id = ANY(%(ids)s)
"""
_STANDING = f"""
SELECT {store.FIELDS}, (SELECT q.service_day FROM queue q WHERE q.facility_id = t.facility_id AND q.clinic = t.clinic) AS today
FROM ticket t WHERE t.facility_id = %(facility_id)s AND t.id = ANY(%(ids)s)
"""


@dataclass(frozen=True, slots=True)
class TicketContact:
    """What a ticket itself knows of how to reach its person. ``phone`` as it was typed."""

    ticket: UUID
    language: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """A ticket as it is, and the service day of its queue, which its code is shown by."""

    ticket: Ticket
    today: date

    @property
    def code(self) -> str:
        return self.ticket.shown_code(self.today)


async def versions(tx: ReadTx) -> dict[str, int]:
    """The version of every queue of the facility in which anything ever happened, by clinic."""
    return {row["clinic"]: row["version"] for row in await tx.rows(_MOVED)}


async def front(tx: ReadTx, clinic_id: str, *, limit: int) -> list[tuple[Ticket, int]]:
    """The first who wait in a clinic, each with how many are before them."""
    rows = await tx.rows(_FRONT, clinic=clinic_id, limit=limit)
    return [(store.as_ticket(row), ahead) for ahead, row in enumerate(rows)]


async def contacts_of(tx: ReadTx, services: Services, ids: Sequence[UUID]) -> dict[UUID, TicketContact]:
    """How the persons of these tickets can be reached; tickets that are not here are missing."""
    rows = await tx.rows(_REACHED, ids=list(ids))
    return {
        row["id"]: TicketContact(row["id"], row["language"], _phone(tx, services, row["id"], row["phone_sealed"]))
        for row in rows
    }


def _phone(tx: ReadTx, services: Services, ticket_id: UUID, sealed: bytes | None) -> str | None:
    if sealed is None:
        return None
    return services.keyring.open(sealed, facility=str(tx.facility_id), where=f"ticket.phone:{ticket_id}")


async def standing(tx: ReadTx, ids: Sequence[UUID]) -> dict[UUID, Standing]:
    """These tickets as they are now."""
    rows: list[dict[str, Any]] = await tx.rows(_STANDING, ids=list(ids))
    return {row["id"]: Standing(today=row.pop("today"), ticket=store.as_ticket(row)) for row in rows}


def follow_path(services: Services, facility_no: int, ticket_id: UUID) -> str:
    """The path under which a ticket is followed. It is a secret: it must not be logged."""
    keyring = services.keyring
    return f"/t/{secret_of(keyring, facility_no, ticket_id, key_id=keyring.primary_id)}"
