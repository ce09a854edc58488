"""Shorthands for the queue's tests: people come, desks call."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from dawr.accounts.rules import STRANGER, Actor
from dawr.facilities import queries as facilities
from dawr.platform.ids import new_id
from dawr.tickets import commands, queries
from dawr.tickets.commands import Arrival, Handover
from dawr.tickets.people import keep_person, passed_on
from dawr.tickets.queries import QueueStatus, TicketView
from dawr.tickets.rules import Place, Priority, Ticket, Verb
from tests.conftest import House


@dataclass
class Floor:
    """The waiting room of a house: each method is one transaction, as a request makes it."""

    house: House

    async def enter(
        self,
        user: str,
        *,
        clinic: str = "lab",
        actor: Actor = STRANGER,
        doctor: str | None = None,
        priority: Priority = Priority.NORMAL,
        name: str | None = None,
    ) -> Ticket:
        return (
            await self.enter_or_find(user, clinic=clinic, actor=actor, doctor=doctor, priority=priority, name=name)
        )[0]

    async def enter_or_find(
        self, user: str, *, clinic: str = "lab", actor: Actor = STRANGER, **wish: Any
    ) -> tuple[Ticket, bool]:
        here = self.house.here(actor)
        async with here.write() as tx:
            ticket_id = new_id(tx.now)
            personal = keep_person(here, ticket_id, user=user, name=wish.get("name"), phone=None)
            arrival = Arrival(ticket_id, wish.get("doctor"), wish.get("priority", Priority.NORMAL), None, personal)
            found = await facilities.clinic(tx, clinic)
            return await commands.enter(tx, actor, here.facility, found, arrival)

    async def call(self, *, clinic: str = "lab", desk: str | None = None, actor: Actor | None = None) -> Ticket:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            return await commands.call_next(tx, here.actor, here.facility, clinic_id=clinic, desk=desk)

    async def call_ticket(self, ticket: Ticket, *, desk: str | None = None, verb: Verb = Verb.CALL) -> Ticket:
        here = self.house.here(self.house.rui)
        async with here.write() as tx:
            return await commands.call(tx, here.actor, here.facility, ticket_id=ticket.id, desk=desk, verb=verb)

    async def move(self, ticket: Ticket, verb: Verb, *, actor: Actor | None = None) -> Ticket:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            return await commands.move(tx, here.actor, here.facility, ticket_id=ticket.id, verb=verb)

    async def undo(self, ticket: Ticket, *, actor: Actor | None = None) -> Ticket:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            return await commands.undo(tx, here.actor, here.facility, ticket_id=ticket.id)

    async def transfer(
        self, ticket: Ticket, to: str, *, place: Place = Place.END, actor: Actor | None = None
    ) -> Ticket:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            next_id = new_id(tx.now)
            personal = await passed_on(tx, here, ticket.id, to=next_id)
            handover = Handover(ticket.id, to, place, next_id, personal)
            return await commands.transfer(tx, here.actor, here.facility, handover)

    async def reset(self, clinic: str = "lab", *, actor: Actor | None = None) -> None:
        here = self.house.here(actor or self.house.ada)
        async with here.write() as tx:
            await commands.reset(tx, here.actor, here.facility, clinic_id=clinic, reason="drill")

    async def turn(self, clinic: str = "lab") -> None:
        async with self.house.here().write() as tx:
            await commands.turn(tx, self.house.facility, clinic_id=clinic)

    async def status(self, clinic: str = "lab") -> QueueStatus:
        async with self.house.here().read() as tx:
            return await queries.status(tx, self.house.facility, await facilities.clinic(tx, clinic))

    async def view(self, ticket_id: UUID) -> TicketView:
        async with self.house.here().read() as tx:
            return await queries.view(tx, self.house.here(), ticket_id)

    async def called(self, user: str) -> Ticket:
        """Somebody who came and was called out of order."""
        return await self.call_ticket(await self.enter(user), desk="1")


@pytest.fixture
def floor(house: House) -> Floor:
    return Floor(house)
