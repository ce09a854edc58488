"""Several queues in one transaction, for whoever changes tickets in more than one."""

from collections.abc import Collection, Sequence
from uuid import UUID

from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import Facility
from dawr.platform.db import WriteTx
from dawr.tickets import store, store_people
from dawr.tickets.people import person_index


async def hold(tx: WriteTx, facility: Facility, clinics: Collection[str]) -> None:
    """Locks the queues of these clinics in the order of their names, as transfers do, so that nobody waits in a circle. To be
    called before the first change; what is locked above the queues comes after. One that is archived has no open tickets."""
    found = await facilities.clinics_named(tx, sorted(set(clinics)))
    for clinic in sorted(found, key=lambda one: one.id):
        await store.lock_queue(tx, facility, clinic)


async def belongs_to(tx: WriteTx, here: Context, ticket: UUID, *, user: str) -> None:
    """Has a ticket, whose queue is locked, stand for somebody who goes by another name since: they are found in that queue."""
    await store_people.belongs_to(tx, ticket, person_index(here, user))


async def forget(tx: WriteTx, tickets: Sequence[UUID]) -> int:
    """Takes the person off these tickets, for good; how many there were. That there was a ticket stays."""
    return await store_people.forget(tx, tickets)
