"""A facility's webhooks, opened."""

from typing import Any
from uuid import UUID

from dawr.platform.crypto import CannotOpenError, Keyring
from dawr.platform.db import ReadTx
from dawr.platform.logging import get_logger
from dawr.webhooks.rules import Webhook, WebhookNotFound

_ALL = """
SELECT webhook, url_sealed, secret_sealed, types, created_at,
       CASE WHEN earlier_until > %(now)s THEN earlier_sealed END AS earlier_sealed
FROM webhook WHERE facility_id = %(facility_id)s AND (%(one)s::uuid IS NULL OR webhook = %(one)s) ORDER BY webhook
"""
log = get_logger(__name__)


async def webhooks(tx: ReadTx, keyring: Keyring) -> list[Webhook]:
    """In the order in which they were made; one that opens with no key of ours is told nothing, and nobody waits for it."""
    found = []
    for row in await tx.rows(_ALL, one=None, now=tx.now):
        try:
            found.append(_opened(tx, keyring, row))
        except CannotOpenError:
            log.error("webhook_does_not_open", webhook=str(row["webhook"]))
    return found


async def webhook(tx: ReadTx, keyring: Keyring, webhook_id: UUID) -> Webhook:
    row = await tx.row(_ALL, one=webhook_id, now=tx.now)
    if row is None:
        raise WebhookNotFound
    return _opened(tx, keyring, row)


def sealed(tx: ReadTx, keyring: Keyring, one: Webhook) -> dict[str, bytes]:
    """The address and the present secret, sealed to their row."""
    facility = str(tx.facility_id)
    return {
        "url": keyring.seal(one.url, facility=facility, where=f"webhook.url:{one.id}"),
        "secret": keyring.seal(one.secrets[0], facility=facility, where=f"webhook.secret:{one.id}"),
    }


def _opened(tx: ReadTx, keyring: Keyring, row: dict[str, Any]) -> Webhook:
    facility, id_ = str(tx.facility_id), row["webhook"]
    kept = [row["secret_sealed"], row["earlier_sealed"]]
    secrets = [keyring.open(one, facility=facility, where=f"webhook.secret:{id_}") for one in kept if one]
    url = keyring.open(row["url_sealed"], facility=facility, where=f"webhook.url:{id_}")
    return Webhook(id_, url, tuple(row["types"]), tuple(secrets), row["created_at"])
