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
    news = 0
    for one in told:
        if isinstance(one, Receipt):
            news += await store_deliveries.received(tx, channel, one)
        else:
            at = min(one.at, tx.now)
            for number in _numbers(one.phone, region_of(here.facility.zone)):
                recipient = addresses.index(number)
                news += await commands_stop.say(tx, recipient, stopped=one.stopped, by=channel, at=at)
    return news


def _numbers(phone: str, region: str | None) -> list[str]:
    """As messages are addressed. Gateways write numbers with their country's code and often without its ``+``; what can be read
    in both ways counts for both."""
    read = (phone,) if phone.strip().startswith("+") else (phone, f"+{phone.strip()}")
    return sorted({number for one in read if len(number := international(one, region)) > 1 and number[0] == "+"})
