"""Signed messages to other people's servers, as Standard Webhooks has them (https://www.standardwebhooks.com)."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from dawr.platform.errors import N_, Conflict, NotFound

SECRET_BYTES = 32
PREFIX = "webhook:"
MOST = 20
OVERLAP = timedelta(hours=24)
TRIES = 5
"""How often a message is tried that the other side refuses; while it is away, there is no end."""


class WebhookNotFound(NotFound):
    code = "webhook_not_found"
    title = N_("There is no such webhook here")


class TooManyWebhooks(Conflict):
    code = "too_many_webhooks"
    title = N_("There are as many webhooks as a facility can have")


@dataclass(frozen=True, slots=True)
class Webhook:
    """``types`` are the events it wants, none meaning all; ``secrets`` sign, the present one first: after a change the earlier
    one signs as well for ``OVERLAP``."""

    id: UUID
    url: str
    types: tuple[str, ...]
    secrets: tuple[str, ...]
    created_at: datetime

    def wants(self, type_: str) -> bool:
        return not self.types or type_ in self.types


def fresh_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def follower(webhook: UUID) -> str:
    """The name under which a webhook follows the log."""
    return f"{PREFIX}{webhook}"


def message_id(webhook: UUID, happening: str) -> str:
    """The same on every try, so that the other side can drop what it has."""
    return "msg_" + hashlib.sha256(f"{webhook}/{happening}".encode()).hexdigest()[:32]
