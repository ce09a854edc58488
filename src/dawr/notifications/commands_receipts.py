"""What message services tell afterwards is written down: it may come twice, late, or in another order than it happened."""

from collections.abc import Iterable

from dawr.facilities.queries import Context
from dawr.notifications import commands_stop, store_deliveries
from dawr.notifications.addresses import Addresses
from dawr.notifications.rules_receipts import Receipt, Word
from dawr.patients.phones import international, region_of
from dawr.platform.db import WriteTx


async def receive(tx: WriteTx, here: Context, channel: str, told: Iterable[Receipt | Word]) -> int:
    """How much of it was news."""
    addresses = Addresses(here.facility.id, here.services.keyring, {})
    region = region_of(here.facility.zone)
    news = 0
    for one in told:
        if isinstance(one, Receipt):
            news += await store_deliveries.received(tx, channel, one)
        else:
            recipient = addresses.index(international(one.phone, region))
            at = min(one.at, tx.now)
            news += await commands_stop.say(tx, recipient, stopped=one.stopped, by=channel, at=at)
    return news
