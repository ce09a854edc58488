"""The read side of the queue: what a board, a desk and a patient see, always from one snapshot."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Actor, Right
from dawr.facilities import queries as facilities
from dawr.facilities.queries import Context
from dawr.facilities.rules import Clinic, Facility
from dawr.platform.clock import iso
from dawr.platform.cursors import Cursor
from dawr.platform.db import Answers, ReadTx
from dawr.platform.events import Recorded, epoch, last
from dawr.platform.services import Services
from dawr.platform.values import value
from dawr.tickets import rules, store
from dawr.tickets.events import PUBLIC, SERIES_STARTED, SERVICE_DAY_TURNED, WITHDRAWN
from dawr.tickets.rules import Status, Ticket, TicketNotFound
from dawr.tickets.secrets import secret_of, ticket_of
from dawr.tickets.store_tables import CALLED_ON

WAIT = "ticket_wait"
Waits = Mapping[str, Sequence[Mapping[str, Any] | None]]
WaitEstimate = Callable[[ReadTx, Mapping[str, Sequence[int]]], Awaitable[Waits]]
"""Registered by a higher floor under ``WAIT``: by clinic, for each number of people ahead there, an estimate, or ``None``."""

# In two parts, each on its index: where both are one condition, a server without statistics reads a clinic's whole past.
_OF_THE_DAY = """(
  SELECT t.status, t.entered_at, t.called_at FROM ticket t
  WHERE t.facility_id = q.facility_id AND t.clinic = q.clinic AND t.ended_day = q.service_day
  UNION ALL
  SELECT t.status, t.entered_at, t.called_at FROM ticket t
  WHERE t.facility_id = q.facility_id AND t.clinic = q.clinic AND t.status IN ({open})) AS t
"""
_MEAN_WAIT = """extract(epoch FROM avg(greatest(t.called_at - t.entered_at, interval '0'))
                         FILTER (WHERE t.called_at IS NOT NULL)) / 60 AS mean_wait"""
_CODE = "CASE WHEN t.service_day = q.service_day THEN t.code ELSE t.code || '/' || to_char(t.service_day, 'DD') END"
_METRICS = f"""
SELECT c.clinic, f.* FROM clinic c LEFT JOIN queue q ON q.facility_id = c.facility_id AND q.clinic = c.clinic
CROSS JOIN LATERAL (
  SELECT count(*) AS total, count(*) FILTER (WHERE t.status = 'waiting') AS waiting,
         count(*) FILTER (WHERE t.status = 'done') AS served, {_MEAN_WAIT}
  FROM {_OF_THE_DAY.format(open="'waiting', " + CALLED_ON)}) AS f
WHERE c.facility_id = %(facility_id)s AND c.archived_on IS NULL ORDER BY c.place, c.clinic
"""
# The codes of those who wait come as one text: thousands of rows would take most of the answer's time.
_STATUS = f"""
SELECT q.service_day, q.series, q.version,
       coalesce((SELECT c.last FROM counter c WHERE c.facility_id = q.facility_id AND c.kind = 'ticket'
                 AND c.scope = q.clinic AND c.service_day = q.service_day AND c.series = q.series), 0) AS last_number,
       (SELECT string_agg({_CODE}, ' ' ORDER BY t.rank, t.order_key, t.id) FROM ticket t
        WHERE t.facility_id = q.facility_id AND t.clinic = q.clinic AND t.status = 'waiting') AS waiting,
       f.*
FROM queue q CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE t.status = 'done') AS done,
         count(*) FILTER (WHERE t.status NOT IN ('done', {CALLED_ON})) AS gone, {_MEAN_WAIT}
  FROM {_OF_THE_DAY.format(open=CALLED_ON)}) AS f
WHERE q.facility_id = %(facility_id)s AND q.clinic = %(clinic)s
"""
_CALLED = f"""
SELECT {_CODE} AS code, t.desk, t.status FROM ticket t JOIN queue q ON q.facility_id = t.facility_id AND q.clinic = t.clinic
WHERE t.facility_id = %(facility_id)s AND t.clinic = %(clinic)s AND t.status IN ({CALLED_ON}) ORDER BY t.changed_version, t.id
"""
# The day as a value, not by a join, which a server without statistics begins at the queue: with all tickets it ever had.
_SHOWN = f"""
SELECT {", ".join("t." + name for name in Ticket.__dataclass_fields__)}, t.name_sealed, t.phone_sealed,
       (SELECT q.service_day FROM queue q WHERE q.facility_id = t.facility_id AND q.clinic = t.clinic) AS today
"""
_FROM = "\nFROM ticket t WHERE t.facility_id = %(facility_id)s"
_BY_ID = f"""{_SHOWN}, CASE WHEN t.status = 'waiting' THEN (
  SELECT count(*) FROM ticket o WHERE o.facility_id = t.facility_id AND o.clinic = t.clinic
  AND o.status = 'waiting' AND (o.rank, o.order_key, o.id) < (t.rank, t.order_key, t.id)) ELSE 0 END AS ahead
{_FROM} AND t.id = %(id)s
"""
_BY_IDS = _SHOWN + ", 0 AS ahead" + _FROM + " AND t.id = ANY(%(ids)s)"
_LINE = """
SELECT coalesce(array_agg(id ORDER BY rank, order_key, id), '{}') FROM ticket
WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s AND status = 'waiting'
"""
_AT_DESK = (
    _SHOWN
    + """, CASE WHEN t.status = 'waiting' THEN
         row_number() OVER (PARTITION BY t.status ORDER BY t.rank, t.order_key, t.id) - 1 ELSE 0 END AS ahead
"""
    + _FROM
    + " AND t.clinic = %(clinic)s AND t.status IN ('waiting', 'called', 'serving', 'held') ORDER BY t.rank, t.order_key, t.id"
)
_ENDED_AT_DESK = (
    _SHOWN
    + ", 0 AS ahead"
    + _FROM
    + " AND t.clinic = %(clinic)s AND t.ended_day ="
    + " (SELECT service_day FROM queue WHERE facility_id = %(facility_id)s AND clinic = %(clinic)s)"
    + " ORDER BY t.ended_at DESC LIMIT 20"
)
_NEXT = """
SELECT data->>'next' FROM event WHERE facility_id = %(facility_id)s AND entity = %(ticket)s AND type = 'ticket_transferred'
ORDER BY id DESC LIMIT 1
"""


@value(frozen=True, slots=True)
class QueueStatus:
    """A clinic's queue at one version of its stream; codes only, nothing that names a person."""

    clinic: str
    service_day: date
    series: int
    version: int
    waiting: tuple[str, ...]
    called: tuple[tuple[str, str | None], ...]
    serving: tuple[tuple[str, str | None], ...]
    held: tuple[str, ...]
    done: int
    gone: int
    last_number: int
    mean_wait_minutes: float | None

    def answer(self) -> dict[str, Any]:
        """The contract's members but for ``as_of`` and ``cursor``, which belong to whoever sends it."""
        sizes = {"waiting": self.waiting, "called": self.called, "serving": self.serving, "held": self.held}
        return {
            "clinic": self.clinic,
            "service_day": self.service_day.isoformat(),
            "series": self.series,
            "waiting": list(self.waiting),
            "called": [{"code": code, "desk": desk} for code, desk in self.called],
            "serving": [{"code": code, "desk": desk} for code, desk in self.serving],
            "held": list(self.held),
            "counts": {name: len(group) for name, group in sizes.items()} | {"done": self.done, "gone": self.gone},
            "last_number": self.last_number,
            "mean_wait_minutes": self.mean_wait_minutes,
        }


async def status(tx: ReadTx, facility: Facility, clinic: Clinic) -> QueueStatus:
    """The queue as it stands. Its service day is the queue's own; ``is_due`` tells whether it should turn first."""
    async with tx.one_trip():
        asked = await tx.asked(_STATUS, clinic=clinic.id)
        called = await tx.asked(_CALLED, clinic=clinic.id)
    head = await asked.fetchone()
    if head is None:
        day = facility.service_day(tx.now)
        return QueueStatus(clinic.id, day, 1, 0, (), (), (), (), 0, 0, 0, None)
    groups: dict[str, list[tuple[str, str | None]]] = {one: [] for one in rules.OPEN}
    for row in await called.fetchall():
        groups[row["status"]].append((row["code"], row["desk"]))
    return QueueStatus(
        clinic=clinic.id,
        service_day=head["service_day"],
        series=head["series"],
        version=head["version"],
        waiting=tuple((head["waiting"] or "").split()),
        called=tuple(groups[Status.CALLED]),
        serving=tuple(groups[Status.SERVING]),
        held=tuple(code for code, _ in groups[Status.HELD]),
        done=head["done"],
        gone=head["gone"],
        last_number=head["last_number"],
        mean_wait_minutes=_minutes(head["mean_wait"]),
    )


def is_due(facility: Facility, now: datetime, service_day: date) -> bool:
    """Whether a queue of that service day has to turn to the present one."""
    return facility.service_day(now) > service_day


def public_update(recorded: Recorded) -> dict[str, Any] | None:
    """What a public stream says of an event; ``None`` where it is not a ticket's (a stream then starts from a snapshot)."""
    if recorded.type in (SERIES_STARTED, SERVICE_DAY_TURNED):
        return None
    shown = {name: recorded.data[name] for name in PUBLIC}
    return {"type": recorded.type, **shown, "at": recorded.at.isoformat()}


@value(frozen=True, slots=True)
class TicketView:
    """A ticket with its place; ``ahead`` counts those who wait before it."""

    ticket: Ticket
    today: date
    ahead: int
    wait: Mapping[str, Any] | None
    name_sealed: bytes | None
    phone_sealed: bytes | None

    def answer(self, *, follow: str | None = None, existing: bool = False) -> dict[str, Any]:
        """The contract's ticket, with the reason of its place and how long the service took."""
        one = self.ticket
        waiting = one.status is Status.WAITING
        return {
            "ticket": str(one.id),
            "clinic": one.clinic,
            "doctor": one.doctor,
            "number": one.number,
            "series": one.series,
            "code": one.shown_code(self.today),
            "service_day": one.service_day.isoformat(),
            "status": one.status,
            "position": self.ahead + 1 if waiting else 0,
            "ahead": self.ahead,
            "desk": one.desk,
            "wait": self.wait,
            "follow": follow,
            "existing": existing,
            "priority": one.priority,
            "order": {"placed": one.placed, "carried": one.service_day != self.today},
            "entered_at": one.entered_at.isoformat(),
            "called_at": iso(one.called_at),
            "started_at": iso(one.started_at),
            "ended_at": iso(one.ended_at),
            "duration_seconds": int(one.duration.total_seconds()) if one.duration is not None else None,
        }


async def views(tx: ReadTx, here: Context, ids: Sequence[UUID]) -> dict[UUID, TicketView]:
    """Several tickets of the facility as they are now, by id; what does not exist is missing."""
    rows = await tx.rows(_BY_IDS, ids=list(ids))
    waiting = [row for row in rows if row["status"] == Status.WAITING]
    # One walk along each queue: counting for every ticket would be a walk for every ticket.
    for clinic_id in {row["clinic"] for row in waiting}:
        places = {one: place for place, one in enumerate(await tx.value(_LINE, clinic=clinic_id))}
        for row in waiting:
            row["ahead"] = places.get(row["id"], row["ahead"])
    return {one.ticket.id: one for one in await _viewed(tx, here, rows)}


async def views_asked(tx: ReadTx, ids: Collection[UUID]) -> Answers:
    """Asks for tickets as they are, but for their place and wait. To be followed by ``views_found``."""
    return await tx.asked(_BY_IDS, ids=list(ids))


async def views_found(asked: Answers) -> dict[UUID, TicketView]:
    """By id; what does not exist is missing. Whoever asked knows the places (``ahead``) and adds them, and the waits."""
    return {row["id"]: TicketView(wait=None, **_parted(row)) for row in await asked.fetchall()}


async def view(tx: ReadTx, here: Context, ticket_id: UUID) -> TicketView:
    rows = await tx.rows(_BY_ID, id=ticket_id)
    if not rows:
        raise TicketNotFound
    return (await _viewed(tx, here, rows))[0]


async def just_entered(
    tx: ReadTx, here: Context, entered: Mapping[str, Sequence[tuple[Ticket, int]]]
) -> dict[str, list[TicketView]]:
    """By clinic, tickets that this transaction made, with how many wait before each: nothing has to be read again."""
    waits = await _waits(tx, here, {clinic: [ahead for _, ahead in made] for clinic, made in entered.items()})
    return {
        clinic: [
            TicketView(one, one.service_day, ahead, wait, None, None)
            for (one, ahead), wait in zip(made, waits[clinic], strict=True)
        ]
        for clinic, made in entered.items()
    }


async def just_changed(tx: ReadTx, here: Context, ticket: Ticket, *, today: date, ahead: int) -> TicketView:
    """A ticket that this transaction changed; only what others' services tell of its wait has to be read."""
    plain = TicketView(ticket, today, ahead, None, None, None)
    return (await _estimated(tx, here, [plain]))[0]


async def at_desk(tx: ReadTx, here: Context, clinic_id: str, *, ended: bool) -> tuple[Clinic, list[TicketView]]:
    """A clinic and what its staff work with: every open ticket in order, or the last 20 that ended today."""
    async with tx.one_trip():
        asked = await facilities.clinic_asked(tx, clinic_id)
        rows = await tx.asked(_ENDED_AT_DESK if ended else _AT_DESK, clinic=clinic_id)
    return await facilities.clinic_found(asked), await _viewed(tx, here, await rows.fetchall())


async def _viewed(tx: ReadTx, here: Context, rows: Sequence[dict[str, Any]]) -> list[TicketView]:
    return await _estimated(tx, here, [TicketView(wait=None, **_parted(row)) for row in rows])


async def _estimated(tx: ReadTx, here: Context, plain: list[TicketView]) -> list[TicketView]:
    """The same with the wait of each that waits."""
    waiting: dict[str, list[int]] = {}
    for one in plain:
        if one.ticket.status is Status.WAITING:
            waiting.setdefault(one.ticket.clinic, []).append(one.ahead)
    waits = {clinic: iter(them) for clinic, them in (await _waits(tx, here, waiting)).items()}
    return [
        replace(one, wait=next(waits[one.ticket.clinic])) if one.ticket.status is Status.WAITING else one
        for one in plain
    ]


async def _waits(tx: ReadTx, here: Context, aheads: Mapping[str, Sequence[int]]) -> Waits:
    estimate: WaitEstimate | None = here.services.additions.get(WAIT)
    return await estimate(tx, aheads) if estimate else {clinic: [None] * len(them) for clinic, them in aheads.items()}


def _parted(row: dict[str, Any]) -> dict[str, Any]:
    own = {name: row[name] for name in Ticket.__dataclass_fields__}
    rest = {name: row[name] for name in ("today", "ahead", "name_sealed", "phone_sealed")}
    return {"ticket": store.as_ticket(own), **rest}


def viewer(here: Context, ticket_id: UUID) -> Actor:
    """Who asks for this ticket: staff, or the patient whose secret it is. Another ticket's secret opens nothing here."""
    if here.actor.kind != "stranger" or not here.secrets:
        return here.actor
    known = [found for found in (ticket_of(here.services.keyring, one) for one in here.secrets) if found]
    if not known:
        return here.actor
    return Actor(kind="patient", ticket=ticket_id if (here.facility.no, ticket_id) in known else None)


def require_viewer(actor: Actor, ticket_id: UUID) -> None:
    """Raises ``TicketNotFound`` for the holder of another ticket's secret, ``Unauthenticated`` for a stranger."""
    if actor.kind == "patient" and actor.ticket != ticket_id:
        raise TicketNotFound
    if actor.kind != "patient":
        actor.require(Right.WATCH)


async def seen_by(tx: ReadTx, here: Context, actor: Actor, ticket_id: UUID) -> TicketView:
    """The ticket for whoever may see it. A secret dies 24 hours after its ticket has ended."""
    require_viewer(actor, ticket_id)
    found = await view(tx, here, ticket_id)
    require_living(actor, found, now=tx.now)
    return found


def require_living(actor: Actor, found: TicketView, *, now: datetime) -> None:
    """``TicketNotFound`` for the holder of a secret that is dead."""
    if actor.kind == "patient" and found.ticket.secret_is_dead(now):
        raise TicketNotFound


async def metrics(tx: ReadTx) -> list[dict[str, Any]]:
    """Per clinic of the facility, for its queue's service day and from one snapshot: tickets in all, waiting and served, and
    the mean wait from joining to the call in minutes (``None`` before the first call)."""
    rows = await tx.rows(_METRICS)
    return [
        {name: row[name] for name in ("clinic", "total", "waiting", "served")}
        | {"mean_wait_minutes": _minutes(row["mean_wait"])}
        for row in rows
    ]


def _minutes(value: Decimal | None) -> float | None:
    return None if value is None else round(float(value), 1)


async def made_by_device(tx: ReadTx, ticket_id: UUID, device: bytes) -> bool:
    """Whether this device asked for the ticket."""
    return (await store.personal_of(tx, ticket_id)).device == device


async def cursor(tx: ReadTx, facility: Facility, found: QueueStatus) -> str:
    """Where a stream goes on from this status."""
    return Cursor(await epoch(tx), facility.id, {found.clinic: found.version}, found.series).encode()


def is_late(clinic: Clinic, found: TicketView, now: datetime) -> bool:
    """Called longer ago than the clinic's patience, and not come."""
    after = timedelta(seconds=clinic.late_after_seconds) if clinic.late_after_seconds else None
    return rules.is_late(found.ticket, now=now, after=after)


async def following(tx: ReadTx, one: Ticket) -> UUID | None:
    """Where the person of an ended ticket goes on: in the ticket that a transfer made of it, or, where that transfer was
    taken back, in the one before it."""
    if one.status is Status.TRANSFERRED:
        found = await tx.value(_NEXT, ticket=str(one.id))
        return UUID(found) if found else None
    if one.status is Status.CANCELLED and one.previous:
        ended = await last(tx, one.id)
        return one.previous if ended and ended.type == WITHDRAWN else None
    return None


def follow_of(here: Context, ticket_id: UUID, *, key_id: int | None = None) -> str:
    """The address under which a patient follows a ticket; the secret in it is derived, so nothing is stored."""
    keyring = here.services.keyring
    return f"/t/{secret_of(keyring, here.facility.no, ticket_id, key_id=key_id or keyring.primary_id)}"


async def by_secret(services: Services, secret: str) -> tuple[Facility, UUID]:
    """The facility and ticket that a secret belongs to; ``TicketNotFound`` where it is no secret of ours."""
    found = ticket_of(services.keyring, secret)
    facility = await facilities.locate(services, no=found[0]) if found else None
    if found is None or facility is None:
        raise TicketNotFound
    return facility, found[1]
