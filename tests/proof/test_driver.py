"""Clients that ask again with the same key: what they keep of it, on a line that loses answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2

from dawr.accounts.rules import Role
from tests.conftest import House, Live
from tests.proof.driver import TIMEOUT, Client, Journal, Lost
from tests.proof.proxy import Proxy, proxy


@dataclass
class OneLine:
    """The product behind one line."""

    line: Proxy
    facility: str
    bearer: str
    well: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def urls(self) -> list[str]:
        return [self.line.url]

    async def token(self, old: str) -> str:
        return self.bearer


@asynccontextmanager
async def reached(live: Live, house: House) -> AsyncIterator[tuple[OneLine, Client, Client]]:
    """The line, a person and a desk."""
    port = int(live.url.rpartition(":")[2])
    async with proxy(port) as line, live.staff(house, Role.RECEPTION) as rui:
        reach = OneLine(line, house.facility.slug, rui.headers["Authorization"].removeprefix("Bearer "))
        reach.well.set()
        async with httpx2.AsyncClient(timeout=TIMEOUT, verify=False) as http:
            journal = Journal()
            person = Client(reach, journal, 1, http)
            yield reach, person, Client(reach, journal, 2, http, staff=True, bearer="none that counts")


async def test_an_answer_that_came_is_kept_as_it_was(live: Live, house: House) -> None:
    async with reached(live, house) as (_, person, _):
        said = await person.ask("enter", clinic="lab", user="amina")
        (kept,) = person.journal.operations
        assert said == kept.output
        assert said is not None
        assert (said["http"], said["number"], said["ahead"], said["status"]) == (201, 1, 0, "waiting")
        assert person.journal.tickets[said["ticket"]].number == 1
        assert (person.journal.lost, person.journal.acknowledged) == ([], 1)


async def test_a_lost_answer_is_asked_for_again_and_is_one_operation(live: Live, house: House) -> None:
    async with reached(live, house) as (reach, person, _):
        reach.line.loses = 1
        said = await person.ask("enter", clinic="lab", user="amina")
        (kept,) = person.journal.operations
        (lost,) = person.journal.lost
        assert lost.resolved is not None
        assert kept.call < lost.since < lost.resolved == kept.returned
        assert said is not None
        # What it was then is known, what it was like then is not.
        assert (said["number"], "ahead" in said, "status" in said) == (1, False, False)
        assert person.journal.unresolved == []


async def test_a_refusal_after_a_lost_answer_leaves_the_first_question_open(live: Live, house: House) -> None:
    async with reached(live, house) as (reach, _, desk):
        await desk.ask("call_next", clinic="lab")
        reach.line.loses = 1
        said = await desk.ask("call_next", clinic="lab")
        assert said == {"http": 409, "code": "queue_empty"}
        _, first, second = desk.journal.operations
        assert (first.returned, first.output, second.output) == (None, None, said)
        assert second.call > first.call


async def test_a_desk_signs_in_again_and_nothing_is_missed_by_it(live: Live, house: House) -> None:
    async with reached(live, house) as (_, person, desk):
        await person.ask("enter", clinic="lab", user="amina")
        called = await desk.ask("call_next", clinic="lab")
        assert called is not None
        assert (called["http"], called["number"], desk.journal.lost) == (200, 1, [])


async def test_what_nobody_expects_is_noted(live: Live, house: House) -> None:
    async with reached(live, house) as (_, person, _):
        await person.ask("enter", clinic="elsewhere", user="amina")
        assert "404" in person.journal.strange[0]


def test_a_resolution_counts_from_the_recovery() -> None:
    journal = Journal(faults=[(10, 14)])
    journal.lost = [Lost("enter", 11, 14.5), Lost("enter", 11, 13), Lost("enter", 20, 20.25), Lost("done", 30, None)]
    assert journal.slowest() == 0.5
    assert len(journal.unresolved) == 1


def test_a_standstill_is_one_clinics() -> None:
    assert Journal(done=[(1, "lab"), (2, "xray"), (3, "xray"), (4, "lab"), (4.5, "xray")]).standstill() == 3
