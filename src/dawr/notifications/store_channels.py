"""A facility's channels: their settings, sealed, and the browsers that asked to be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from dawr.accounts.rules import Actor, Right
from dawr.notifications.events import CHANNEL_CHANGED, CHANNEL_REMOVED
from dawr.platform import events
from dawr.platform.crypto import Keyring
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.schema import facility_table
from dawr.platform.services import Services

MOST_SUBSCRIPTIONS = 5
STREAM = "channel:"

channel_settings = facility_table(
    "channel_settings",
    Column("channel", Text, primary_key=True),
    Column("settings_sealed", LargeBinary),
    Column("version", Integer, nullable=False),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    grants="SELECT, INSERT, UPDATE",
)

push_subscription = facility_table(
    "push_subscription",
    Column("subscription", Uuid, primary_key=True),
    Column("endpoint", LargeBinary, nullable=False),
    Column("subscription_sealed", LargeBinary, nullable=False),
    Column("ticket", Uuid),
    Column("appointment", Uuid),
    Column("gone", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("facility_id", "ticket", "endpoint"),
    UniqueConstraint("facility_id", "appointment", "endpoint"),
    CheckConstraint("num_nonnulls(ticket, appointment) = 1", name="about"),
    CheckConstraint("octet_length(endpoint) = 16", name="endpoint"),
    Index("push_subscription_created_idx", "facility_id", "created_at"),
)

_ONE = """
SELECT settings_sealed, version, changed_at FROM channel_settings
WHERE facility_id = %(facility_id)s AND channel = %(channel)s
"""
_SAVE = """
INSERT INTO channel_settings AS c (facility_id, channel, settings_sealed, version, changed_at)
VALUES (%(facility_id)s, %(channel)s, %(sealed)s, 1, %(at)s)
ON CONFLICT (facility_id, channel) DO UPDATE SET
  settings_sealed = excluded.settings_sealed, version = c.version + 1, changed_at = excluded.changed_at
RETURNING version
"""
# What a browser is told about, by the column that names it: held while its browsers are counted.
_HOLD = {
    "ticket": "SELECT 1 FROM ticket WHERE facility_id = %(facility_id)s AND id = %(about)s FOR NO KEY UPDATE",
    "appointment": """
SELECT 1 FROM appointment WHERE facility_id = %(facility_id)s AND appointment = %(about)s FOR NO KEY UPDATE
""",
}
_SUBSCRIBE = """
INSERT INTO push_subscription (facility_id, subscription, endpoint, subscription_sealed, {kind}, created_at)
SELECT %(facility_id)s, %(id)s, %(endpoint)s, %(sealed)s, %(about)s, %(at)s
WHERE (SELECT count(*) FROM push_subscription WHERE facility_id = %(facility_id)s AND {kind} = %(about)s) < %(most)s
ON CONFLICT (facility_id, {kind}, endpoint) DO NOTHING
"""
_UNSUBSCRIBE = """
DELETE FROM push_subscription WHERE facility_id = %(facility_id)s AND {kind} = %(about)s AND endpoint = %(endpoint)s
"""
_OF_TICKET = """
SELECT subscription FROM push_subscription WHERE facility_id = %(facility_id)s AND ticket = %(ticket)s AND NOT gone
"""
# Whoever follows an appointment hears of the earlier one, too, that takes its place once it is accepted; each browser once.
_OF_APPOINTMENT = """
WITH RECURSIVE line AS (
  SELECT %(appointment)s::uuid AS appointment
  UNION
  SELECT w.instead_of FROM line
  JOIN appointment a ON a.facility_id = %(facility_id)s AND a.appointment = line.appointment
  JOIN appointment_waiting w ON w.facility_id = a.facility_id AND w.waiting = a.waiting
  WHERE w.instead_of IS NOT NULL
)
SELECT DISTINCT ON (p.endpoint) p.subscription FROM line
JOIN push_subscription p ON p.facility_id = %(facility_id)s AND p.appointment = line.appointment AND NOT p.gone
ORDER BY p.endpoint, p.subscription
"""
_SUBSCRIPTION = """
SELECT subscription_sealed FROM push_subscription
WHERE facility_id = %(facility_id)s AND subscription = %(id)s AND NOT gone
"""
_GONE = "UPDATE push_subscription SET gone = true WHERE facility_id = %(facility_id)s AND subscription = %(id)s"
_OLD = """
DELETE FROM push_subscription p WHERE p.facility_id = %(facility_id)s AND p.created_at < %(before)s AND NOT EXISTS (
  SELECT FROM appointment a
  WHERE a.facility_id = p.facility_id AND a.appointment = p.appointment AND a.starts > %(before)s)
"""
_FORGET_PEOPLE = """
DELETE FROM push_subscription p USING appointment a
WHERE p.facility_id = %(facility_id)s AND a.facility_id = p.facility_id AND a.appointment = p.appointment
  AND a.patient = ANY(%(patients)s)
"""


@dataclass(frozen=True, slots=True)
class Configured:
    """A channel's settings with their version; ``settings`` is ``None`` where the facility does not use it."""

    settings: Mapping[str, Any] | None
    version: int
    changed_at: datetime | None


def require(actor: Actor) -> None:
    actor.require(Right.SETTINGS)


async def configured(tx: ReadTx, keyring: Keyring, channel: str) -> Configured:
    row = await tx.row(_ONE, channel=channel)
    if row is None:
        return Configured(None, 0, None)
    return Configured(_opened(tx, keyring, channel, row["settings_sealed"]), row["version"], row["changed_at"])


async def settings(tx: ReadTx, keyring: Keyring, channel: str) -> Mapping[str, Any] | None:
    """``None`` where the facility does not use this channel."""
    return (await configured(tx, keyring, channel)).settings


async def save(tx: WriteTx, keyring: Keyring, actor: Actor, channel: str, made: Mapping[str, Any] | None) -> None:
    """Keeps a channel's settings, or takes them away."""
    require(actor)
    sealed = None if made is None else keyring.seal(orjson.dumps(dict(made)).decode(), **_place(tx, channel))
    version: int = await tx.value(_SAVE, channel=channel, sealed=sealed, at=tx.now)
    stream, type_ = f"{STREAM}{channel}", CHANNEL_REMOVED if made is None else CHANNEL_CHANGED
    await events.append(tx, [events.Recorded(stream, version, stream, type_, {}, actor.label, tx.now)])


def _opened(tx: ReadTx, keyring: Keyring, channel: str, sealed: bytes | None) -> Mapping[str, Any] | None:
    if sealed is None:
        return None
    found: Mapping[str, Any] = orjson.loads(keyring.open(sealed, **_place(tx, channel)))
    return found


def _place(tx: ReadTx, channel: str) -> dict[str, str]:
    return {"facility": str(tx.facility_id), "where": f"channel_settings:{channel}"}


# Browsers


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser's: where its maker takes messages, and its two keys (base64url)."""

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True, slots=True)
class About:
    """What a browser is told about: a ``ticket`` or an ``appointment``."""

    kind: Literal["ticket", "appointment"]
    id: UUID


async def subscribe(tx: WriteTx, keyring: Keyring, about: About, *, id: UUID, made: Subscription) -> None:
    """Keeps a browser for a ticket or an appointment, once; one more than ``MOST_SUBSCRIPTIONS`` is not kept."""
    facility = str(tx.facility_id)
    content = orjson.dumps({"endpoint": made.endpoint, "p256dh": made.p256dh, "auth": made.auth}).decode()
    sealed = keyring.seal(content, facility=facility, where=f"push_subscription:{id}")
    await tx.execute(_HOLD[about.kind], about=about.id)
    endpoint = _endpoint(tx, keyring, made.endpoint)
    kept = {"id": id, "endpoint": endpoint, "sealed": sealed, "about": about.id}
    await tx.execute(_SUBSCRIBE.replace("{kind}", about.kind), at=tx.now, most=MOST_SUBSCRIPTIONS, **kept)


async def unsubscribe(tx: WriteTx, keyring: Keyring, about: About, *, endpoint: str) -> None:
    statement = _UNSUBSCRIBE.replace("{kind}", about.kind)
    await tx.execute(statement, about=about.id, endpoint=_endpoint(tx, keyring, endpoint))


async def subscriptions(tx: ReadTx, about: About) -> Sequence[UUID]:
    """The browsers that are told about it, each once."""
    statement = _OF_TICKET if about.kind == "ticket" else _OF_APPOINTMENT
    return [row["subscription"] for row in await tx.rows(statement, **{about.kind: about.id})]


async def subscription(tx: ReadTx, keyring: Keyring, id: UUID) -> Subscription | None:
    sealed: bytes | None = await tx.value(_SUBSCRIPTION, id=id)
    if sealed is None:
        return None
    found = keyring.open(sealed, facility=str(tx.facility_id), where=f"push_subscription:{id}")
    return Subscription(**orjson.loads(found))


async def forget(tx: WriteTx, id: UUID) -> None:
    """The browser's maker said that it takes no more."""
    await tx.execute(_GONE, id=id)


async def forget_old(tx: WriteTx, before: datetime) -> int:
    """Drops the subscriptions of tickets and appointments that are long over; how many."""
    return await tx.execute(_OLD, before=before)


async def forget_people(tx: WriteTx, _: Services, patients: Sequence[UUID]) -> None:
    """Drops those of the appointments of patients who are erased: a listener."""
    await tx.execute(_FORGET_PEOPLE, patients=list(patients))


def _endpoint(tx: ReadTx, keyring: Keyring, endpoint: str) -> bytes:
    return keyring.blind(endpoint, facility=str(tx.facility_id), where="push_subscription.endpoint")
