"""A facility's channels: their settings, sealed, and the browsers that asked to be told."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
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
    Column("ticket", Uuid, nullable=False),
    Column("gone", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", DateTime(timezone=True), nullable=False),
    UniqueConstraint("facility_id", "ticket", "endpoint"),
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
_HOLD_TICKET = "SELECT 1 FROM ticket WHERE facility_id = %(facility_id)s AND id = %(ticket)s FOR NO KEY UPDATE"
_SUBSCRIBE = """
INSERT INTO push_subscription (facility_id, subscription, endpoint, subscription_sealed, ticket, created_at)
SELECT %(facility_id)s, %(id)s, %(endpoint)s, %(sealed)s, %(ticket)s, %(at)s
WHERE (SELECT count(*) FROM push_subscription WHERE facility_id = %(facility_id)s AND ticket = %(ticket)s) < %(most)s
ON CONFLICT (facility_id, ticket, endpoint) DO NOTHING
"""
_UNSUBSCRIBE = """
DELETE FROM push_subscription WHERE facility_id = %(facility_id)s AND ticket = %(ticket)s AND endpoint = %(endpoint)s
"""
_OF_TICKET = """
SELECT subscription FROM push_subscription WHERE facility_id = %(facility_id)s AND ticket = %(ticket)s AND NOT gone
"""
_SUBSCRIPTION = """
SELECT subscription_sealed FROM push_subscription
WHERE facility_id = %(facility_id)s AND subscription = %(id)s AND NOT gone
"""
_GONE = "UPDATE push_subscription SET gone = true WHERE facility_id = %(facility_id)s AND subscription = %(id)s"
_OLD = "DELETE FROM push_subscription WHERE facility_id = %(facility_id)s AND created_at < %(before)s"


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


async def subscribe(tx: WriteTx, keyring: Keyring, *, id: UUID, ticket: UUID, made: Subscription) -> None:
    """Keeps a browser for a ticket, once; one more than ``MOST_SUBSCRIPTIONS`` is not kept."""
    facility = str(tx.facility_id)
    content = orjson.dumps({"endpoint": made.endpoint, "p256dh": made.p256dh, "auth": made.auth}).decode()
    sealed = keyring.seal(content, facility=facility, where=f"push_subscription:{id}")
    await tx.execute(_HOLD_TICKET, ticket=ticket)
    endpoint = _endpoint(tx, keyring, made.endpoint)
    await tx.execute(
        _SUBSCRIBE, id=id, endpoint=endpoint, sealed=sealed, ticket=ticket, at=tx.now, most=MOST_SUBSCRIPTIONS
    )


async def unsubscribe(tx: WriteTx, keyring: Keyring, *, ticket: UUID, endpoint: str) -> None:
    await tx.execute(_UNSUBSCRIBE, ticket=ticket, endpoint=_endpoint(tx, keyring, endpoint))


async def subscriptions(tx: ReadTx, ticket: UUID) -> Sequence[UUID]:
    return [row["subscription"] for row in await tx.rows(_OF_TICKET, ticket=ticket)]


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
    """Drops the subscriptions of tickets that are long over; how many."""
    return await tx.execute(_OLD, before=before)


def _endpoint(tx: ReadTx, keyring: Keyring, endpoint: str) -> bytes:
    return keyring.blind(endpoint, facility=str(tx.facility_id), where="push_subscription.endpoint")
