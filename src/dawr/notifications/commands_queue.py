"""Reading a queue's log for what its people are to be told. The queue itself does nothing for it and waits for nothing.

Each queue has a cursor: how far its log has been read. It is moved in the transaction that writes the messages down, under its
own lock, so that whatever dies, nothing is passed over and nothing is told twice; several processes share the queues.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from dawr.facilities.rules import Facility
from dawr.notifications import commands_tell, queries, store
from dawr.notifications.rules import WORTH, Fact, Moment, Rules, is_near, worth_until
from dawr.platform import events
from dawr.platform.db import WriteTx
from dawr.platform.events import Recorded
from dawr.platform.services import Services
from dawr.tickets import queries as ticket_queries
from dawr.tickets import queries_telling as tickets
from dawr.tickets.events import ENTERED, TYPES
from dawr.tickets.rules import Status, Ticket, Verb

QUEUE = "queue:"
EVENTS_A_READ = 500
_CALLED = TYPES[Verb.CALL]
_LONGEST_WORTH = max(WORTH.values()) + timedelta(minutes=1)


async def behind(tx: WriteTx) -> list[str]:
    """The clinics whose queue has moved on since it was last read, so that somebody may have to be told. What nobody is told of
    is passed over: that people came, which at a door is nearly everything."""
    moved = await tickets.versions(tx)
    # After the versions were read, so that where a crowd comes in meanwhile nothing is left to read in this round.
    await store.pass_cursors(tx, QUEUE, called=_CALLED)
    read = await queries.cursors(tx)
    return [clinic for clinic, version in moved.items() if version > read.get(QUEUE + clinic, -1)]


async def read_on(tx: WriteTx, services: Services, facility: Facility, clinic_id: str) -> int:
    """Reads the next events of a queue and has people told; how many it read. 0 at the end, and where another process reads.

    Who entered has just been told all there is: a crowd's events are passed over unread.
    """
    stream = QUEUE + clinic_id
    version = await store.claim_cursor(tx, stream, since=tx.now - _LONGEST_WORTH)
    if version is None:
        return 0
    end = (await tickets.versions(tx)).get(clinic_id, version)
    read = await events.since(tx, stream=stream, version=version, limit=EVENTS_A_READ, but=ENTERED)
    if read:
        # Behind the last of a full read there may be more.
        end = read[-1].version if len(read) == EVENTS_A_READ else max(end, read[-1].version)
    facts = _turns(read) + (await _waiting(tx, services, clinic_id) if _somebody_left(read) else [])
    await commands_tell.tell(tx, services, facility, [one for one in facts if one.worth_until > tx.now])
    if end > version:
        await store.move_cursor(tx, stream, end)
    return len(read)


def _turns(read: Sequence[Recorded]) -> list[Fact]:
    return [
        Fact(
            key=f"your_turn:{one.entity}:{one.version}",
            moment=Moment.YOUR_TURN,
            at=one.at,
            worth_until=worth_until(Moment.YOUR_TURN, one.at),
            ticket=UUID(one.entity),
        )
        for one in read
        if one.type == _CALLED
    ]


def _somebody_left(read: Iterable[Recorded]) -> bool:
    """Only then has anybody come nearer. Whoever has just come sees on their ticket where they stand."""
    return any(one.data.get("from") == Status.WAITING and one.data.get("to") != Status.WAITING for one in read)


async def _waiting(tx: WriteTx, services: Services, clinic_id: str) -> list[Fact]:
    """Who is next, and who is near by number or by the estimated wait."""
    rules = await queries.rules(tx)
    looked = rules.looked_ahead
    if not looked:
        return []
    line = await tickets.front(tx, clinic_id, limit=looked)
    minutes = await _minutes(tx, services, clinic_id, line)
    return [
        fact
        for (ticket, ahead), wait in zip(line, minutes, strict=True)
        if (fact := _fact(tx, rules, ticket, ahead, wait)) is not None
    ]


async def _minutes(
    tx: WriteTx, services: Services, clinic_id: str, line: Sequence[tuple[Ticket, int]]
) -> Sequence[int | None]:
    """The likely wait of each, where something honest can be said."""
    estimate: ticket_queries.WaitEstimate | None = services.additions.get(ticket_queries.WAIT)
    if estimate is None or not line:
        return [None] * len(line)
    waits = await estimate(tx, {clinic_id: [ahead for _, ahead in line]})
    return [one["likely_minutes"] if one else None for one in waits[clinic_id]]


def _fact(tx: WriteTx, rules: Rules, ticket: Ticket, ahead: int, minutes: int | None) -> Fact | None:
    near = any(is_near(one, ahead=ahead, minutes=minutes) for one in rules.at(Moment.NEAR))
    if ahead and not near:
        return None
    moment = Moment.NEAR if ahead else Moment.NEXT
    wait = {"minutes": minutes} if minutes else {}
    return Fact(
        # Whoever was called and waits again comes near again.
        key=f"{moment}:{ticket.id}:{ticket.calls}",
        moment=moment,
        at=tx.now,
        worth_until=worth_until(moment, tx.now),
        ticket=ticket.id,
        numbers={"ahead": ahead} | wait,
    )
