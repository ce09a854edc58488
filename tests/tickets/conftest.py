"""Shorthands for the queue's tests: people come, desks call."""

from collections.abc import AsyncIterator, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from dawr.accounts.rules import STRANGER, SYSTEM, Actor, Role
from dawr.facilities import queries as facilities
from dawr.platform import events
from dawr.platform.errors import Forbidden, Problem, Unauthenticated
from dawr.platform.events import Recorded
from dawr.platform.ids import new_id
from dawr.tickets import commands, commands_enter, queries, store
from dawr.tickets.commands import Arrival, Handover
from dawr.tickets.people import keep_person, passed_on
from dawr.tickets.queries import QueueStatus, TicketView
from dawr.tickets.rules import TRANSITIONS, Place, Priority, Queue, Status, Ticket, TicketNotFound, Verb
from tests.conftest import House, found_house

ONLY_STAFF: list[tuple[str, type[Problem]]] = [
    ("stranger", Unauthenticated),
    ("display", Forbidden),
    ("doctor of another clinic", Forbidden),
    ("patient", Forbidden),
    ("another patient", TicketNotFound),
]
STAFF_OR_THE_PATIENT = [one for one in ONLY_STAFF if one[0] != "patient"]


def not_from(verb: Verb) -> list[Status]:
    """The states in which a verb is refused."""
    return [status for status in Status if status not in TRANSITIONS[verb][0]]


@dataclass
class Floor:
    """The waiting room of a house: each method is one transaction, as a request makes it."""

    house: House

    async def elsewhere(self) -> "Floor":
        """The waiting room of another facility, where Sam works."""
        return Floor(await found_house(self.house.services))

    def someone(self, who: str, ticket: Ticket) -> Actor:
        """Whoever ``ONLY_STAFF`` names, with regard to a ticket."""
        return {
            "stranger": STRANGER,
            "display": Actor(kind="staff", account_id=uuid4(), role=Role.DISPLAY),
            "doctor of another clinic": Actor(
                kind="staff", account_id=uuid4(), role=Role.DOCTOR, clinics=frozenset({"elsewhere"}), doctor="omar"
            ),
            "patient": Actor(kind="patient", ticket=ticket.id),
            "another patient": Actor(kind="patient", ticket=uuid4()),
        }[who]

    def set_clock(self, instant: datetime) -> None:
        """Makes it this late now; time goes on from there."""
        clock = self.house.clock
        clock.offset += instant - clock.now()

    # What people do

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
            personal = keep_person(here, ticket_id, user=user, name=wish.get("name"), phone=wish.get("phone"))
            arrival = Arrival(ticket_id, wish.get("doctor"), wish.get("priority", Priority.NORMAL), None, personal)
            return await commands_enter.enter(tx, actor, here.facility, clinic, arrival)

    async def several(self, count: int, *, clinic: str = "lab") -> list[Ticket]:
        """People who came one after the other."""
        return [await self.enter(f"person-{n}", clinic=clinic) for n in range(count)]

    async def call(self, *, clinic: str = "lab", desk: str | None = None, actor: Actor | None = None) -> Ticket:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            return (await commands.call_next(tx, here.actor, here.facility, clinic_id=clinic, desk=desk)).ticket

    async def call_ticket(
        self, ticket: Ticket, *, desk: str | None = None, verb: Verb = Verb.CALL, actor: Actor | None = None
    ) -> Ticket:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            return (
                await commands.call(tx, here.actor, here.facility, ticket_id=ticket.id, desk=desk, verb=verb)
            ).ticket

    async def move(self, ticket: Ticket, verb: Verb, *, actor: Actor | None = None) -> Ticket:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            return (await commands.move(tx, here.actor, here.facility, ticket_id=ticket.id, verb=verb)).ticket

    async def undo(self, ticket: Ticket, *, actor: Actor | None = None) -> Ticket:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            return (await commands.undo(tx, here.actor, here.facility, ticket_id=ticket.id)).ticket

    async def transfer(
        self, ticket: Ticket, to: str, *, place: Place = Place.END, actor: Actor | None = None
    ) -> Ticket:
        here = self.house.here(actor or self.house.rui)
        async with here.write() as tx:
            next_id = new_id(tx.now)
            personal = await passed_on(tx, here, ticket.id, to=next_id)
            handover = Handover(ticket.id, to, place, next_id, personal)
            return (await commands.transfer(tx, here.actor, here.facility, handover)).ticket

    async def reset(self, clinic: str = "lab", *, actor: Actor | None = None) -> Queue:
        here = self.house.here(actor or self.house.ada)
        async with here.write() as tx:
            return await commands.reset(tx, here.actor, here.facility, clinic_id=clinic, reason="drill")

    async def turn(self, clinic: str = "lab") -> None:
        async with self.house.here().write() as tx:
            await commands.turn(tx, self.house.facility, clinic_id=clinic)

    async def called(self, user: str) -> Ticket:
        """Somebody who came and was called out of order."""
        return await self.call_ticket(await self.enter(user), desk="1")

    async def in_state(self, user: str, status: Status) -> Ticket:
        """Somebody whose ticket has come to this state."""
        ticket = await self.enter(user)
        if status in (Status.CALLED, Status.SERVING, Status.DONE, Status.NO_SHOW):
            ticket = await self.call_ticket(ticket, desk="1")
        match status:
            case Status.WAITING | Status.CALLED:
                return ticket
            case Status.TRANSFERRED:
                await self.transfer(ticket, "xray")
                return await self.ticket(ticket.id)
            case _:
                by = {Status.SERVING: Verb.SERVE, Status.HELD: Verb.HOLD, Status.DONE: Verb.DONE}
                by |= {Status.NO_SHOW: Verb.NO_SHOW, Status.CANCELLED: Verb.CANCEL, Status.EXPIRED: Verb.EXPIRE}
                return await self.move(ticket, by[status], actor=SYSTEM)

    # What can be seen

    async def status(self, clinic: str = "lab") -> QueueStatus:
        async with self.house.here().read() as tx:
            return await queries.status(tx, self.house.facility, await facilities.clinic(tx, clinic))

    async def waiting(self, clinic: str = "lab") -> Sequence[str]:
        return list((await self.status(clinic)).waiting)

    async def view(self, ticket_id: UUID) -> TicketView:
        async with self.house.here().read() as tx:
            return await queries.view(tx, self.house.here(), ticket_id)

    async def ticket(self, ticket_id: UUID) -> Ticket:
        async with self.house.here().read() as tx:
            return await store.ticket(tx, ticket_id)

    async def log(self, clinic: str = "lab", *, after: int = 0) -> list[Recorded]:
        """What happened in a queue."""
        async with self.house.here().read() as tx:
            return await events.since(tx, stream=f"queue:{clinic}", version=after)

    async def history(self, ticket: Ticket) -> list[str]:
        """What happened to a ticket."""
        async with self.house.here().read() as tx:
            return [one.type for one in await events.history(tx, ticket.id)]


_MISCOUNTED = """
SELECT clinic FROM queue q WHERE facility_id = %(facility_id)s AND waiting <> (
  SELECT count(*) FROM ticket t WHERE t.facility_id = q.facility_id AND t.clinic = q.clinic AND t.status = 'waiting')
"""


_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture
async def floor(house: House, request: pytest.FixtureRequest) -> AsyncIterator[Floor]:
    """The waiting room of a test's own house. Whatever is done there, its queues know how many wait."""
    yield Floor(house)
    if not request.node.stash.get(_FAILED, False):
        async with house.services.db.read(house.facility.id) as tx:
            assert await tx.rows(_MISCOUNTED) == []
