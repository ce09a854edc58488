"""What a crowd reads and writes, for all its clinics at once: each function is one trip to the database."""

from collections.abc import Sequence
from typing import Any

from dawr.facilities import queries as facilities
from dawr.facilities.rules import Clinic, Facility
from dawr.platform import numbers
from dawr.platform.db import Answers, WriteTx, rows_text
from dawr.platform.values import value
from dawr.tickets import rules, store
from dawr.tickets.rules import Queue
from dawr.tickets.store import Personal, Plan
from dawr.tickets.store_tables import IS_OPEN

# In one order everywhere, whatever the database's own is, so that nobody waits in a circle. The server would go on making a plan
# for each crowd's look, at the price of the look itself: it compares with what plans cost before it had analysed the tables.
_LOCK = f"""
SELECT {", ".join(Queue.__dataclass_fields__)}
FROM (SELECT set_config('plan_cache_mode', 'force_generic_plan', true)) AS planned_once, queue
WHERE facility_id = %(facility_id)s AND clinic = ANY(%(clinics)s) ORDER BY clinic COLLATE "C" FOR UPDATE OF queue
"""
# ``later`` are the keys behind somebody who joins now, whose key is as ``rules.joining_key`` has it. The orders are those of the
# indexes that serve: a database that has never been analysed takes all indexes for equally good, and would read all who wait.
# ``known`` looks for a person as the first of a range for this alone.
# The driver writes many persons ten times faster in their binary form.
_DOORS = f"""
SELECT c.*,
       array(SELECT n.person FROM unnest(%(wanted)s::text[], %(persons)b::bytea[]) AS w (clinic, person), LATERAL
               (SELECT t.person FROM ticket t WHERE t.facility_id = q.facility_id AND t.clinic = q.clinic
                AND t.person BETWEEN w.person AND w.person AND {IS_OPEN.replace("status", "t.status")}
                ORDER BY t.person LIMIT 1) AS n
             WHERE w.clinic = q.clinic) AS known,
       coalesce((SELECT n.last FROM counter n WHERE n.facility_id = q.facility_id AND n.kind = 'ticket'
                 AND n.scope = q.clinic AND n.service_day = q.service_day AND n.series = q.series), 0) AS last,
       array(SELECT t.order_key FROM ticket t WHERE t.facility_id = q.facility_id AND t.clinic = q.clinic
             AND t.status = 'waiting' AND (t.rank, t.order_key) >= (1, greatest(%(now)s, q.last_key + %(step)s))
             ORDER BY t.rank, t.order_key) AS later
FROM ({facilities.NAMED}) AS c LEFT JOIN queue q ON q.facility_id = %(facility_id)s AND q.clinic = c.id
"""
_WRITE = f"""
WITH wanted AS MATERIALIZED ({numbers.WANTED}),
     counted AS ({numbers.TAKE}),
     moved AS ({store.SAVE_QUEUES.replace("rows", "queues")})
{store.INSERT.replace("rows", "tickets")}
"""


@value(frozen=True, slots=True)
class Door:
    """What a crowd meets at a clinic: its queue, locked, and the clinic as it is under that lock (whoever archives one holds
    it until nobody can come any more); who of the crowd is in the queue already; the keys of those who wait behind somebody who
    joins now (they came early to an appointment); the last number given."""

    queue: Queue
    clinic: Clinic
    known: frozenset[bytes]
    later: tuple[int, ...]
    last: int

    @property
    def ahead(self) -> int:
        """How many wait before somebody who joins now."""
        return self.queue.waiting - len(self.later)


# A clinic, and who comes to it.
Comer = tuple[str, bytes]


@value(frozen=True, slots=True)
class Asked:
    """A look at some doors that is on its way."""

    comers: Sequence[Comer]
    locking: Answers
    looking: Answers


async def ask(tx: WriteTx, comers: Sequence[Comer]) -> Asked:
    """Locks the queues of the clinics they come to and looks at each, in a trip of the caller's. To be followed by
    ``answered``."""
    clinics, persons = zip(*comers, strict=True)
    names, now = sorted(set(clinics)), rules.nanoseconds(tx.now)
    locking = await tx.asked(_LOCK, clinics=names)
    # A statement sees what was committed when it began: this one begins when the locks are held.
    looking = await tx.asked(
        _DOORS, clinics=names, wanted=list(clinics), persons=list(persons), now=now, step=rules.STEP
    )
    return Asked(comers, locking, looking)


async def answered(tx: WriteTx, facility: Facility, asked: Asked) -> dict[str, Door]:
    """The doors, by clinic in the order of the locks; one that does not exist is missing. A clinic whose queue has yet to be
    opened or turned costs further trips."""
    found, seen = await _seen(asked)
    today = facility.service_day(tx.now)
    stale = [name for name in seen if name not in found or found[name].service_day < today]
    if stale:
        for name in sorted(stale):
            await store.lock_queue(tx, facility, seen[name][0])
        async with tx.one_trip():
            asked = await ask(tx, asked.comers)
        found, seen = await _seen(asked)
    return {name: Door(found[name], *seen[name]) for name in sorted(seen)}


# Of a door all but its queue.
_Seen = tuple[Clinic, frozenset[bytes], tuple[int, ...], int]


async def _seen(asked: Asked) -> tuple[dict[str, Queue], dict[str, _Seen]]:
    queues = {row["clinic"]: Queue(**row) for row in await asked.locking.fetchall()}
    return queues, {row["id"]: _behind(row) for row in await asked.looking.fetchall()}


def _behind(row: dict[str, Any]) -> _Seen:
    known, later, last = (row.pop(name) for name in ("known", "later", "last"))
    return facilities.clinic_of(row), frozenset(map(bytes, known)), tuple(later), last


async def write(tx: WriteTx, plans: Sequence[Plan], *, personal: Sequence[Personal]) -> None:
    """Takes the numbers that the plans' tickets have, and writes the plans, whose tickets are all fresh, in a trip of the
    caller's; ``personal`` belongs to the tickets, one after the other. Fails where a number has been
    taken by somebody else meanwhile, who cannot have held the locks."""
    tickets = store.entering_rows([ticket for one in plans for ticket in one.tickets], personal)
    await tx.asked(
        _WRITE,
        kind="ticket",
        counters=rows_text([_wanted(one) for one in plans]),
        queues=rows_text([one.queue for one in plans]),
        tickets=rows_text(tickets),
    )
    # Made while the tickets are being written.
    await store.record_events(tx, plans)


def _wanted(made: Plan) -> numbers.Wanted:
    first, last = made.tickets[0], made.tickets[-1].number
    return numbers.Wanted(first.clinic, first.service_day, first.series, given=first.number - 1, last=last)
