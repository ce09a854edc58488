"""Writes of visits. ``load_for`` finds, asks for the right and locks; there is no other way to get a visit that may be changed.

Order of locks: the queues of the visit's tickets first, in the order of their names, then the visit. Whoever changes a ticket
holds its queue already and comes to the visit last, so nobody waits in a circle.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Actor, Right
from dawr.platform import events, numbers, outbox
from dawr.platform.db import Answers, ReadTx, WriteTx, rows_text
from dawr.platform.events import Recorded
from dawr.tickets import rules as tickets
from dawr.visits import store_tables  # noqa: F401 - whoever writes rows needs the tables declared
from dawr.visits.events import TOLD
from dawr.visits.rules import Status, Stop, Visit, VisitNotFound

FIELDS = tuple(Visit.__dataclass_fields__)
COLUMNS = ", ".join(f"v.{name}" for name in FIELDS)
_GIVEN = tuple(name for name in FIELDS if name != "number")
_ONE = f"SELECT {COLUMNS} FROM visit v WHERE v.facility_id = %(facility_id)s AND v.visit = %(visit)s"
_LOCK = _ONE + " FOR NO KEY UPDATE"
# The ticket is found first: of a hundred thousand visits, those of the tickets at hand.
_OF_TICKETS = f"""
SELECT {COLUMNS}, vt.ticket FROM visit_ticket vt
JOIN visit v ON v.facility_id = vt.facility_id AND v.visit = vt.visit
WHERE vt.facility_id = %(facility_id)s AND vt.ticket = ANY(%(tickets)s) ORDER BY v.visit FOR NO KEY UPDATE OF v
"""
_STOPS = """
SELECT vt.visit, t.id AS ticket, t.clinic, t.status, t.started_at IS NOT NULL AS begun FROM visit_ticket vt
JOIN ticket t ON t.facility_id = vt.facility_id AND t.id = vt.ticket
WHERE vt.facility_id = %(facility_id)s AND vt.visit = ANY(%(visits)s) ORDER BY vt.ticket
"""
_VISIT_OF = "SELECT visit FROM visit_ticket WHERE facility_id = %(facility_id)s AND ticket = %(ticket)s"
_SAVE = """
UPDATE visit SET status = %(status)s, started_at = %(started_at)s, ended_at = %(ended_at)s, version = %(version)s
WHERE facility_id = %(facility_id)s AND visit = %(visit)s
"""
_LINK = """
INSERT INTO visit_ticket (facility_id, ticket, visit, clinic) VALUES (%(facility_id)s, %(ticket)s, %(visit)s, %(clinic)s)
"""
# Who has the number keeps every other reception waiting until the end of the transaction: it is taken in the very statement
# that uses it.
_CREATE = f"""
WITH taken AS ({numbers.NEXT}),
     made AS (INSERT INTO visit (facility_id, number, {", ".join(_GIVEN)})
              VALUES (%(facility_id)s, (SELECT last FROM taken), {", ".join(f"%({name})s" for name in _GIVEN)})
              RETURNING number),
     linked AS ({_LINK}),
     told AS ({events.APPEND}),
     work AS ({outbox.PUT})
SELECT number FROM made
"""
_KEEP_REASON = """
INSERT INTO visit_reason (facility_id, visit, version, reason_sealed)
VALUES (%(facility_id)s, %(visit)s, %(version)s, %(reason_sealed)s)
"""

Link = tuple[UUID, UUID, str]
"""A ticket, its visit and its clinic."""


def as_visit(row: Mapping[str, Any]) -> Visit:
    return Visit(**{name: row[name] for name in FIELDS} | {"status": Status(row["status"])})


async def visit(tx: ReadTx, visit_id: UUID) -> Visit:
    """A visit as it is, without a lock and without asking for a right."""
    row = await tx.row(_ONE, visit=visit_id)
    if row is None:
        raise VisitNotFound
    return as_visit(row)


async def load_for(tx: WriteTx, actor: Actor, visit_id: UUID) -> Visit:
    """Finds, authorises and locks. The queues of its open tickets are held already."""
    actor.require(Right.VISITS)
    row = await tx.row(_LOCK, visit=visit_id)
    if row is None:
        raise VisitNotFound
    return as_visit(row)


async def of_tickets(tx: WriteTx, ticket_ids: Iterable[UUID]) -> dict[UUID, Visit]:
    """The visits of tickets whose queues are held, locked, by ticket; a ticket without a visit is missing."""
    rows = await tx.rows(_OF_TICKETS, tickets=list(ticket_ids))
    return {row["ticket"]: as_visit(row) for row in rows}


async def visit_of(tx: ReadTx, ticket_id: UUID) -> UUID | None:
    found: UUID | None = await tx.value(_VISIT_OF, ticket=ticket_id)
    return found


async def stops(tx: ReadTx, visit_ids: Iterable[UUID]) -> dict[UUID, list[Stop]]:
    """What the visits depend on, by visit, in the order in which the tickets were made."""
    wanted = list(visit_ids)
    found: dict[UUID, list[Stop]] = {one: [] for one in wanted}
    for row in await tx.rows(_STOPS, visits=wanted):
        stop = Stop(row["ticket"], row["clinic"], tickets.Status(row["status"]), row["begun"])
        found[row["visit"]].append(stop)
    return found


async def create(
    tx: WriteTx, made: Visit, event: Recorded, *, ticket: tuple[UUID, str], reason: bytes | None
) -> Answers:
    """Writes a visit with its first ticket and its first event, in a trip of the caller's; the answer is its number, the next
    of the facility's service day. To be the last of its transaction: until that ends nobody else gets one. ``reason`` is
    sealed."""
    counter = numbers.counted(kind="visit", scope="facility", service_day=made.service_day)
    first = {"ticket": ticket[0], "clinic": ticket[1], "rows": rows_text([event])}
    numbering = await tx.asked(_CREATE, **_row(made) | counter | first | _work(tx, event))
    events.touch(tx, [event])
    if reason:
        await tx.execute(_KEEP_REASON, visit=made.visit, version=made.version, reason_sealed=reason)
    return numbering


async def numbered(made: Visit, numbering: Answers) -> Visit:
    """The visit that ``create`` wrote, with the number that it got."""
    row = await numbering.fetchone()
    assert row is not None
    return replace(made, number=row["number"])


async def save(
    tx: WriteTx, changed: Sequence[tuple[Visit, Recorded]], *, links: Sequence[Link] = (), reason: bytes | None = None
) -> None:
    """Writes visits, which are locked, each with the event of its next version, and links tickets to them, in one trip."""
    async with tx.one_trip():
        for ticket_id, visit_id, clinic in links:
            await tx.execute(_LINK, ticket=ticket_id, visit=visit_id, clinic=clinic)
        for one, _ in changed:
            await tx.execute(_SAVE, **_row(one))
            if reason:
                await tx.execute(_KEEP_REASON, visit=one.visit, version=one.version, reason_sealed=reason)
        if changed:
            await _tell(tx, [event for _, event in changed])


async def _tell(tx: WriteTx, recorded: Sequence[Recorded]) -> None:
    """The log, and the work that follows of telling people."""
    await events.append(tx, recorded)
    for one in recorded:
        if one.type in TOLD:
            await tx.execute(outbox.PUT, **_work(tx, one))


def _work(tx: WriteTx, event: Recorded) -> dict[str, object]:
    payload = {"visit": event.entity.removeprefix("visit:"), "type": event.type}
    return outbox.work(tx, "visit_event", payload, key=f"{event.stream}:{event.version}")


def _row(one: Visit) -> dict[str, Any]:
    return {name: getattr(one, name) for name in FIELDS}


def event_of(one: Visit, type_: str, *, actor: str, tx: WriteTx, **data: Any) -> Recorded:
    """The event of a visit's present version."""
    own = {"visit": str(one.visit), "patient": str(one.patient), "status": one.status.value}
    return Recorded(one.stream, one.version, one.stream, type_, own | data, actor, tx.now)


def raised(one: Visit) -> Visit:
    """The visit with its next version."""
    return replace(one, version=one.version + 1)
