"""Shorthands for the tests of ratings and records."""

from typing import Any
from uuid import UUID

import httpx2

from dawr.tickets import queries as tickets
from dawr.tickets.rules import Ticket, Verb
from tests.conftest import House
from tests.tickets.conftest import Floor, floor

__all__ = ["floor"]


async def served(floor: Floor, user: str = "amina", *, clinic: str = "lab") -> Ticket:
    """Somebody whose visit is over."""
    await floor.enter(user, clinic=clinic)
    return await floor.move(await floor.call(clinic=clinic, desk="1"), Verb.DONE)


def secret(house: House, ticket: UUID) -> dict[str, str]:
    """What the phone of a ticket's holder sends."""
    return {"Ticket-Secret": tickets.follow_of(house.here(), ticket).removeprefix("/t/")}


async def rate(phone: httpx2.AsyncClient, house: House, ticket: Ticket, stars: int = 5, **more: Any) -> httpx2.Response:
    body = {"ticket": str(ticket.id), "stars": stars} | {k: v for k, v in more.items() if k == "word"}
    headers = secret(house, ticket.id) | more.get("headers", {})
    return await phone.post("/api/v1/queue/rating", json=body, headers=headers)
