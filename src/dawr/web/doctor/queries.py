"""What the doctor's pages show first: the ticket that is being served, and whose it is."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Right
from dawr.facilities.queries import Context
from dawr.tickets import queries as tickets
from dawr.tickets.people import shown_person
from dawr.visits import commands as visits


@dataclass(frozen=True, slots=True)
class Served:
    """``ticket`` is as the API answers it; ``visit`` is ``None``, and ``name`` what the person gave, where nobody registered
    them."""

    ticket: dict[str, Any]
    name: str | None
    visit: UUID | None


async def served(here: Context, ticket_id: UUID) -> Served:
    """For a doctor of the ticket's clinic. Nothing of the patient's record is read here."""
    here.actor.require(Right.CONSULT)
    async with here.read() as tx:
        view = await tickets.view(tx, here, ticket_id)
        here.actor.require(Right.CONSULT, view.ticket.clinic)
        return Served(view.answer(), shown_person(here, view)["name"], await visits.of_ticket(tx, ticket_id))
