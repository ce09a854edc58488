"""Several queues in one transaction, for whoever changes tickets in more than one."""

from collections.abc import Collection, Sequence
from uuid import UUID

from dawr.facilities import queries as facilities
from dawr.facilities.rules import Facility
from dawr.platform.db import WriteTx
from dawr.tickets import store, store_people


async def hold(tx: WriteTx, facility: Facility, clinics: Collection[str]) -> None:
    """Locks the queues of these clinics in the order of their names, as transfers do, so that nobody waits in a circle. To be
    called before the first change; what is locked above the queues comes after. One that is archived has no open tickets."""
    found = await facilities.clinics_named(await facilities.clinics_asked(tx, sorted(set(clinics))))
    for clinic in sorted(found, key=lambda one: one.id):
        await store.lock_queue(tx, facility, clinic)


async def forget(tx: WriteTx, tickets: Sequence[UUID]) -> int:
    """Takes the person off these tickets, for good; how many there were. That there was a ticket stays."""
    return await store_people.forget(tx, tickets)
