"""What every drawer needs: its facility's settings, and what an HTTP answer means for a message."""

import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from dawr.notifications import store_channels
from dawr.notifications.rules_channels import Outcome, Reason, Result
from dawr.platform.db import ReadTx
from dawr.platform.outgoing import Answer
from dawr.platform.services import Services

KEPT_SECONDS = 5.0
NOT_CONFIGURED = Result(Outcome.REFUSED, reason=Reason.NOT_CONFIGURED)
NO_ANSWER = Result(Outcome.UNKNOWN, reason=Reason.NO_ANSWER)
BUSY = frozenset({408, 425, 429, 503})
# What a person in the facility can mend while the message is still worth sending.
TO_MEND = {401: Reason.WRONG_CREDENTIALS, 402: Reason.NO_CREDIT, 403: Reason.WRONG_CREDENTIALS}
LONGEST_ID = 200


class Shelf:
    """The settings of one channel, by facility, at most ``KEPT_SECONDS`` old when a message is sent."""

    def __init__(self, services: Services, channel: str) -> None:
        self._services = services
        self._channel = channel
        self._kept: dict[UUID, tuple[float, Mapping[str, Any] | None]] = {}

    async def settings(self, facility_id: UUID) -> Mapping[str, Any] | None:
        """``None`` where the facility does not use this channel."""
        until, found = self._kept.get(facility_id, (0.0, None))
        if until <= time.monotonic():
            async with self._services.db.read(facility_id) as tx:
                found = await self.settings_in(tx)
            self._kept[facility_id] = (time.monotonic() + KEPT_SECONDS, found)
        return found

    async def settings_in(self, tx: ReadTx) -> Mapping[str, Any] | None:
        """As they are in this transaction."""
        return await store_channels.settings(tx, self._services.keyring, self._channel)


def away(error: Exception) -> Result:
    """Nobody was reached, so nothing was sent."""
    return Result(Outcome.RETRY, reason=Reason.VENDOR_AWAY, detail=type(error).__name__)


def told(answer: Answer, *, provider_id: str | None = None) -> Result:
    """What an HTTP answer says by its status. A server that broke while it worked on the request may have done it."""
    detail = str(answer.status)
    if answer.accepted:
        return Result(Outcome.SENT, provider_id=plain(provider_id))
    if answer.status in BUSY:
        return Result(Outcome.RETRY, reason=Reason.VENDOR_BUSY, retry_after=answer.retry_after, detail=detail)
    if answer.status in TO_MEND:
        return Result(Outcome.RETRY, reason=TO_MEND[answer.status], detail=detail)
    if answer.status >= 500:
        return Result(Outcome.UNKNOWN, reason=Reason.NO_ANSWER, detail=detail)
    return Result(Outcome.REFUSED, reason=Reason.VENDOR_REFUSED, detail=detail)


def plain(provider_id: str | None) -> str | None:
    """A vendor's id as it may be kept: visible ASCII, not too long."""
    if provider_id is None:
        return None
    return "".join(one for one in provider_id if "!" <= one <= "~")[:LONGEST_ID] or None
