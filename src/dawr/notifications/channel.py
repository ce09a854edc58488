"""A channel: an equal drawer under ``channels/``. What every one of them is, and where the house keeps them.

A drawer has no state of a message: it is asked where a person can be reached, and is handed one message at a time by the
sender, which has claimed it, rendered it, waited for the pace, and afterwards writes down what the drawer says.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, cast, runtime_checkable

from dawr.notifications.rules_channels import Message, Pace, Reached, Result
from dawr.platform.db import ReadTx
from dawr.platform.services import Services

CHANNELS = "notification_channels"
"""The name under which ``Services.additions`` has a function that gives the channels that are configured."""


class Channel(Protocol):
    @property
    def name(self) -> str:
        """``sms``, ``email``, ``push``, ``whatsapp``, ``webhook``: what a rule names and the delivery log shows."""

    @property
    def pace(self) -> Pace: ...

    async def addresses(self, tx: ReadTx, services: Services, person: Reached) -> Sequence[str]:
        """Where this person can be reached, in one form each (E.164, an address in lower case, the id of a subscription): one
        message goes to each. Empty where it cannot. Runs in the transaction that enqueues; it must not call a vendor."""

    async def send(self, message: Message) -> Result:
        """Hands one message to the vendor. Called outside of any transaction and cancelled after ``pace.seconds``.

        Whatever it raises is an unknown outcome (the message is sent again, with the same key), so a failure before anything
        went out (no connection, a refused request) is told as ``RETRY`` or ``REFUSED``.
        """

    async def close(self) -> None:
        """Lets go of connections; called once, when the process ends."""


@runtime_checkable
class SetUpByFacility(Protocol):
    """What a channel has besides, where each facility sets it up or does not."""

    async def set_up(self, tx: ReadTx) -> bool:
        """Whether the transaction's facility uses this channel."""


async def in_use(tx: ReadTx, services: Services) -> Mapping[str, Channel]:
    """The channels that the transaction's facility uses, by name."""
    found = channels_of(services)
    return {name: one for name, one in found.items() if not isinstance(one, SetUpByFacility) or await one.set_up(tx)}


def use(services: Services, channels: Iterable[Channel]) -> None:
    """Makes these the channels of the installation."""
    found = {one.name: one for one in channels}
    services.additions[CHANNELS] = lambda: found


def channels_of(services: Services) -> Mapping[str, Channel]:
    """The channels of this installation by name; without the inbox, which is a table and needs no vendor."""
    get = services.additions.get(CHANNELS)
    return cast(Mapping[str, Channel], get()) if get else {}
