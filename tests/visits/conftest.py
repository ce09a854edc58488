"""Shorthands for the tests of visits: patients come to reception, desks call them."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from dawr.accounts.rules import SYSTEM, Actor
from dawr.facilities.queries import Context
from dawr.patients import commands as patients
from dawr.patients.rules import Identity
from dawr.platform import events
from dawr.platform.events import Recorded
from dawr.platform.ids import new_id
from dawr.tickets import commands as tickets
from dawr.tickets import store as ticket_store
from dawr.tickets.commands import Handover
from dawr.tickets.people import passed_on
from dawr.tickets.rules import Place, Ticket
from dawr.tickets.rules import Verb as Step
from dawr.visits import commands, queries
from dawr.visits.mount import join
from dawr.visits.queries import VisitView
from dawr.visits.rules import Status, Verb, Visit
from tests.conftest import House, found_house


@dataclass
class Reception:
    """The reception of a house: each method is one transaction, as a request makes it."""

    house: House

    async def elsewhere(self) -> "Reception":
        """The reception of another facility, where Sam works."""
        return Reception(await found_house(self.house.services))

    def here(self, actor: Actor | None = None) -> Context:
        return self.house.here(actor or self.house.rui)

    # What reception does

    async def patient(self, name: str = "Amina", **known: Any) -> UUID:
        here = self.here()
        async with here.write() as tx:
            return (await patients.create(tx, here, Identity(name=name, **known))).patient

    async def visit(self, patient: UUID | None = None, *, actor: Actor | None = None, **wish: Any) -> Visit:
        here = self.here(actor)
        wish = wish if "doctor" in wish else {"clinic": "lab"} | wish
        async with here.write() as tx:
            return await commands.create(tx, here, patient_id=patient or await self.patient(), **wish)

    async def end(self, one: Visit, verb: Verb = Verb.CANCEL, **told: Any) -> Visit:
        here = self.here(told.pop("actor", None))
        async with here.write() as tx:
            return await commands.end(tx, here, one.visit, verb=verb, **told)

    async def reopen(self, one: Visit) -> Visit:
        here = self.here()
        async with here.write() as tx:
            return await commands.reopen(tx, here, one.visit)

    async def add(self, one: Visit, clinic: str = "xray") -> Visit:
        here = self.here()
        async with here.write() as tx:
            return await commands.add_ticket(tx, here, one.visit, commands.Wish(clinic=clinic))

    # What desks do

    async def step(self, one: Visit, *steps: Step, clinic: str = "lab", actor: Actor = SYSTEM) -> Status:
        """Steps of the visit's latest ticket in a clinic; the visit's state afterwards."""
        ticket = await self.ticket(one, clinic)
        here = self.here(actor)
        for verb in steps:
            async with here.write() as tx:
                if verb is Step.CALL:
                    await tickets.call(tx, actor, here.facility, ticket_id=ticket.id, desk="1")
                else:
                    await tickets.move(tx, actor, here.facility, ticket_id=ticket.id, verb=verb)
        return await self.status(one)

    async def undo(self, one: Visit, clinic: str = "lab") -> Status:
        here, ticket = self.here(), await self.ticket(one, clinic)
        async with here.write() as tx:
            await tickets.undo(tx, here.actor, here.facility, ticket_id=ticket.id)
        return await self.status(one)

    async def transfer(self, one: Visit, to: str = "xray") -> Status:
        here, ticket = self.here(), await self.ticket(one)
        async with here.write() as tx:
            next_id = new_id(tx.now)
            personal = await passed_on(tx, here, ticket.id, to=next_id)
            await tickets.transfer(tx, here.actor, here.facility, Handover(ticket.id, to, Place.END, next_id, personal))
        return await self.status(one)

    # What can be seen

    async def view(self, one: Visit) -> VisitView:
        here = self.here()
        async with here.read() as tx:
            return await queries.view(tx, here, one.visit)

    async def status(self, one: Visit) -> Status:
        return (await self.view(one)).visit.status

    async def tickets(self, one: Visit) -> list[str]:
        """Clinic and state of the visit's tickets."""
        return [f"{ticket['clinic']} {ticket['status']}" for ticket in (await self.view(one)).tickets]

    async def ticket(self, one: Visit, clinic: str = "lab") -> Ticket:
        ids = [ticket["ticket"] for ticket in (await self.view(one)).tickets if ticket["clinic"] == clinic]
        async with self.here().read() as tx:
            return await ticket_store.ticket(tx, UUID(ids[-1]))

    async def history(self, one: Visit) -> list[Recorded]:
        async with self.here().read() as tx:
            return await events.history(tx, one.stream)

    async def types(self, one: Visit) -> list[str]:
        return [event.type.removeprefix("visit_") for event in await self.history(one)]


@pytest.fixture
def reception(house: House) -> Reception:
    """The reception of a test's own house, whose visits follow their tickets."""
    join(house.services)
    return Reception(house)
