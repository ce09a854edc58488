"""Shorthands for the tests of patients: one command is one transaction, as a request makes it."""

from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, TypeVar
from uuid import UUID

from dawr.accounts.rules import Actor
from dawr.facilities.queries import Context
from dawr.patients import commands, queries, queries_find
from dawr.patients.rules import Identity, PatientCard
from dawr.platform.db import WriteTx
from tests.conftest import House

T = TypeVar("T")
Command = Callable[Concatenate[WriteTx, Context, ...], Awaitable[T]]
AMINA: dict[str, Any] = {
    "name": "Amina Al-Thani",
    "names": {"ar": "أمينة آل ثاني"},
    "phone": "5550 1234",
    "birth_date": "1980-05-01",
    "gender": "female",
    "national_id": "28063400123",
    "record_number": "MR-00017",
    "language": "ar",
    "email": "amina.canary@example.org",
}


async def run(house: House, actor: Actor, command: Command[T], *given: Any, **named: Any) -> T:
    here = house.here(actor)
    async with here.write() as tx:
        return await command(tx, here, *given, **named)


async def made(house: House, name: str = "Amina Al-Thani", **fields: Any) -> PatientCard:
    return await run(house, house.rui, commands.create, Identity(name, **fields))


async def card_of(house: House, patient: UUID) -> PatientCard:
    here = house.here(house.rui)
    async with here.read() as tx:
        return await queries.card(tx, here, patient)


async def found(house: House, query: str, **named: Any) -> list[UUID]:
    """The ids that a search finds, newest record first."""
    here = house.here(house.rui)
    async with here.read() as tx:
        return [one.patient for one in (await queries_find.search(tx, here, query, **named)).cards]


async def value(house: House, sql: str, **params: object) -> Any:
    async with house.here().read() as tx:
        return await tx.value(sql, **params)
