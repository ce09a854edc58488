"""Taking what describes a person off their tickets."""

from collections.abc import Sequence
from uuid import UUID

from dawr.platform.db import WriteTx

# No step of a ticket writes these, so its queue need not be locked for it.
_FORGET = """
UPDATE ticket SET name_sealed = NULL, phone_sealed = NULL, person = NULL, device = NULL
WHERE facility_id = %(facility_id)s AND id = ANY(%(tickets)s)
"""
_BELONGS_TO = """
UPDATE ticket SET person = %(person)s WHERE facility_id = %(facility_id)s AND id = %(ticket)s AND person IS NOT NULL
"""


async def belongs_to(tx: WriteTx, ticket: UUID, person: bytes) -> None:
    """Writes the index of who it is anew; what was forgotten stays so."""
    await tx.execute(_BELONGS_TO, ticket=ticket, person=person)


async def forget(tx: WriteTx, tickets: Sequence[UUID]) -> int:
    """Empties name, phone and the indexes of who it was; how many tickets."""
    return await tx.execute(_FORGET, tickets=list(tickets))
