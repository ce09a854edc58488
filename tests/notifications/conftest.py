"""Shorthands for the tests of notifications: people wait and are called, the log is read, a carrier takes messages."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import UUID

import pytest

from dawr.accounts.rules import SYSTEM, Actor
from dawr.facilities import commands as facilities_commands
from dawr.facilities.rules_settings import FacilitySettings
from dawr.notifications import commands, commands_queue, commands_send, commands_tell, jobs, queries, store_deliveries
from dawr.notifications.channel import use
from dawr.notifications.commands_send import Ready
from dawr.notifications.jobs_send import Sender, mark_of
from dawr.notifications.queries import DeliveryView, NoticeView
from dawr.notifications.rules import HOUSE_RULES, Fact, Quiet, Rule, Rules
from dawr.notifications.rules_channels import SENT, Message, Pace, Reached, Result
from dawr.platform.db import ReadTx
from dawr.platform.services import Services
from dawr.tickets.rules import Ticket
from tests.conftest import House, make_services, new_database
from tests.tickets.conftest import Floor
from tests.tickets.conftest import floor as floor
from tests.visits.conftest import reception as reception

PHONE = "+97455504321"


@dataclass
class Carrier:
    """A channel that keeps what it is given and says what it is told to say; without more to say, that it was sent.

    Senders go through every facility of the database: what another test left there is taken without a word.
    """

    facility: UUID
    name: str = "sms"
    pace: Pace = field(default_factory=lambda: Pace(per_second=1000, burst=1000))
    messages: list[Message] = field(default_factory=list)
    says: list[Result | Exception] = field(default_factory=list)
    hangs: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def addresses(self, tx: ReadTx, services: Services, person: Reached) -> Sequence[str]:
        return (person.phone,) if person.phone else ()

    async def send(self, message: Message) -> Result:
        if message.facility_id != self.facility:
            return SENT
        self.messages.append(message)
        self.changed.set()
        if self.hangs:
            await asyncio.Event().wait()
        said = self.says.pop(0) if self.says else SENT
        if isinstance(said, Exception):
            raise said
        return said

    async def close(self) -> None:
        pass

    async def until(self, condition: Callable[[], bool], *, seconds: float = 10) -> None:
        async with asyncio.timeout(seconds):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.messages]


@dataclass
class Desk:
    """What tells people in a house; each method is one transaction, as the workers make it."""

    house: House
    floor: Floor
    carrier: Carrier

    @property
    def services(self) -> Services:
        return self.house.services

    # What the workers do

    async def read(self, clinic: str = "lab") -> int:
        """Reads a queue's log on by one step; how many events."""
        async with self.house.here().write() as tx:
            return await commands_queue.read_on(tx, self.services, self.house.facility, clinic)

    async def tell(self, *facts: Fact) -> int:
        async with self.house.here().write() as tx:
            return await commands_tell.tell(tx, self.services, self.house.facility, facts)

    async def claim(self, *, limit: int = 50) -> list[Ready]:
        async with self.house.here().write() as tx:
            return await commands_send.take(tx, self.services, self.carrier.name, limit=limit)

    async def settle(self, one: Ready, result: Result, *, share: float | None = None) -> bool:
        made = mark_of(one, result, self.services.clock, share=share)
        async with self.house.here().write() as tx:
            return await store_deliveries.mark(tx, one.claim, made)

    async def send(self) -> list[Message]:
        """Sends everything that is due, one after the other; what went out."""
        ready = await self.claim()
        for one in ready:
            await self.settle(one, await self.carrier.send(one.message))
        return [one.message for one in ready]

    async def visit_event(self, visit: UUID, type_: str = "visit_created") -> None:
        await jobs.visit_events(self.services, self.house.facility.id, [{"visit": str(visit), "type": type_}])

    # What people do

    async def enter(self, user: str, *, phone: str | None = PHONE, clinic: str = "lab") -> Ticket:
        found, _ = await self.floor.enter_or_find(user, clinic=clinic, phone=phone)
        return found

    async def rules(self, *rules: Rule, quiet: Quiet | None = None) -> Rules:
        async with self.house.here().write() as tx:
            return await commands.set_rules(tx, self.services, self.house.ada, rules=rules, quiet=quiet)

    # What can be seen

    async def inbox(self, actor: Actor) -> list[NoticeView]:
        async with self.house.here().read() as tx:
            return await queries.inbox(tx, actor, before=None, unread=None, limit=200)

    async def log(self, **filters: object) -> list[DeliveryView]:
        """The house's messages, oldest first."""
        async with self.house.here().read() as tx:
            return (await queries.deliveries(tx, before=None, limit=200, filters=filters))[::-1]

    async def states(self) -> list[tuple[str, str, str | None]]:
        return [(one.moment.value, one.status.value, one.reason) for one in await self.log()]

    async def change(self, sql: str, **params: Any) -> None:
        """What time or another hand does to the rows."""
        async with self.house.here().write() as tx:
            await tx.execute(sql, **params)

    @asynccontextmanager
    async def sender(self) -> AsyncIterator[Sender]:
        """The worker that sends, at work in the block."""
        worker = Sender(self.services)
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            await asyncio.wait_for(task, 5)


@asynccontextmanager
async def services_alone(server_url: str, folder: Path) -> AsyncIterator[Services]:
    """Services on a database of their own: a worker that goes round the facilities of every other test is late."""
    made = make_services(new_database(server_url), folder)
    await made.db.open()
    yield made
    await made.db.close()


@pytest.fixture
def carrier(house: House) -> Iterator[Carrier]:
    """The only channel there is, under the name that the house's rules have for text messages."""
    services, made = house.services, Carrier(house.facility.id)
    with patch.dict(services.additions):
        use(services, [made])
        yield made


@pytest.fixture
async def desk(house: House, floor: Floor, carrier: Carrier) -> Desk:
    """In a house that speaks English first."""
    async with house.here().write() as tx:
        spoken = FacilitySettings(languages=("en", "ar", "hi"))
        facility = await facilities_commands.change_facility(tx, SYSTEM, settings=spoken)
    return Desk(House(house.services, facility), floor, carrier)


def house_rules(*moments: str) -> list[Rule]:
    """The house's own rules about these moments."""
    return [one for one in HOUSE_RULES.rules if one.moment in moments]
