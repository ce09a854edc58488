"""What becomes of open tickets when the records of their patients are merged or parted: listeners.

One person stands once in a queue. Of two tickets that a merge makes one person's the later is cancelled, and its visit with it
where it has no other; parting the records on the same day takes that back.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from uuid import UUID

from dawr.facilities.queries import Context
from dawr.patients import queries as patients
from dawr.patients.commands import Regrouped
from dawr.platform.db import WriteTx
from dawr.platform.services import Services
from dawr.tickets import commands as tickets
from dawr.tickets.commands_together import belongs_to, hold
from dawr.tickets.rules import TRANSITIONS, Verb
from dawr.visits import events, queries_people, store
from dawr.visits.commands import person_of, take_back
from dawr.visits.queries_people import Standing

CANCELLABLE = TRANSITIONS[Verb.CANCEL][0]


async def follow_records(tx: WriteTx, _: Services, news: Sequence[Regrouped]) -> None:
    for one in news:
        families = {person: await patients.family(tx, person) for person in one.people}
        await _hold(tx, one.here, list(families.values()))
        if one.parted:
            # Before anything comes back: until then a ticket may stand for who it was one with.
            await _name_anew(tx, one.here, families)
            await _give_back(tx, one.here, list(families.values()))
        for family in families.values():
            await _set_aside(tx, one.here, await queries_people.standing(tx, family))
        await _name_anew(tx, one.here, families)


async def _name_anew(tx: WriteTx, here: Context, families: Mapping[UUID, Sequence[UUID]]) -> None:
    """Has each person's tickets stand for the record that answers for them, so that nobody enters a queue they stand in; also
    those that are over and may come back to it."""
    for person, family in families.items():
        stands = groupby(_in_order(await queries_people.standing(tx, family)), key=_clinic)
        tickets_of_one = [next(group).ticket for _, group in stands]
        tickets_of_one += [one.ticket for one in await queries_people.ended(tx, family, day=_today(tx, here))]
        for ticket in tickets_of_one:
            await belongs_to(tx, here, ticket, user=person_of(person))


def _today(tx: WriteTx, here: Context) -> date:
    return here.facility.service_day(tx.now)


def _in_order(standing: Sequence[Standing]) -> list[Standing]:
    return sorted(standing, key=lambda one: one.place)


def _clinic(one: Standing) -> str:
    return one.clinic


async def _hold(tx: WriteTx, here: Context, families: Sequence[Sequence[UUID]]) -> None:
    """The queues that any of these people stand in, or stood in on this service day."""
    people = [one for family in families for one in family]
    asked = [one.clinic for one in await queries_people.standing(tx, people)]
    asked += [one.clinic for one in await queries_people.ended(tx, people, day=_today(tx, here))]
    await hold(tx, here.facility, set(asked))


async def _set_aside(tx: WriteTx, here: Context, standing: Sequence[Standing]) -> None:
    for _, group in groupby(_in_order(standing), key=_clinic):
        _, *others = group
        for one in others:
            if one.status in CANCELLABLE:
                await tickets.move(tx, here.actor, here.facility, ticket_id=one.ticket, verb=Verb.CANCEL)
                visit = store.raised(await store.load_for(tx, here.actor, one.visit))
                told = store.event_of(
                    visit, events.SET_ASIDE, actor=here.actor.label, tx=tx, tickets=[str(one.ticket)], clinic=one.clinic
                )
                await store.save(tx, [(visit, told)])


async def _give_back(tx: WriteTx, here: Context, families: Sequence[Sequence[UUID]]) -> None:
    for family in families:
        for one in await queries_people.set_aside(tx, family, day=_today(tx, here)):
            stands_in = {each.clinic for each in await queries_people.standing(tx, family)}
            if one.clinic not in stands_in:
                await take_back(tx, here, one.ticket)
