"""The table of webhooks: address and secrets sealed."""

from uuid import UUID

from sqlalchemy import Column, DateTime, LargeBinary, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY

from dawr.accounts.rules import Actor, Right
from dawr.facilities.queries import Context
from dawr.platform import followers
from dawr.platform.db import WriteTx
from dawr.platform.schema import facility_table
from dawr.webhooks import queries
from dawr.webhooks.rules import MOST, OVERLAP, TooManyWebhooks, Webhook, WebhookNotFound, follower

webhook = facility_table(
    "webhook",
    Column("webhook", Uuid, primary_key=True),
    Column("url_sealed", LargeBinary, nullable=False),
    Column("secret_sealed", LargeBinary, nullable=False),
    Column("earlier_sealed", LargeBinary),
    Column("earlier_until", DateTime(timezone=True)),
    Column("types", ARRAY(Text), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)

# The facility's row keeps two who add at the same moment from passing the limit together.
_HOLD = "SELECT 1 FROM facility WHERE facility_id = %(facility_id)s FOR NO KEY UPDATE"
_COUNT = "SELECT count(*) FROM webhook WHERE facility_id = %(facility_id)s"
_INSERT = """
INSERT INTO webhook (facility_id, webhook, url_sealed, secret_sealed, types, created_at)
VALUES (%(facility_id)s, %(id)s, %(url)s, %(secret)s, %(types)s, %(at)s)
"""
_CHANGE = """
UPDATE webhook SET url_sealed = %(url)s, types = %(types)s WHERE facility_id = %(facility_id)s AND webhook = %(id)s
"""
_ROTATE = """
UPDATE webhook SET earlier_sealed = secret_sealed, earlier_until = %(until)s, secret_sealed = %(secret)s
WHERE facility_id = %(facility_id)s AND webhook = %(id)s
"""
_DELETE = "DELETE FROM webhook WHERE facility_id = %(facility_id)s AND webhook = %(id)s"
_LOCK = "SELECT 1 FROM webhook WHERE facility_id = %(facility_id)s AND webhook = %(id)s FOR UPDATE"


async def load_for(tx: WriteTx, here: Context, webhook_id: UUID) -> Webhook:
    """Asks for the right, finds and locks."""
    require(here.actor)
    if await tx.value(_LOCK, id=webhook_id) is None:
        raise WebhookNotFound
    return await queries.webhook(tx, here.services.keyring, webhook_id)


def require(actor: Actor) -> None:
    actor.require(Right.SETTINGS)


async def add(tx: WriteTx, here: Context, made: Webhook) -> None:
    """Keeps a webhook; it follows the log from now on. ``TooManyWebhooks`` past the limit."""
    require(here.actor)
    await tx.execute(_HOLD)
    if await tx.value(_COUNT) >= MOST:
        raise TooManyWebhooks
    sealed = queries.sealed(tx, here.services.keyring, made)
    await tx.execute(
        _INSERT, id=made.id, types=list(made.types), at=made.created_at, url=sealed["url"], secret=sealed["secret"]
    )
    await followers.switch(tx, follower(made.id), enabled=True)


async def change(tx: WriteTx, here: Context, after: Webhook) -> None:
    sealed = queries.sealed(tx, here.services.keyring, after)
    await tx.execute(_CHANGE, id=after.id, url=sealed["url"], types=list(after.types))


async def rotate(tx: WriteTx, here: Context, after: Webhook) -> None:
    """Keeps the first of its secrets as the present one; the one before it signs as well for a while."""
    sealed = queries.sealed(tx, here.services.keyring, after)
    await tx.execute(_ROTATE, id=after.id, secret=sealed["secret"], until=tx.now + OVERLAP)


async def remove(tx: WriteTx, found: Webhook) -> None:
    await followers.forget(tx, follower(found.id))
    await tx.execute(_DELETE, id=found.id)
