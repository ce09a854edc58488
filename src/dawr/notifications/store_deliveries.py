"""Writes of messages: put with the fact, claimed before anything is sent, marked afterwards.

A row is claimed by a lease and committed, and only then handed to a vendor. Whoever dies lets the lease run out; then nobody
knows whether the message went out, and it is sent again under the same key. The lease is by the database's clock, which is
one; what is due and what is worth sending is by the house's clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Actor, Right
from dawr.notifications import queries
from dawr.notifications.events import DELIVERY_RESENT
from dawr.notifications.queries import DeliveryView
from dawr.notifications.rules import RESENDABLE, DeliveryNotFound, Moment, NotResendable, Status
from dawr.notifications.rules_receipts import FREELY, OF_THIS_TRY, Receipt
from dawr.platform import events
from dawr.platform.db import WriteTx

STREAM = "deliveries"
LEASE_SECONDS = 30
_PUT = """
INSERT INTO delivery (facility_id, delivery, fact, channel, recipient, to_sealed, moment, template, language, ticket, patient,
  visit, appointment, numbers, rank, status, reason, attempts, unknown, due, deadline, created_at, ended_at)
SELECT %(facility_id)s, delivery, fact, channel, recipient, to_sealed, moment, template, language, ticket, patient,
  visit, appointment, numbers, rank, status, reason, 0, 0, due, deadline, created_at, ended_at
FROM json_populate_recordset(NULL::delivery, %(rows)s)
ON CONFLICT (facility_id, fact, channel, recipient) DO NOTHING RETURNING delivery
"""
_KNOWN = """
SELECT DISTINCT fact, channel,
  coalesce(status = 'suppressed' AND reason IN ('no_contact', 'bad_address', 'opt_out'), false) AS given_up FROM delivery
WHERE facility_id = %(facility_id)s AND fact = ANY(%(facts)s)
"""
# Picked once: as a part of the condition the server may pick again for every row, and claim them all.
_CLAIM = """
WITH picked AS MATERIALIZED (
  SELECT delivery AS one, deadline > %(now)s AS worth FROM delivery
  WHERE facility_id = %(facility_id)s AND status = 'pending' AND channel = %(channel)s
    AND rank = ANY('{0,1}') AND due <= %(now)s
  ORDER BY rank, due, delivery LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
UPDATE delivery SET status = CASE WHEN worth THEN 'sending' ELSE 'expired' END, attempts = attempts + worth::int,
  leased_until = CASE WHEN worth THEN clock_timestamp() + make_interval(secs => %(lease)s) END,
  reason = CASE WHEN worth THEN reason ELSE coalesce(reason, 'too_late') END,
  tried_at = CASE WHEN worth THEN %(now)s ELSE tried_at END,
  ended_at = CASE WHEN worth THEN NULL ELSE %(now)s END
FROM picked WHERE facility_id = %(facility_id)s AND delivery = picked.one
RETURNING delivery, fact, channel, recipient, to_sealed, moment, template, language, ticket, patient, visit, appointment,
  numbers, rank, attempts, status, deadline
"""
_LAPSED = """
WITH picked AS MATERIALIZED (
  SELECT delivery AS one FROM delivery
  WHERE facility_id = %(facility_id)s AND status = 'sending' AND leased_until < clock_timestamp() FOR UPDATE SKIP LOCKED)
UPDATE delivery SET status = 'pending', leased_until = NULL, unknown = unknown + 1, due = least(due, %(now)s)
FROM picked WHERE facility_id = %(facility_id)s AND delivery = picked.one
"""
# ``attempts`` tells whose claim it is: one whose lease ran out, and who was followed by another, changes nothing.
_MARK = """
UPDATE delivery SET status = %(status)s, reason = %(reason)s, detail = %(detail)s, leased_until = NULL,
  provider_id = coalesce(%(provider_id)s, provider_id), due = coalesce(%(due)s, due), ended_at = %(ended_at)s,
  unknown = unknown + %(unknown)s
WHERE facility_id = %(facility_id)s AND delivery = %(delivery)s AND attempts = %(attempts)s
  AND status IN ('sending', 'pending')
"""
_GIVE_BACK = """
UPDATE delivery SET status = 'pending', leased_until = NULL, attempts = attempts - 1, due = coalesce(%(due)s, due),
  reason = coalesce(%(reason)s, reason)
WHERE facility_id = %(facility_id)s AND delivery = %(delivery)s AND attempts = %(attempts)s AND status = 'sending'
"""
_NAMED = """
SELECT delivery FROM delivery
WHERE facility_id = %(facility_id)s AND channel = %(channel)s AND provider_id = %(provider_id)s ORDER BY delivery DESC LIMIT 1
"""
_RECEIVED = """
UPDATE delivery SET status = %(status)s, reason = %(reason)s, detail = %(detail)s, leased_until = NULL,
  ended_at = coalesce(ended_at, %(now)s), provider_id = coalesce(%(provider_id)s, provider_id)
WHERE facility_id = %(facility_id)s AND delivery = %(delivery)s AND channel = %(channel)s AND attempts > 0 AND (
  status = ANY(%(freely)s)
  OR (status = ANY(%(of_this_try)s) AND provider_id IS DISTINCT FROM %(provider_id)s::text)
  OR (status = 'sent' AND %(status)s = 'failed' AND coalesce(provider_id = %(provider_id)s::text, true)))
"""
_LOCK = "SELECT FROM delivery WHERE facility_id = %(facility_id)s AND delivery = %(delivery)s FOR UPDATE"
_AGAIN = """
UPDATE delivery SET status = 'pending', reason = NULL, detail = NULL, ended_at = NULL, due = %(now)s, deadline = %(deadline)s
WHERE facility_id = %(facility_id)s AND delivery = %(delivery)s
"""
_EVENTS_OF = "SELECT count(*) FROM event WHERE facility_id = %(facility_id)s AND stream = %(stream)s"
_FORGET = """
DELETE FROM delivery WHERE facility_id = %(facility_id)s AND ended_at IS NOT NULL
  AND (delivery < %(before)s OR (delivery < %(codes_before)s AND moment = 'phone_code'))
"""
_SOONEST = """
SELECT min(due) FROM delivery WHERE facility_id = %(facility_id)s AND status = 'pending' AND channel = ANY(%(channels)s)
"""


@dataclass(frozen=True, slots=True)
class Put:
    """A message to be written down. ``recipient`` is the blind index of the address, ``to_sealed`` the address."""

    delivery: UUID
    fact: str
    channel: str
    recipient: bytes
    to_sealed: bytes | None
    moment: str
    template: str
    language: str
    ticket: UUID | None
    patient: UUID | None
    visit: UUID | None
    appointment: UUID | None
    numbers: Mapping[str, int]
    rank: int
    status: Status
    reason: str | None
    due: datetime
    deadline: datetime
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that is this process's to send while the lease runs; ``EXPIRED`` where it has no use any more."""

    delivery: UUID
    fact: str
    channel: str
    recipient: bytes
    to_sealed: bytes | None
    moment: str
    template: str
    language: str
    ticket: UUID | None
    patient: UUID | None
    visit: UUID | None
    appointment: UUID | None
    numbers: Mapping[str, int]
    rank: int
    attempts: int
    status: Status
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of a try."""

    status: Status
    reason: str | None = None
    detail: str | None = None
    provider_id: str | None = None
    due: datetime | None = None
    unknown: bool = False


async def put(tx: WriteTx, messages: Sequence[Put]) -> int:
    """Writes the messages down; those whose fact was told to the same address by the same channel are left out. How many are
    new."""
    if not messages or tx.facility_id is None:
        return 0
    rows = [{name: getattr(one, name) for name in Put.__slots__} for one in messages]
    added = len(await (await tx.insert_rows(_PUT, rows)).fetchall())
    if added:
        tx.touched.add((tx.facility_id, STREAM))
    return added


async def told(tx: WriteTx, facts: Sequence[str]) -> set[tuple[str, str]]:
    """Of the facts, those about which somebody has a message already, each with the channel; ``*`` where it was found that the
    person cannot be told at all."""
    rows = await tx.rows(_KNOWN, facts=list(facts))
    return {(row["fact"], "*" if row["given_up"] else row["channel"]) for row in rows}


async def claim(tx: WriteTx, channel: str, *, limit: int) -> list[Claim]:
    """Takes up to ``limit`` messages of a channel that are due, the urgent ones first. To be committed before any is sent."""
    rows = await tx.rows(_CLAIM, channel=channel, now=tx.now, limit=limit, lease=LEASE_SECONDS)
    found = [Claim(**(row | {"status": Status(row["status"])})) for row in rows]
    return sorted(found, key=lambda one: (one.rank, one.delivery))


async def release_lapsed(tx: WriteTx) -> int:
    """Puts back what a process claimed that has not been heard of since: nobody knows whether it was sent."""
    return await tx.execute(_LAPSED, now=tx.now)


async def mark(tx: WriteTx, one: Claim, made: Mark) -> bool:
    """Writes down what became of a try; false where somebody else has followed it."""
    return bool(
        await tx.execute(
            _MARK,
            delivery=one.delivery,
            attempts=one.attempts,
            status=made.status.value,
            reason=made.reason,
            detail=made.detail,
            provider_id=made.provider_id,
            due=made.due,
            ended_at=None if made.status is Status.PENDING else tx.now,
            unknown=int(made.unknown),
        )
    )


async def give_back(tx: WriteTx, one: Claim, *, due: datetime | None = None, reason: str | None = None) -> None:
    """Nothing was tried; it is claimed again, at once or when it is ``due``."""
    await tx.execute(_GIVE_BACK, delivery=one.delivery, attempts=one.attempts, due=due, reason=reason)


async def received(tx: WriteTx, channel: str, told: Receipt) -> bool:
    """What a vendor says later of a message; false where it is known, comes too late, or is of another message or try."""
    delivery_id = told.delivery
    if delivery_id is None and told.provider_id:
        delivery_id = await tx.value(_NAMED, channel=channel, provider_id=told.provider_id)
    if delivery_id is None:
        return False
    return bool(
        await tx.execute(
            _RECEIVED,
            delivery=delivery_id,
            channel=channel,
            status=told.status.value,
            reason=told.reason,
            detail=told.detail,
            provider_id=told.provider_id,
            freely=[one.value for one in FREELY[told.status]],
            of_this_try=[one.value for one in OF_THIS_TRY[told.status]],
            now=tx.now,
        )
    )


async def load_for(tx: WriteTx, actor: Actor, delivery_id: UUID) -> DeliveryView:
    actor.require(Right.DELIVERIES)
    if not await tx.execute(_LOCK, delivery=delivery_id):
        raise DeliveryNotFound
    found = await queries.delivery(tx, delivery_id)
    assert found is not None
    return found


async def send_again(tx: WriteTx, actor: Actor, one: DeliveryView, *, deadline: datetime) -> None:
    """A dead letter is due once more, under its key. ``NotResendable`` for any other, and for a code, which has gone stale."""
    if one.status not in RESENDABLE or one.to_sealed is None or one.moment == Moment.PHONE_CODE:
        raise NotResendable(extra={"state": one.status.value})
    await tx.execute(_AGAIN, delivery=one.delivery, now=tx.now, deadline=deadline)
    stream = f"delivery:{one.delivery}"
    version = 1 + await tx.value(_EVENTS_OF, stream=stream)
    data: dict[str, Any] = {"delivery": str(one.delivery), "channel": one.channel, "from": one.status.value}
    recorded = events.Recorded(stream, version, str(one.delivery), DELIVERY_RESENT, data, actor.label, tx.now)
    await events.append(tx, [recorded])
    if tx.facility_id:
        tx.touched.add((tx.facility_id, STREAM))


async def soonest(tx: WriteTx, channels: Sequence[str]) -> datetime | None:
    """When the next message is due."""
    found: datetime | None = await tx.value(_SOONEST, channels=list(channels))
    return found


async def forget(tx: WriteTx, *, before: UUID, codes_before: UUID) -> int:
    """Deletes what has ended and is older than the id ``before``; codes, which are about nobody that is known, sooner."""
    return await tx.execute(_FORGET, before=before, codes_before=codes_before)
