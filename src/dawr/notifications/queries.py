"""Reading: the own inbox, the facility's rules, the delivery log."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from dawr.accounts.rules import Actor, Right, Role
from dawr.notifications import store_channels
from dawr.notifications.channels.push import public_key
from dawr.notifications.rules import HOUSE_RULES, Audience, Moment, Quiet, Rule, Rules, Status
from dawr.platform.db import ReadTx
from dawr.platform.services import Services

# Whoever asks: their role, their clinics (a doctor's own; everybody else is told of all), and how far they have read.
_MINE = """
%(role)s = ANY(n.roles) AND (%(clinics)s::text[] IS NULL OR n.clinics = '{}' OR n.clinics && %(clinics)s::text[])
"""
_IS_READ = """
(n.notice <= coalesce((SELECT s.up_to FROM notice_seen s WHERE s.facility_id = n.facility_id AND s.account = %(account)s),
                      '00000000-0000-0000-0000-000000000000'::uuid)
 OR EXISTS (SELECT FROM notice_read r WHERE r.facility_id = n.facility_id AND r.account = %(account)s AND r.notice = n.notice))
"""
_NOTICE = f"""
SELECT n.notice, n.fact, n.moment, n.clinics, n.visit, n.ticket, n.appointment, n.numbers, n.at, {_IS_READ} AS read
FROM notice n WHERE n.facility_id = %(facility_id)s AND {_MINE}
"""
_ONE_NOTICE = _NOTICE + " AND n.notice = %(notice)s"
_INBOX = (
    _NOTICE
    + " AND (%(before)s::uuid IS NULL OR n.notice < %(before)s)"
    + f" AND (%(unread)s::boolean IS NULL OR {_IS_READ} <> %(unread)s)"
    + " ORDER BY n.notice DESC LIMIT %(limit)s"
)
_COUNT = f"""
SELECT count(*) FROM notice n WHERE n.facility_id = %(facility_id)s AND {_MINE}
AND (%(unread)s::boolean IS NULL OR {_IS_READ} <> %(unread)s)
"""
_LATEST = "SELECT notice FROM notice WHERE facility_id = %(facility_id)s ORDER BY notice DESC LIMIT 1"
_UNREAD_AFTER = f"""
SELECT n.notice FROM notice n WHERE n.facility_id = %(facility_id)s AND {_MINE} AND n.notice > %(after)s AND NOT {_IS_READ}
"""
_SETTINGS = """
SELECT quiet_begins, quiet_ends, version FROM notification_settings WHERE facility_id = %(facility_id)s
"""
_RULES = """
SELECT moment, audience, channel, enabled, quiet, template, ahead, minutes FROM notification_rule
WHERE facility_id = %(facility_id)s ORDER BY place
"""
_CURSORS = "SELECT stream, version FROM notification_cursor WHERE facility_id = %(facility_id)s"
_DELIVERY = """
SELECT delivery, fact, channel, to_sealed, moment, template, language, ticket, patient, visit, appointment, numbers, status,
       reason, attempts, unknown, provider_id, due, deadline, created_at, tried_at, ended_at
FROM delivery WHERE facility_id = %(facility_id)s
"""
_ONE_DELIVERY = _DELIVERY + " AND delivery = %(delivery)s"
_LOG = (
    _DELIVERY
    + " AND (%(before)s::uuid IS NULL OR delivery < %(before)s) {filters} ORDER BY delivery DESC LIMIT %(limit)s"
)
_LOG_COUNT = "SELECT count(*) FROM delivery WHERE facility_id = %(facility_id)s {filters}"
# Each channel has its own short look along the index of what is due, however many wait.
_WAITING = """
SELECT array(SELECT c FROM unnest(%(channels)s::text[]) AS c WHERE EXISTS (
         SELECT FROM delivery d WHERE d.facility_id = %(facility_id)s AND d.status = 'pending' AND d.channel = c
         AND d.rank = ANY('{0,1}') AND d.due <= %(now)s)) AS channels,
       EXISTS (SELECT FROM delivery WHERE facility_id = %(facility_id)s AND status = 'sending'
               AND leased_until < clock_timestamp()) AS lapsed
"""
_FILTERS = ("status", "ticket", "patient", "channel")


# The inbox


@dataclass(frozen=True, slots=True)
class NoticeView:
    """One row of an inbox, without words: they are made in the reader's language."""

    notice: UUID
    fact: str
    moment: Moment
    clinics: Sequence[str]
    visit: UUID | None
    ticket: UUID | None
    appointment: UUID | None
    numbers: Mapping[str, int]
    at: datetime
    read: bool


def _reader(actor: Actor) -> dict[str, object]:
    """Who reads; ``Forbidden`` for those without an inbox."""
    actor.require(Right.INBOX)
    clinics = sorted(actor.clinics) if actor.role is Role.DOCTOR else None
    return {"role": actor.role.value if actor.role else "", "clinics": clinics, "account": actor.account_id}


async def inbox(tx: ReadTx, actor: Actor, *, before: UUID | None, unread: bool | None, limit: int) -> list[NoticeView]:
    """What is in the actor's inbox, newest first; ``unread`` true or false keeps one kind alone."""
    rows = await tx.rows(_INBOX, before=before, unread=unread, limit=limit, **_reader(actor))
    return [_notice(row) for row in rows]


async def inbox_size(tx: ReadTx, actor: Actor, *, unread: bool | None) -> int:
    found: int = await tx.value(_COUNT, unread=unread, **_reader(actor))
    return found


async def notice(tx: ReadTx, actor: Actor, notice_id: UUID) -> NoticeView | None:
    row = await tx.row(_ONE_NOTICE, notice=notice_id, **_reader(actor))
    return _notice(row) if row else None


async def unread_after(tx: ReadTx, actor: Actor, after: UUID) -> list[UUID]:
    return [row["notice"] for row in await tx.rows(_UNREAD_AFTER, after=after, **_reader(actor))]


async def latest(tx: ReadTx) -> UUID | None:
    """The facility's youngest notice, whoever it is for."""
    found: UUID | None = await tx.value(_LATEST)
    return found


def _notice(row: dict[str, Any]) -> NoticeView:
    return NoticeView(**(row | {"moment": Moment(row["moment"])}))


# Rules


async def rules(tx: ReadTx) -> Rules:
    """The facility's own rules, or the house's where it never made any."""
    settings = await tx.row(_SETTINGS)
    if settings is None or not settings["version"]:
        return HOUSE_RULES
    found = tuple(_rule(row) for row in await tx.rows(_RULES))
    return Rules(found, Quiet(settings["quiet_begins"], settings["quiet_ends"]), settings["version"])


def _rule(row: dict[str, Any]) -> Rule:
    return Rule(**(row | {"moment": Moment(row["moment"]), "audience": Audience(row["audience"])}))


async def cursors(tx: ReadTx) -> dict[str, int]:
    """How far each stream of the facility has been read."""
    return {row["stream"]: row["version"] for row in await tx.rows(_CURSORS)}


# The delivery log


@dataclass(frozen=True, slots=True)
class DeliveryView:
    delivery: UUID
    fact: str
    channel: str
    to_sealed: bytes | None
    moment: Moment
    template: str
    language: str
    ticket: UUID | None
    patient: UUID | None
    visit: UUID | None
    appointment: UUID | None
    numbers: Mapping[str, int]
    status: Status
    reason: str | None
    attempts: int
    unknown: int
    provider_id: str | None
    due: datetime
    deadline: datetime
    created_at: datetime
    tried_at: datetime | None
    ended_at: datetime | None


async def deliveries(
    tx: ReadTx, *, before: UUID | None, limit: int, filters: Mapping[str, object]
) -> list[DeliveryView]:
    """What was sent or is to be, newest first; ``filters`` by status, ticket, patient, channel."""
    wanted = _wanted(filters)
    sql = _LOG.replace("{filters}", "".join(f" AND {name} = %({name})s" for name in wanted))
    return [_delivery(row) for row in await tx.rows(sql, before=before, limit=limit, **wanted)]


async def deliveries_count(tx: ReadTx, filters: Mapping[str, object]) -> int:
    wanted = _wanted(filters)
    sql = _LOG_COUNT.replace("{filters}", "".join(f" AND {name} = %({name})s" for name in wanted))
    found: int = await tx.value(sql, **wanted)
    return found


def _wanted(filters: Mapping[str, object]) -> dict[str, object]:
    return {name: filters[name] for name in _FILTERS if filters.get(name) is not None}


@dataclass(frozen=True, slots=True)
class Waiting:
    """The channels that have something due; ``lapsed`` whether a lease has run out."""

    channels: Sequence[str]
    lapsed: bool


async def channels_waiting(tx: ReadTx, channels: Sequence[str]) -> Waiting:
    row = await tx.row(_WAITING, channels=list(channels), now=tx.now)
    assert row is not None
    return Waiting(**row)


async def delivery(tx: ReadTx, delivery_id: UUID) -> DeliveryView | None:
    row = await tx.row(_ONE_DELIVERY, delivery=delivery_id)
    return _delivery(row) if row else None


def _delivery(row: dict[str, Any]) -> DeliveryView:
    return DeliveryView(**(row | {"moment": Moment(row["moment"]), "status": Status(row["status"])}))


async def push_key(tx: ReadTx, services: Services) -> str | None:
    """The key that a browser subscribes with; None where this facility sends nothing to browsers."""
    used = await store_channels.settings(tx, services.keyring, "push")
    return public_key(services.keyring) if used else None
