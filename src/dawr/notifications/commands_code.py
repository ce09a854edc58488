"""The code by which somebody proves a phone number: put down in the transaction that asks for it, sent as every message is."""

from collections.abc import Sequence
from functools import partial
from uuid import UUID

from dawr.facilities.queries import Context
from dawr.notifications import store_channels, store_deliveries
from dawr.notifications.addresses import Addresses
from dawr.notifications.channel import Channel, in_use
from dawr.notifications.commands_tell import URGENT
from dawr.notifications.rules import Moment, Status
from dawr.notifications.rules_channels import Reached
from dawr.notifications.store_deliveries import Put
from dawr.notifications.texts import spoken
from dawr.patients.phones import region_of
from dawr.platform.db import ReadTx, WriteTx
from dawr.platform.ids import new_id
from dawr.tickets.commands_proof import PutCode
from dawr.tickets.rules_proof import CODE_LIVES, PhoneNotReachable

WAYS = ("sms", "whatsapp")
"""The first of them that the facility uses. The rules of the facility have no say in it: without a code nobody comes in."""
_FACT = f"{Moment.PHONE_CODE}:"


def verification_of(fact: str) -> UUID | None:
    """What a message with a code is about; the code itself is derived when it is sent."""
    return UUID(fact.removeprefix(_FACT)) if fact.startswith(_FACT) else None


async def way_of_codes(tx: ReadTx, here: Context, *, phone: str, language: str | None) -> PutCode | None:
    """None where the facility has no way to send one. ``PhoneNotReachable``."""
    channel = await _way(tx, here)
    if channel is None:
        return None
    chosen = spoken(language, *here.facility.languages)
    country = region_of(here.facility.zone)
    reached = Reached(here.facility.id, language=chosen, phone=phone, country=country)
    found: Sequence[str] = await channel.addresses(tx, here.services, reached)
    if not found:
        raise PhoneNotReachable
    return partial(_put, here, (channel.name, found[0]), chosen)


async def _put(here: Context, way: tuple[str, str], language: str, tx: WriteTx, verification: UUID) -> None:
    """``way``: the channel, and the address there."""
    channel, to = way
    addresses = await Addresses.of(tx, here, ())
    delivery = new_id(tx.now)
    made = Put(
        delivery=delivery,
        fact=f"{_FACT}{verification}",
        channel=channel,
        recipient=addresses.index(to),
        to_sealed=addresses.seal(to, delivery=delivery, patient=None),
        moment=Moment.PHONE_CODE.value,
        template=Moment.PHONE_CODE.value,
        language=language,
        ticket=None,
        patient=None,
        visit=None,
        appointment=None,
        numbers={},
        rank=URGENT,
        status=Status.PENDING,
        reason=None,
        due=tx.now,
        deadline=tx.now + CODE_LIVES,
        created_at=tx.now,
        ended_at=None,
    )
    await store_deliveries.put(tx, [made])


async def _way(tx: ReadTx, here: Context) -> Channel | None:
    used = await in_use(tx, here.services)
    for name in WAYS:
        if name in used and await _has_words(tx, here, name):
            return used[name]
    return None


async def _has_words(tx: ReadTx, here: Context, channel: str) -> bool:
    """The words of WhatsApp are kept there: it says nothing that there is no template for."""
    settings = await store_channels.settings(tx, here.services.keyring, channel) or {}
    return Moment.PHONE_CODE in settings.get("templates", (Moment.PHONE_CODE,))
