"""Taking what describes a person off their tickets."""

from collections.abc import Sequence
from uuid import UUID

from dawr.platform.db import WriteTx
from dawr.tickets.store_tables import IS_OPEN

# No step of a ticket writes these, so its queue need not be locked for it.
_FORGET = """
UPDATE ticket SET name_sealed = NULL, phone_sealed = NULL, person = NULL, device = NULL
WHERE facility_id = %(facility_id)s AND id = ANY(%(tickets)s)
"""
_BELONGS_TO = f"""
UPDATE ticket t SET person = %(person)s
WHERE t.facility_id = %(facility_id)s AND t.id = %(ticket)s AND t.person IS NOT NULL
  AND (t.ended_at IS NOT NULL OR NOT EXISTS (
    SELECT FROM ticket
    WHERE facility_id = t.facility_id AND clinic = t.clinic AND person = %(person)s AND {IS_OPEN} AND id <> t.id))
"""


async def belongs_to(tx: WriteTx, ticket: UUID, person: bytes) -> None:
    """Writes the index of who it is anew; not that of an open ticket where another one of the queue has it: two who were served
    at once may be one person since. What was forgotten stays so."""
    await tx.execute(_BELONGS_TO, ticket=ticket, person=person)


async def forget(tx: WriteTx, tickets: Sequence[UUID]) -> int:
    """Empties name, phone and the indexes of who it was; how many tickets."""
    return await tx.execute(_FORGET, tickets=list(tickets))
